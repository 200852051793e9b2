import type { TransparencyLogEntry } from "@sigstore/bundle";
import type { Log } from "../trust/material.ts";
import { checkpointName, logOfCheckpoint, verifyCheckpoint } from "./checkpoint.ts";
import { verifyInclusion } from "./inclusion.ts";
import { integratedTime, logOfId, requireTrustedLog } from "./log.ts";
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
  const proof = entry.inclusionProof;
  if (!proof) {
    throw new CheckFailed("log", "log entry has no inclusion proof", {
      hint: "fetch one from the log with `tsign log verify INDEX`",
    });
  }
  const id = entry.logId?.keyId ?? new Uint8Array();
  const log = id.length > 0 ? logOfId(id, logs) : logOfCheckpoint(entry, logs);
  if (!log) throw new CheckFailed("log", "no entry is from a trusted transparency log");
  const known = { entry: { ...entry, logId: { keyId: Buffer.from(log.id) } }, log };
  requireTrustedLog(known);
  verifyCheckpoint(known.entry, log);
  verifyInclusion(known);
  return { log, treeSize: proof.treeSize, signedBy: checkpointName(entry, log), integratedTime: integratedTime(entry) };
}

/**
 * Checks that a trusted log has promised to include an entry, with a SET, or proves that it does.
 *
 * @throws CheckFailed "log"
 */
export function verifyPromisedEntry(entry: TransparencyLogEntry, logs: readonly Log[]): void {
  const log = logOfId(entry.logId?.keyId ?? new Uint8Array(), logs);
  if (!log) throw new CheckFailed("log", "no entry is from a trusted transparency log");
  requireTrustedLog({ entry, log });
  verifyInclusion({ entry, log });
}
