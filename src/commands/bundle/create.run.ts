import type { TransparencyLogEntry } from "@sigstore/bundle";
import { keyReference } from "../../cli/options/key.ts";
import { writeOutput } from "../../cli/options/output-places.ts";
import { parseServiceUrl } from "../../cli/options/service-url.ts";
import type { Run } from "../../cli/parser/define.ts";
import { watched } from "../../cli/print/progress.ts";
import { TsignError } from "../../errors.ts";
import { writeBundle } from "../../evidence/bundle/write.ts";
import { readMessage } from "../../format/digest.ts";
import type { Io } from "../../io/io.ts";
import { MAX_ED25519_MESSAGE } from "../../keys/index.ts";
import { openBlob } from "../../net/input.ts";
import { type Assembled, assembleBundle } from "../../sign/assemble-bundle.ts";
import type definition from "./create.ts";

export const run: Run<typeof definition> = async (io, { flags }) => {
  if (flags.artifact === "") throw new TsignError("usage", "must supply --artifact");
  const url = parseServiceUrl(flags.rekorUrl, "rekorUrl");
  const pieces = await watched(io, "reading", { file: flags.artifact, pieces: openBlob(io, flags.artifact) });
  const hashes = ["sha256", "sha384", "sha512"] as const;
  const artifact = await readMessage(pieces, { hashes, keepBytes: MAX_ED25519_MESSAGE });
  const assembled = await assembleBundle(io, { ...flags, key: keyReference(flags) }, artifact);
  if (flags.ignoreTlog && assembled.evidence.log.length > 0) {
    throw new TsignError("usage", `--ignore-tlog would drop the log entry of ${flags.bundle}`, {
      hint: "leave out --ignore-tlog",
    });
  }
  const log = flags.ignoreTlog ? [] : [await findEntry(io, url, assembled)];
  const text = writeBundle({ ...assembled.evidence, log });
  if (flags.out === "") io.stdout.data(`${text}\n`);
  else await writeOutput(io, { path: flags.out, content: text });
  return { bundle: JSON.parse(text), ...(flags.out === "" ? {} : { file: flags.out }) };
};

/** Finds the oldest log entry of the signature, or the one whose index a bundle in the old format contains. */
async function findEntry(io: Io, url: URL, { evidence, ...signer }: Assembled): Promise<TransparencyLogEntry> {
  const { entryAtIndex, oldestEntry, searchEntries } = await import("../../services/rekor-v1.ts");
  const [known] = evidence.log;
  if (!known) {
    const oldest = oldestEntry(await searchEntries(io, url, { content: evidence.content, ...signer }));
    if (oldest) return oldest;
    throw new TsignError("input", `Rekor (${url.host}) has no entry for the signature`, {
      hint: "pass another log with --rekor-url, or --ignore-tlog for a bundle without a log entry",
    });
  }
  const entry = await entryAtIndex(io, url, known.logIndex);
  const same =
    Buffer.compare(entry.logId.keyId, known.logId.keyId) === 0 &&
    Buffer.compare(entry.canonicalizedBody, known.canonicalizedBody) === 0;
  if (!same) {
    throw new TsignError("service", `Rekor (${url.host}) returned a different entry at index ${known.logIndex}`, {
      service: "rekor",
      url,
    });
  }
  return entry;
}
