import { TsignError } from "../errors.ts";
import { readBundle } from "../evidence/bundle/read.ts";
import type { Evidence } from "../evidence/model.ts";
import {
  digestFromHex,
  HASHES,
  type HashName,
  HEX_LENGTH,
  type Message,
  messageOf,
  messageOfDigests,
  readMessage,
} from "../format/digest.ts";
import { NO_TRUST, type TrustedMaterial } from "../trust/material.ts";
import { readTrustedRoot } from "../trust/trusted-root.ts";
import { bytesToKeep, keyToReadWith } from "../verify/claimed-key.ts";
import type { Policy } from "../verify/model.ts";
import { verify } from "../verify/verify.ts";
import { type Context, libraryIo } from "./context.ts";
import { verifiers } from "./handles.ts";
import { requirePredicate, signingPolicy } from "./policy.ts";
import { distributedTrust } from "./tuf.ts";
import type { Artifact, VerificationResult, Verifier, VerifierOptions, VerifyOptions } from "./types.ts";
import { refusalOf, resultOf } from "./verdict.ts";

export type { Context } from "./context.ts";
export * from "./transport.ts";
export type {
  Artifact,
  CheckResult,
  Identity,
  ImageFailure,
  ImageResult,
  MissedPlace,
  NameRule,
  Requirements,
  SignedContent,
  SignerResult,
  StatementSubject,
  TimestampResult,
  TufRepository,
  VerificationResult,
  VerifiedLogEntry,
  Verifier,
  VerifierOptions,
  VerifyImageOptions,
  VerifyOptions,
} from "./types.ts";
export { ImageRefusal, verifyImage } from "./verify-image.ts";

/**
 * Returns a verifier with a trusted root, which is read and checked once. A TUF repository is also read only once: in a program
 * that runs for days, create a new verifier from time to time, so that revoked keys are no longer trusted.
 *
 * @throws TsignError "untrusted" for an invalid trusted root; "usage" for TUF without a transport; "network", "timeout" or
 * "service" if the repository cannot be reached
 */
export async function createVerifier(options: VerifierOptions = {}): Promise<Verifier> {
  const io = libraryIo(options);
  const { trustedRoot } = options;
  const trust = trustedRoot === undefined ? NO_TRUST : await readTrust(options, trustedRoot);
  const verifier: Verifier = {
    verify: (bundle, wanted) => verifyBundle(bundle, { trust: { ...trust, now: io.now() }, wanted }),
  };
  return verifiers.keep(verifier, { trust, io });
}

async function readTrust(
  context: Context,
  trustedRoot: NonNullable<VerifierOptions["trustedRoot"]>,
): Promise<TrustedMaterial> {
  if (typeof trustedRoot === "object" && "tuf" in trustedRoot) return distributedTrust(context, trustedRoot.tuf);
  const bytes = typeof trustedRoot === "string" ? Buffer.from(trustedRoot) : trustedRoot;
  return readTrustedRoot(bytes, "the trusted root");
}

async function verifyBundle(
  bundle: Uint8Array | string,
  { trust, wanted }: { trust: TrustedMaterial & { now: Date }; wanted: VerifyOptions },
): Promise<VerificationResult> {
  const policy = await signingPolicy(wanted);
  const where = wanted.name ?? "the bundle";
  const bytes = typeof bundle === "string" ? Buffer.from(bundle) : bundle;
  const evidence = readBundle(bytes, { kind: "file", where });
  requirePredicate(evidence, wanted);
  const message = await readArtifact(wanted.artifact, evidence, policy);
  const verdict = await verify(evidence, { kind: "blob", message }, trust, policy);
  if (!verdict.ok) throw refusalOf(verdict.failed, `${where} does not verify the artifact`);
  return resultOf(verdict);
}

/** Reads the artifact once, with every hash that a check may need. */
async function readArtifact(artifact: Artifact, evidence: Evidence, policy: Policy): Promise<Message> {
  if (artifact instanceof Uint8Array) return messageOf(artifact);
  if (Symbol.asyncIterator in artifact) {
    const key = await keyToReadWith(evidence, policy);
    const stated = evidence.content.kind === "blob" ? evidence.content.stated?.algorithm : undefined;
    const tried = policy.signer.kind === "key" ? policy.signer.hashes : key ? [key.hash] : [];
    const all = evidence.content.kind === "dsse" ? HASHES : [];
    const hashes = new Set<HashName>([...tried, ...all, "sha256", ...(stated ? [stated] : [])]);
    return readMessage(artifact, { hashes: [...hashes], keepBytes: bytesToKeep(key) });
  }
  return messageOfDigests(digestsOf(artifact));
}

function digestsOf(stated: { readonly [Name in HashName]?: string }): Map<HashName, Uint8Array> {
  const digests = new Map<HashName, Uint8Array>();
  for (const name of HASHES) {
    const hex = stated[name];
    if (hex === undefined) continue;
    const digest = typeof hex === "string" ? digestFromHex(name, hex) : undefined;
    if (!digest)
      throw new TsignError("usage", `invalid ${name} of the artifact: expected ${HEX_LENGTH[name]} hex digits`);
    digests.set(name, digest);
  }
  if (digests.size === 0) {
    throw new TsignError("usage", "invalid artifact: expected bytes, a stream or digests", {
      hint: "pass a Uint8Array, an async iterable of them, or { sha256: hex }",
    });
  }
  return digests;
}
