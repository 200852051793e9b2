import { basename } from "node:path/posix";
import { readAttested, requireSize } from "../cli/options/attesting.ts";
import { endDryRun, printPlanned, unchanging } from "../cli/options/dry-run.ts";
import { type Forms, formsOf } from "../cli/options/forms.ts";
import { writeRequested } from "../cli/options/output-places.ts";
import { recordedTime } from "../cli/options/recorded-time.ts";
import { openSigning } from "../cli/options/signing.ts";
import type { FlagValues, Run } from "../cli/parser/define.ts";
import { printVerifyCommand } from "../cli/print/certified-identity.ts";
import { watched } from "../cli/print/progress.ts";
import { logText, printDone } from "../cli/print/stored.ts";
import { TsignError } from "../errors.ts";
import { writeBundle } from "../evidence/bundle/write.ts";
import { writeEnvelope } from "../evidence/envelope.ts";
import { writeLegacyTimestamp } from "../evidence/legacy/proofs.ts";
import { certificatePem, legacyBlobBundle } from "../evidence/legacy/write.ts";
import type { Evidence } from "../evidence/model.ts";
import { parseStatement } from "../evidence/statement.ts";
import { readMessage } from "../format/digest.ts";
import type { Io } from "../io/io.ts";
import { blobName, openBlob } from "../net/input.ts";
import { type Attested, envelopeAsSignature, envelopeSize, statementAbout } from "../sign/attestation.ts";
import type definition from "./attest-blob.ts";
import type { flags } from "./attest-blob.ts";

export const run: Run<typeof definition> = async (real, { args: [file], flags, given }) => {
  const io = flags.dryRun ? unchanging(real) : real;
  const forms = formsOf(flags, given);
  recordedTime(io);
  if (forms.bundle && flags.bundle === "") {
    throw new TsignError("usage", "--bundle is required: the file to write the attestation to", {
      hint: "add --bundle FILE",
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
  const { session, timestamped, identity, plan } = await openSigning(io, flags, {
    bundlePathCounts: true,
    contents: ["envelope"],
    envelopeSize: envelopeSize(statement),
    ...(forms.bundle ? {} : { files: { certificate: outputCertificate, timestamp: rfc3161TimestampBundle } }),
  });
  const certified = plan?.hasCertificate ?? session.identity.certificate !== undefined;
  if (forms.bundle) warnAboutParts(io, flags, { certified, timestamped });
  const evidence = await session.sign({ kind: "statement", statement });
  if (plan) {
    const contents = [`in-toto statement of type ${parseStatement(statement).predicateType}`];
    const subject = blobName(file ?? flags.statement);
    printPlanned(io, plan, {
      subject,
      contents,
      stored: [],
      removed: [],
      files: writtenBy(flags, forms, { certified, timestamped }),
    });
    return endDryRun(io);
  }
  await writeRequested(io, { path: flags.outputAttestation, kind: "attestation", content: statement });
  if (forms.bundle) await writeRequested(io, { path: flags.bundle, kind: "bundle", content: writeBundle(evidence) });
  await writeParts(io, { flags, forms, evidence });
  if (evidence.log.length > 0) printDone(io, `Attested ${blobName(file ?? flags.statement)}${logText(evidence)}`);
  if (!identity || ["", "-"].includes(flags.bundle) || file === undefined || file === "-") return;
  const type = attested.kind === "statement" ? attested.predicateType : flags.type;
  const options = ["--type", type, "--bundle", flags.bundle];
  printVerifyCommand(io.stderr, identity, { words: "verify-blob-attestation", flags, options, args: [file] });
};

type AttestFlags = FlagValues<typeof flags>;

/** Warns of output files that this signing does not produce; the bundle needs none of them. */
function warnAboutParts(io: Io, flags: AttestFlags, has: { certified: boolean; timestamped: boolean }): void {
  if (flags.outputCertificate !== "" && !has.certified) {
    io.stderr.write("WARNING: --output-certificate is ignored: a signature with --key has no certificate\n");
  }
  if (flags.rfc3161TimestampBundle !== "" && !has.timestamped) {
    io.stderr.write("WARNING: --rfc3161-timestamp-bundle is ignored: no timestamp authority is configured\n");
  }
}

async function readStatementBytes(
  io: Io,
  options: { flags: AttestFlags; file: string | undefined; attested: Attested },
): Promise<Uint8Array> {
  const { flags, file = "", attested } = options;
  if (attested.kind === "statement") return attested.bytes;
  const sha256 = flags.hash === "" ? await hashOf(io, file) : parseHash(flags.hash);
  const subject = { name: basename(file), digest: { sha256 } };
  return statementAbout(attested, { type: flags.type, subject, now: recordedTime(io) }).statement;
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

/** The paths that this signing writes; `-` for stdout. */
function writtenBy(flags: AttestFlags, forms: Forms, has: { certified: boolean; timestamped: boolean }): string[] {
  const { bundle, outputAttestation, outputCertificate, outputSignature, rfc3161TimestampBundle } = flags;
  const parts = [has.timestamped ? rfc3161TimestampBundle : "", has.certified ? outputCertificate : ""];
  const paths = [outputAttestation, bundle, ...parts, outputSignature];
  const isPrinted = forms.legacy && outputSignature === "";
  return [...paths.filter((path) => path !== ""), ...(isPrinted ? ["-"] : [])];
}

async function writeParts(
  io: Io,
  { flags, forms, evidence }: { flags: AttestFlags; forms: Forms; evidence: Evidence },
): Promise<void> {
  const { content, key, timestamps } = evidence;
  if (content.kind !== "dsse") throw new TsignError("internal", "a statement was not signed in an envelope");
  const envelope = writeEnvelope(content);
  if (!forms.bundle) {
    const document = legacyBlobBundle(envelopeAsSignature(evidence, envelope));
    await writeRequested(io, { path: flags.bundle, kind: "bundle", content: document });
  }
  const [timestamp] = timestamps;
  if (timestamp) {
    const document = writeLegacyTimestamp(timestamp);
    await writeRequested(io, { path: flags.rfc3161TimestampBundle, kind: "timestamp", content: document });
  }
  if (key.kind === "certificate") {
    await writeRequested(io, { path: flags.outputCertificate, kind: "certificate", content: certificatePem(key.leaf) });
  }
  await writeRequested(io, { path: flags.outputSignature, kind: "signature", content: envelope });
  if (forms.legacy && flags.outputSignature === "") io.stdout.data(`${envelope}\n`);
}
