import { basename } from "node:path/posix";
import { openBlob } from "../blob.ts";
import { type Attested, readAttested, requireSize, statementAbout } from "../cli/attesting.ts";
import { defineCommand, type FlagValues, flag } from "../cli/define.ts";
import { attestingFlags } from "../cli/flags/attesting.ts";
import { keyFlags } from "../cli/flags/key.ts";
import { type Forms, formsOf } from "../cli/forms.ts";
import { watched } from "../cli/print/progress.ts";
import { openSigning } from "../cli/signing.ts";
import { TsignError } from "../errors.ts";
import { writeEnvelope } from "../evidence/envelope.ts";
import { toLegacyLogEntry, writeLegacyTimestamp } from "../evidence/legacy-proofs.ts";
import type { Evidence } from "../evidence/model.ts";
import { writeBundle } from "../evidence/write-bundle.ts";
import { certificatePem } from "../evidence/write-legacy.ts";
import { encodeBase64 } from "../format/base64.ts";
import { messageOf, readMessage } from "../format/digest.ts";
import { goJson } from "../format/go-json.ts";
import type { Io } from "../io.ts";
import { signInTotoStatement } from "../sign/sign.ts";

const IN_BUNDLE = { deprecated: "the bundle of --bundle holds it" };
/** Any statement is smaller: its size is bounded when it is verified. Bytes. */
const MAX_STATEMENT = 128 * 1024 * 1024;

const flags = {
  ...keyFlags,
  ...attestingFlags,
  hash: flag.string("SHA-256 of the file in hex, instead of reading it"),
  outputAttestation: flag.string("file to write the statement to", IN_BUNDLE),
  outputCertificate: flag.string("file to write the certificate to", IN_BUNDLE),
  outputSignature: flag.string("file to write the signed envelope to", IN_BUNDLE),
  rfc3161TimestampBundle: flag.string("file to write the signed timestamp to", IN_BUNDLE),
};

type AttestFlags = FlagValues<typeof flags>;

export default defineCommand({
  usage: "[flags] <file>",
  summary: "Attest something about a file",
  about:
    "Signs an in-toto statement that says something about a file, `-` for stdin, and writes it as a Sigstore bundle to " +
    "--bundle; with --new-bundle-format=false the signed envelope goes to stdout or --output-signature.",
  examples: ["tsign attest-blob --type slsaprovenance1 --predicate provenance.json --bundle app.att.json app.tar.gz"],
  args: { min: 0, max: 1 },
  flags,
  exclusive: [
    ["useSigningConfig", "signingConfig"],
    ["predicate", "statement"],
  ],
  async run(io, { args: [file], flags, given }) {
    const forms = formsOf(flags, given);
    if (forms.bundle && flags.bundle === "") {
      throw new TsignError("usage", "must specify --bundle with --new-bundle-format", {
        hint: "--bundle FILE says where the attestation goes",
      });
    }
    if (file === undefined && flags.statement === "") throw new TsignError("usage", "missing the file to attest");
    if (file === "-" && flags.predicate === "-") {
      throw new TsignError("usage", "the file and the predicate cannot both come from standard input");
    }
    const attested = await readAttested(io, flags);
    const statement = await readStatementBytes(io, { flags, file, attested });
    const session = await openSigning(io, flags, { bundlePathCounts: true, content: "envelope" });
    const logsEnvelope = session.services.witnesses.logs.some(({ version }) => version === 1);
    requireSize(statement, { maxBytes: MAX_STATEMENT, logsEnvelope });
    const signed = await signInTotoStatement(session.by, statement);
    // What the statement is about is not checked here: a digest may be all there is of it.
    const subject = { kind: "blob", message: messageOf(new Uint8Array()) } as const;
    const evidence = await session.complete(signed, subject);
    if (flags.outputAttestation !== "") {
      await writeFile(io, { path: flags.outputAttestation, what: "attestation", content: statement });
    }
    if (forms.bundle) await writeFile(io, { path: flags.bundle, what: "bundle", content: writeBundle(evidence) });
    if (forms.legacy) await writeLegacy(io, { flags, forms, evidence });
  },
});

async function readStatementBytes(
  io: Io,
  by: { flags: AttestFlags; file: string | undefined; attested: Attested },
): Promise<Uint8Array> {
  const { flags, file = "", attested } = by;
  if (attested.kind === "statement") return attested.bytes;
  const sha256 = flags.hash === "" ? await hashOf(io, file) : parseHash(flags.hash);
  return statementAbout(io, attested, { type: flags.type, subject: { name: basename(file), sha256 } }).statement;
}

async function hashOf(io: Io, file: string): Promise<string> {
  if (file !== "-") io.stderr.write(`Using payload from: ${file}\n`);
  const pieces = await watched(io, "hashing", { file, pieces: openBlob(io, file) });
  const message = await readMessage(pieces, { hashes: ["sha256"], keepBytes: 0 });
  return Buffer.from(message.digest("sha256")).toString("hex");
}

function parseHash(text: string): string {
  const hex = text.replace(/^sha256:/, "").toLowerCase();
  if (!/^[0-9a-f]{64}$/.test(hex)) throw new TsignError("usage", `--hash is not a SHA-256 in hex: "${text}"`);
  return hex;
}

async function writeLegacy(io: Io, by: { flags: AttestFlags; forms: Forms; evidence: Evidence }): Promise<void> {
  const { flags, forms } = by;
  const { content, key, log, timestamps } = by.evidence;
  if (content.kind !== "dsse") throw new TsignError("internal", "a statement was not signed in an envelope");
  const envelope = writeEnvelope(content);
  const pem = key.kind === "certificate" ? certificatePem(key.leaf) : undefined;
  if (flags.bundle !== "" && !forms.bundle) {
    const [rekorBundle] = log.flatMap((entry) => toLegacyLogEntry(entry) ?? []);
    const document = goJson({
      base64Signature: encodeBase64(Buffer.from(envelope)),
      ...(pem ? { cert: encodeBase64(Buffer.from(pem)) } : {}),
      ...(rekorBundle ? { rekorBundle } : {}),
    });
    await writeFile(io, { path: flags.bundle, what: "bundle", content: document });
  }
  const [timestamp] = timestamps;
  if (timestamp) {
    const document = writeLegacyTimestamp(timestamp);
    await writeFile(io, { path: flags.rfc3161TimestampBundle, what: "timestamp", content: document });
  }
  if (pem) await writeFile(io, { path: flags.outputCertificate, what: "certificate", content: pem });
  await writeFile(io, { path: flags.outputSignature, what: "signature", content: envelope });
  if (flags.outputSignature === "") io.stdout.write(`${envelope}\n`);
}

async function writeFile(io: Io, file: { path: string; what: string; content: string | Uint8Array }): Promise<void> {
  if (file.path === "") return;
  await io.files.write(file.path, file.content, { mode: 0o600 });
  io.stderr.write(`Wrote ${file.what} to file ${file.path}\n`);
}
