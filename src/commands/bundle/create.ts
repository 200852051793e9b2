import type { TransparencyLogEntry } from "@sigstore/bundle";
import { keyFlags, keyReference } from "../../cli/flags/key.ts";
import { writeOutput } from "../../cli/options/output-places.ts";
import { parseServiceUrl } from "../../cli/options/service-url.ts";
import { defineCommand, flag } from "../../cli/parser/define.ts";
import { watched } from "../../cli/print/progress.ts";
import { TsignError } from "../../errors.ts";
import { writeBundle } from "../../evidence/bundle/write.ts";
import { readMessage } from "../../format/digest.ts";
import type { Io } from "../../io/io.ts";
import { MAX_ED25519_MESSAGE } from "../../keys/index.ts";
import { openBlob } from "../../net/input.ts";
import { type Assembled, assembleBundle } from "../../sign/assemble-bundle.ts";

export default defineCommand({
  usage: "[flags]",
  summary: "Make a Sigstore bundle of a signature and what belongs to it",
  about:
    "Puts a signature, or an attestation, together with its key or certificate, log entry and timestamp. The parts come from " +
    "files of their own, or from a bundle of the old format. The log entry with its proof is looked up in the transparency " +
    "log, unless --ignore-tlog is given. A signature that is not of the artifact is refused.",
  examples: [
    "tsign bundle create --artifact app.tar.gz --signature app.sig --key cosign.pub --ignore-tlog --out app.sigstore.json",
    "tsign bundle create --artifact app.tar.gz --bundle old.json --out app.sigstore.json",
  ],
  args: { min: 0, max: Number.POSITIVE_INFINITY },
  flags: {
    artifact: flag.string("file that was signed"),
    attestation: flag.string("file of the attestation: a DSSE envelope"),
    bundle: flag.string("bundle of the old format to take the parts from"),
    certificate: flag.string("certificate file: PEM, DER, or base64 of either"),
    ignoreTlog: flag.bool("make a bundle without a log entry", {
      weakens: { when: true, effect: "the bundle has no log entry" },
    }),
    ...keyFlags,
    slot: { ...keyFlags.slot, default: "signature" },
    out: flag.string("file to write to instead of stdout", { output: true }),
    rekorUrl: flag.string("transparency log to find the entry in", {
      default: "https://rekor.sigstore.dev",
      deprecated: "the log of an entry is named in the trusted root",
    }),
    rfc3161Timestamp: flag.string("file of the signed timestamp"),
    signature: flag.string("file of the signature, in base64 or raw"),
  },
  exclusive: [
    ["bundle", "certificate"],
    ["bundle", "signature"],
  ],
  bindEnvironment: false,
  async run(io, { flags }) {
    if (flags.artifact === "") throw new TsignError("usage", "must supply --artifact");
    const url = parseServiceUrl(flags.rekorUrl, "rekorUrl");
    const pieces = await watched(io, "reading", { file: flags.artifact, pieces: openBlob(io, flags.artifact) });
    const hashes = ["sha256", "sha384", "sha512"] as const;
    const artifact = await readMessage(pieces, { hashes, keepBytes: MAX_ED25519_MESSAGE });
    const assembled = await assembleBundle(io, { ...flags, key: keyReference(flags) }, artifact);
    if (flags.ignoreTlog && assembled.evidence.log.length > 0) {
      throw new TsignError("usage", `${flags.bundle} holds a log entry, which --ignore-tlog would lose`);
    }
    const log = flags.ignoreTlog ? [] : [await findEntry(io, url, assembled)];
    const text = writeBundle({ ...assembled.evidence, log });
    if (flags.out === "") io.stdout.data(`${text}\n`);
    else await writeOutput(io, { path: flags.out, content: text });
  },
});

/** The oldest entry of the signature; a bundle of the old format says which one it is. */
async function findEntry(io: Io, url: URL, { evidence, ...by }: Assembled): Promise<TransparencyLogEntry> {
  const { entryAtIndex, oldestEntry, searchEntries } = await import("../../services/rekor-v1.ts");
  const [known] = evidence.log;
  if (!known) {
    const oldest = oldestEntry(await searchEntries(io, url, { content: evidence.content, ...by }));
    if (oldest) return oldest;
    throw new TsignError("input", `${url.host} has no entry for the signature`, {
      hint: "--rekor-url names another log, --ignore-tlog makes a bundle without an entry",
    });
  }
  const entry = await entryAtIndex(io, url, known.logIndex);
  const same =
    Buffer.compare(entry.logId.keyId, known.logId.keyId) === 0 &&
    Buffer.compare(entry.canonicalizedBody, known.canonicalizedBody) === 0;
  if (!same) {
    throw new TsignError("service", `${url.host} has another entry at index ${known.logIndex}`, {
      service: "rekor",
      url,
    });
  }
  return entry;
}
