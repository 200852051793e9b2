import { endDryRun, printPlanned, unchanging } from "../cli/options/dry-run.ts";
import { formsOf } from "../cli/options/forms.ts";
import { writeRequested } from "../cli/options/output-places.ts";
import { openSigning } from "../cli/options/signing.ts";
import type { FlagValues, Run } from "../cli/parser/define.ts";
import { printVerifyCommand } from "../cli/print/certified-identity.ts";
import { watched } from "../cli/print/progress.ts";
import { logText, printDone } from "../cli/print/stored.ts";
import { TsignError } from "../errors.ts";
import { writeBundle } from "../evidence/bundle/write.ts";
import { writeLegacyTimestamp } from "../evidence/legacy/proofs.ts";
import { certificatePem, legacyBlobBundle } from "../evidence/legacy/write.ts";
import type { Evidence } from "../evidence/model.ts";
import { encodeBase64 } from "../format/base64.ts";
import { shellQuoted } from "../format/shell-quoted.ts";
import type { Io } from "../io/io.ts";
import { SIGNING_ALGORITHMS } from "../keys/signing-algorithms.ts";
import { blobName, openBlob } from "../net/input.ts";
import type definition from "./sign-blob.ts";
import type { flags } from "./sign-blob.ts";

export const run: Run<typeof definition> = async (real, { args, flags, given }) => {
  const io = flags.dryRun ? unchanging(real) : real;
  const forms = formsOf(flags, given);
  if (forms.bundle && flags.bundle === "") {
    throw new TsignError("usage", "--bundle is required: the file to write the signature to", {
      hint: bundleExample(args[0] ?? ""),
    });
  }
  if (!SIGNING_ALGORITHMS.includes(flags.signingAlgorithm)) {
    throw new TsignError("usage", `unknown signing algorithm: ${flags.signingAlgorithm}`, {
      hint: `use ${SIGNING_ALGORITHMS.join(", ")}`,
    });
  }
  if (given.has("signingAlgorithm") && flags.key !== "") {
    io.stderr.write("WARNING: --signing-algorithm is ignored with --key\n");
  }
  const { bundle, outputCertificate, rfc3161Timestamp } = flags;
  const outputs = [bundle, outputCertificate, rfc3161Timestamp, ...signaturePaths(flags)];
  if (args.length > 1 && outputs.some((path) => path !== "")) {
    throw new TsignError("usage", `expected one file with an output file, found ${args.length}`, {
      hint: "sign the files one by one",
    });
  }
  const { signingAlgorithm } = flags;
  const { session, identity, plan } = await openSigning(io, flags, {
    ...{ bundlePathCounts: true, contents: ["message"], signingAlgorithm },
    files: { certificate: outputCertificate, timestamp: rfc3161Timestamp },
    askAboutHash: true,
  });
  for (const file of args) {
    if (file !== "-") io.stderr.write(`Using payload from: ${file}\n`);
    const pieces = await watched(io, "signing", { file, pieces: openBlob(io, file) });
    const evidence = await session.sign({ kind: "blob", blob: pieces });
    if (plan) {
      const written = outputs.filter((path) => path !== "");
      const isPrinted = forms.legacy && signaturePaths(flags).length === 0;
      const files = isPrinted ? [...written, "-"] : written;
      printPlanned(io, plan, { subject: blobName(file), contents: ["the file"], stored: [], removed: [], files });
      continue;
    }
    const bundle = forms.bundle ? writeBundle(evidence) : legacyBlobBundle(evidence);
    await writeRequested(io, { path: flags.bundle, kind: "bundle", content: bundle });
    await writeParts(io, flags, evidence);
    if (evidence.log.length > 0) printDone(io, `Signed ${blobName(file)}${logText(evidence)}`);
    if (forms.legacy && signaturePaths(flags).length === 0) printSignature(io, flags, evidence);
  }
  if (plan) endDryRun(io);
  if (identity && isFile(flags.bundle) && args.every(isFile)) {
    const options = ["--bundle", flags.bundle];
    printVerifyCommand(io.stderr, identity, { words: "verify-blob", flags, options, args });
  }
};

/** Suggests a bundle beside the file to sign. */
function bundleExample(file: string): string {
  return isFile(file) ? `add --bundle ${shellQuoted(`${file}.sigstore.json`)}` : "add --bundle FILE";
}

function isFile(path: string): boolean {
  return path !== "" && path !== "-";
}

type BlobFlags = FlagValues<typeof flags>;

function printSignature(io: Io, flags: BlobFlags, { content: { signature } }: Evidence): void {
  io.stdout.data(flags.b64 ? `${encodeBase64(signature)}\n` : signature);
}

/** --output-signature, --rfc3161-timestamp and --output-certificate. */
async function writeParts(io: Io, flags: BlobFlags, { content, key, timestamps }: Evidence): Promise<void> {
  const encoded = flags.b64 ? encodeBase64(content.signature) : content.signature;
  for (const path of signaturePaths(flags)) await writeRequested(io, { path, kind: "signature", content: encoded });
  const [timestamp] = timestamps;
  if (timestamp) {
    const document = writeLegacyTimestamp(timestamp);
    await writeRequested(io, { path: flags.rfc3161Timestamp, kind: "timestamp", content: document });
  }
  if (key.kind !== "certificate") return;
  const pem = certificatePem(key.leaf);
  const certificate = flags.b64 ? encodeBase64(Buffer.from(pem)) : pem;
  await writeRequested(io, { path: flags.outputCertificate, kind: "certificate", content: certificate });
}

function signaturePaths({ output, outputSignature }: BlobFlags): string[] {
  return [...new Set([output, outputSignature])].filter((path) => path !== "");
}
