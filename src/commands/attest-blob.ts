import { basename } from "node:path/posix";
import {
  type Attested,
  envelopeAsSignature,
  envelopeSize,
  readAttested,
  requireSize,
  statementAbout,
} from "../cli/attesting.ts";
import { attestingFlags } from "../cli/flags/attesting.ts";
import { keyFlags } from "../cli/flags/key.ts";
import { type Forms, formsOf } from "../cli/options/forms.ts";
import { writeOutput } from "../cli/options/output-places.ts";
import { recordedTime } from "../cli/options/recorded-time.ts";
import { defineCommand, type FlagValues, flag } from "../cli/parser/define.ts";
import { watched } from "../cli/print/progress.ts";
import { openSigning, type Signing } from "../cli/signing.ts";
import { TsignError } from "../errors.ts";
import { writeBundle } from "../evidence/bundle/write.ts";
import { writeEnvelope } from "../evidence/envelope.ts";
import { writeLegacyTimestamp } from "../evidence/legacy/proofs.ts";
import { certificatePem, legacyBlobBundle } from "../evidence/legacy/write.ts";
import type { Evidence } from "../evidence/model.ts";
import { messageOf, readMessage } from "../format/digest.ts";
import type { Io } from "../io/io.ts";
import { openBlob } from "../net/input.ts";
import { signInTotoStatement } from "../sign/sign.ts";

const IN_BUNDLE = { deprecated: "the bundle of --bundle holds it", output: true };
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
    recordedTime(io);
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
    requireSize(io, statement);
    const { outputCertificate, rfc3161TimestampBundle } = flags;
    const session = await openSigning(io, flags, {
      bundlePathCounts: true,
      content: "envelope",
      envelopeSize: envelopeSize(statement),
      ...(forms.bundle ? {} : { files: { certificate: outputCertificate, timestamp: rfc3161TimestampBundle } }),
    });
    if (forms.bundle) warnAboutParts(io, flags, session);
    const signed = await signInTotoStatement(session.by, statement);
    // What the statement is about is not checked here: a digest may be all there is of it.
    const subject = { kind: "blob", message: messageOf(new Uint8Array()) } as const;
    const evidence = await session.complete(signed, subject);
    await writeFile(io, { path: flags.outputAttestation, what: "attestation", content: statement });
    if (forms.bundle) await writeFile(io, { path: flags.bundle, what: "bundle", content: writeBundle(evidence) });
    await writeParts(io, { flags, forms, evidence });
  },
});

/** Beside a bundle, which needs no other file, one that will not be written is no failure. */
function warnAboutParts(io: Io, flags: AttestFlags, session: Signing): void {
  const dated = session.services.witnesses.timestampAuthorities.length > 0;
  if (flags.outputCertificate !== "" && !session.by.certificate) {
    io.stderr.write("WARNING: --output-certificate: there is no certificate\n");
  }
  if (flags.rfc3161TimestampBundle !== "" && !dated) {
    io.stderr.write("WARNING: --rfc3161-timestamp-bundle: there is no timestamp authority\n");
  }
}

async function readStatementBytes(
  io: Io,
  by: { flags: AttestFlags; file: string | undefined; attested: Attested },
): Promise<Uint8Array> {
  const { flags, file = "", attested } = by;
  if (attested.kind === "statement") return attested.bytes;
  const sha256 = flags.hash === "" ? await hashOf(io, file) : parseHash(flags.hash);
  return statementAbout(io, attested, { type: flags.type, subject: { name: basename(file), digest: { sha256 } } })
    .statement;
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

async function writeParts(io: Io, by: { flags: AttestFlags; forms: Forms; evidence: Evidence }): Promise<void> {
  const { flags, forms, evidence } = by;
  const { content, key, timestamps } = evidence;
  if (content.kind !== "dsse") throw new TsignError("internal", "a statement was not signed in an envelope");
  const envelope = writeEnvelope(content);
  if (!forms.bundle) {
    const document = legacyBlobBundle(envelopeAsSignature(evidence, envelope));
    await writeFile(io, { path: flags.bundle, what: "bundle", content: document });
  }
  const [timestamp] = timestamps;
  if (timestamp) {
    const document = writeLegacyTimestamp(timestamp);
    await writeFile(io, { path: flags.rfc3161TimestampBundle, what: "timestamp", content: document });
  }
  if (key.kind === "certificate") {
    await writeFile(io, { path: flags.outputCertificate, what: "certificate", content: certificatePem(key.leaf) });
  }
  await writeFile(io, { path: flags.outputSignature, what: "signature", content: envelope });
  if (forms.legacy && flags.outputSignature === "") io.stdout.data(`${envelope}\n`);
}

async function writeFile(io: Io, file: { path: string; what: string; content: string | Uint8Array }): Promise<void> {
  if (file.path === "") return;
  const written = await writeOutput(io, file);
  if (written) io.stderr.write(`Wrote ${file.what} to file ${file.path}\n`);
}
