import { openBlob, readBlob } from "../blob.ts";
import { defineCommand, type FlagValues, flag } from "../cli/define.ts";
import { keyFlags } from "../cli/flags/key.ts";
import { verificationFlags } from "../cli/flags/verification.ts";
import { withLoggedEntry } from "../cli/log-lookup.ts";
import { watched } from "../cli/print/progress.ts";
import { readVerification, type Verification } from "../cli/verification.ts";
import { TsignError } from "../errors.ts";
import { readEnvelope } from "../evidence/envelope.ts";
import { readLegacyTimestamp } from "../evidence/legacy-proofs.ts";
import type { Evidence } from "../evidence/model.ts";
import { looksLikeBundle, readBundle } from "../evidence/read-bundle.ts";
import { readLegacyBlobBundle } from "../evidence/read-files.ts";
import { type HashName, type Message, messageOf, messageOfDigests, readMessage } from "../format/digest.ts";
import type { Io } from "../io.ts";
import { PREDICATE_ALIASES, predicateTypeOf } from "../sign/predicates.ts";
import type { Policy } from "../verify/model.ts";
import { verify } from "../verify/verify.ts";

const DIGEST_LENGTH: Readonly<Record<string, number>> = { sha256: 64, sha384: 96, sha512: 128 };

const flags = {
  ...keyFlags,
  ...verificationFlags,
  bundle: flag.string("file of the bundle, in either form"),
  checkClaims: flag.bool("compare what is signed with the file", { default: true }),
  digest: flag.string("digest of what was attested, in hex, instead of a file"),
  digestAlg: flag.string("algorithm of --digest: sha256, sha384 or sha512"),
  rfc3161Timestamp: flag.string("file of the signed timestamp", { deprecated: "bundles hold it" }),
  type: flag.string("what the attestation must be: an alias or a URI", {
    default: "custom",
    choices: PREDICATE_ALIASES,
  }),
};

type VerifyFlags = FlagValues<typeof flags>;

export default defineCommand({
  usage: "[flags] <file>",
  summary: "Verify an attestation of a file",
  about:
    "Verifies that a bundle, or a signed envelope, is an attestation of the type asked for, by the key or identity given, " +
    "about a file, `-` for stdin, or a digest. Prints `Verified OK` on stderr.",
  examples: [
    "tsign verify-blob-attestation --type slsaprovenance1 --certificate-identity ci@example.com " +
      "--certificate-oidc-issuer https://issuer.example --bundle app.att.json app.tar.gz",
  ],
  args: { min: 0, max: 1 },
  flags,
  exclusive: [
    ["caRoots", "certificateChain"],
    ["caIntermediates", "certificateChain"],
  ],
  async run(io, { args: [file], flags }) {
    if (flags.signature === "" && flags.bundle === "") {
      throw new TsignError("usage", "provide path to the DSSE envelope via --signature or a bundle via --bundle");
    }
    if (flags.signature !== "" && flags.bundle !== "") {
      throw new TsignError("usage", "--bundle and --signature exclude one another");
    }
    const verification = await readVerification(io, flags, "blob attestation");
    const message = await readSubject(io, { file, flags });
    const found = await readEvidence(io, flags, verification);
    const policy: Policy = {
      ...verification.policy,
      claims: {
        annotations: {},
        predicateTypes: [predicateTypeOf(flags.type)],
        subject: message ? "required" : "insecureSkip",
      },
    };
    const evidence = flags.signature === "" ? found : await withLoggedEntry(io, found, { policy, flags });
    const subject = { kind: "blob", message: message ?? messageOf(new Uint8Array()) } as const;
    if (evidence.content.kind !== "dsse") {
      throw new TsignError("bad-signature", `${evidence.origin.where} is the signature of a file, no attestation`);
    }
    const verdict = await verify(evidence, subject, verification.trust, policy);
    if (!verdict.ok) {
      const { name, detail } = verdict.failed;
      const what = file ?? "what was attested";
      throw new TsignError("bad-signature", `${evidence.origin.where} does not verify ${what}: ${name}: ${detail}`);
    }
    if (policy.signer.kind === "identity") {
      const { warnAboutLoosePatterns } = await import("../cli/print/verified.ts"); // not needed for keys
      warnAboutLoosePatterns(io.stderr, policy.signer, [verdict]);
    }
    io.stderr.write("Verified OK\n");
  },
});

/** What the statement must be about; undefined when nobody asks. */
async function readSubject(
  io: Io,
  { file, flags }: { file: string | undefined; flags: VerifyFlags },
): Promise<Message | undefined> {
  if (!flags.checkClaims) return undefined;
  if (flags.digest !== "") {
    const algorithm = flags.digestAlg;
    const isDigest = DIGEST_LENGTH[algorithm] === flags.digest.length && /^[0-9a-fA-F]+$/.test(flags.digest);
    if (!isDigest) {
      throw new TsignError("usage", `--digest is not a digest of --digestAlg "${algorithm}"`, {
        hint: "sha256, sha384 or sha512, and its hex",
      });
    }
    return messageOfDigests(new Map([[algorithm as HashName, Buffer.from(flags.digest, "hex")]]));
  }
  if (file === undefined) {
    throw new TsignError("usage", "no file to compare with what is attested", {
      hint: "name it, give --digest and --digestAlg, or say --check-claims=false",
    });
  }
  const pieces = await watched(io, "hashing", { file, pieces: openBlob(io, file) });
  return readMessage(pieces, { hashes: ["sha256", "sha512"], keepBytes: 0 });
}

async function readEvidence(io: Io, flags: VerifyFlags, { policy, certificate }: Verification): Promise<Evidence> {
  const path = flags.bundle || flags.signature;
  const bytes = await readBlob(io, path);
  const origin = { kind: "file", where: path } as const;
  if (flags.bundle !== "" && looksLikeBundle(bytes)) {
    if (flags.certificate !== "") throw new TsignError("usage", "--certificate cannot be used with a Sigstore bundle");
    return readBundle(bytes, origin);
  }
  const timestamps = await readTimestamps(io, flags);
  if (flags.bundle === "") return envelopeEvidence(bytes, { path, timestamps, certificate });
  const { evidence, statedKey } = readLegacyBlobBundle(bytes, path);
  if (statedKey && !(policy.signer.kind === "key" && statedKey.object.equals(policy.signer.key.object))) {
    throw new TsignError("bad-signature", `${path} was made with another key than the one to verify with`);
  }
  // The envelope stands where a file's bundle has its signature.
  const envelope = envelopeEvidence(evidence.content.signature, { path, timestamps, certificate });
  return { ...envelope, key: certificate ?? evidence.key, log: evidence.log };
}

function envelopeEvidence(
  bytes: Uint8Array,
  by: { path: string; timestamps: readonly Uint8Array[]; certificate: Verification["certificate"] },
): Evidence {
  const { path, timestamps, certificate } = by;
  return {
    origin: { kind: "file", where: path },
    content: readEnvelope(bytes, path),
    key: certificate ?? { kind: "none" },
    log: [],
    timestamps,
    timestamped: bytes,
    annotations: {},
  };
}

async function readTimestamps(io: Io, flags: VerifyFlags): Promise<Uint8Array[]> {
  if (flags.rfc3161Timestamp === "") return [];
  const text = Buffer.from(await readBlob(io, flags.rfc3161Timestamp)).toString("utf8");
  return [readLegacyTimestamp(text, flags.rfc3161Timestamp)];
}
