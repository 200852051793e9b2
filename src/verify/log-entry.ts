import type { TransparencyLogEntry } from "@sigstore/bundle";
import { sameBytes } from "../format/bytes.ts";
import { isWithin, type Log } from "../trust/material.ts";
import { checkpointName, verifyCheckpoint } from "./checkpoint.ts";
import { verifyInclusion } from "./inclusion.ts";
import { integratedTime } from "./log.ts";
import { CheckFailed } from "./model.ts";

/** An entry that is in a trusted log. Says nothing about the signature in it. */
export interface IncludedEntry {
  readonly log: Log;
  /** Entries in the tree of the inclusion proof, decimal. */
  readonly treeSize: string;
  /** Who signed the checkpoint: the name in it. */
  readonly signedBy: string;
  /** The time that the log signed with a SET; undefined without one (Rekor v2). */
  readonly integratedTime: Date | undefined;
}

/**
 * Checks that a log entry is in a trusted log: its inclusion proof (RFC 6962 §2.1.1), the checkpoint of that proof, signed with the
 * log's key, and the SET if it has one. A SET alone, which only promises inclusion, is not enough.
 *
 * @param entry one without a log ID, from a Rekor v2 log, is checked with the trusted log that its checkpoint names
 * @throws CheckFailed "log"
 */
export function verifyLogEntry(entry: TransparencyLogEntry, logs: readonly Log[]): IncludedEntry {
  const log = logOf(entry, logs);
  if (!log) throw new CheckFailed("log", "no entry is from a trusted transparency log");
  const proof = entry.inclusionProof;
  if (!proof) {
    throw new CheckFailed("log", "log entry has no inclusion proof", {
      hint: "fetch one from the log with `tsign log verify INDEX`",
    });
  }
  const identified = { ...entry, logId: { keyId: Buffer.from(log.id) } };
  verifyCheckpoint(identified, log);
  verifyInclusion({ entry: identified, log });
  const time = integratedTime(entry);
  if (time && !isWithin(log.validFor, time)) {
    throw new CheckFailed("log", `log ${log.baseUrl} is not trusted at ${time.toISOString()}`);
  }
  return { log, treeSize: proof.treeSize, signedBy: checkpointName(entry, log), integratedTime: time };
}

function logOf(entry: TransparencyLogEntry, logs: readonly Log[]): Log | undefined {
  const id = entry.logId?.keyId ?? new Uint8Array();
  if (id.length > 0) return logs.find((each) => sameBytes(each.id, id));
  const [origin = ""] = (entry.inclusionProof?.checkpoint?.envelope ?? "").split("\n", 1);
  return logs.find((each) => URL.parse(each.baseUrl)?.hostname === origin && isSigner(entry, each));
}

/** Whether a signature line of the entry's checkpoint begins with the first four bytes of the log's ID. */
function isSigner(entry: TransparencyLogEntry, log: Log): boolean {
  const envelope = entry.inclusionProof?.checkpoint?.envelope ?? "";
  const lines = envelope.slice(envelope.indexOf("\n\n") + 2).split("\n");
  return lines.some((line) => {
    const encoded = line.split(" ").at(-1) ?? "";
    return sameBytes(Buffer.from(encoded, "base64").subarray(0, 4), log.id.subarray(0, 4));
  });
}
