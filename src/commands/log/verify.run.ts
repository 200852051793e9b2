import type { TransparencyLogEntry } from "@sigstore/bundle";
import { fetchEntry, parseEntryName, recordOfEntry } from "../../cli/inspect/logged-entry.ts";
import { loadTrustOrSaved } from "../../cli/options/trust.ts";
import type { FlagValues, Run } from "../../cli/parser/define.ts";
import { TsignError, withSubject } from "../../errors.ts";
import { readBundle } from "../../evidence/bundle/read.ts";
import type { Io } from "../../io/io.ts";
import { readBlob } from "../../net/input.ts";
import type { Log } from "../../trust/material.ts";
import { type IncludedEntry, verifyLogEntry } from "../../verify/log-entry.ts";
import { CheckFailed } from "../../verify/model.ts";
import type definition from "./verify.ts";

type Flags = FlagValues<typeof definition.flags>;

export const run: Run<typeof definition> = async (io, { args: [text = ""], flags }) => {
  const entries = await readEntries(io, text, flags);
  const { logs } = await loadTrustOrSaved(io, {
    files: { trustedRoot: flags.trustedRoot },
    needs: new Set(["logs"] as const),
    warn: (line) => void io.stderr.write(`WARNING: ${line}\n`),
  });
  const verified = entries.map((entry) => ({ entry, included: verifyEntry(entry, logs, text) }));
  for (const { entry, included } of verified) printIncluded(io, entry, included);
  io.stderr.write("The signature in the entry was not verified.\n");
  return { entries: verified.map(recordOf) };
};

/** The entry that the user names, or all entries of a bundle. */
async function readEntries(io: Io, text: string, flags: Flags): Promise<readonly TransparencyLogEntry[]> {
  const name = parseEntryName(text);
  if (name) return [await fetchEntry(io, name, flags)];
  const bytes = await readBlob(io, text);
  const { log } = await withSubject(text, () => readBundle(bytes, { kind: "file", where: text }));
  if (log.length > 0) return log;
  throw new TsignError("bad-signature", `${text} contains no log entry`, { check: "log" });
}

/** Verifies an entry. @throws TsignError "bad-signature" */
function verifyEntry(entry: TransparencyLogEntry, logs: readonly Log[], name: string): IncludedEntry {
  try {
    return verifyLogEntry(entry, logs);
  } catch (error) {
    if (!(error instanceof CheckFailed)) throw error;
    throw new TsignError("bad-signature", `verify log entry ${entry.logIndex} of ${name}: ${error.message}`, {
      ...error.compared,
      check: "log",
      cause: error,
    });
  }
}

function printIncluded(
  io: Io,
  entry: TransparencyLogEntry,
  { log, treeSize, signedBy, integratedTime }: IncludedEntry,
) {
  const time = integratedTime ? `, at ${timeText(integratedTime)}` : "";
  io.stdout.write(
    `Log entry ${entry.logIndex} is in ${log.baseUrl}${time}: included in a tree of size ${treeSize}, whose checkpoint is signed by ${signedBy}\n`,
  );
}

function recordOf({ entry, included }: { entry: TransparencyLogEntry; included: IncludedEntry }) {
  const { log, treeSize, signedBy, integratedTime } = included;
  return {
    record: recordOfEntry(entry),
    log: log.baseUrl,
    treeSize,
    signedBy,
    ...(integratedTime ? { signedTime: timeText(integratedTime) } : {}),
  };
}

function timeText(time: Date): string {
  return time.toISOString().replace(/\.\d+Z$/, "Z");
}
