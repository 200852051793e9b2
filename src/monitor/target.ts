import { sameBytes } from "../format/bytes.ts";
import { hash } from "../format/digest.ts";
import { tilesUrl } from "../services/tiles.ts";
import type { Log } from "../trust/material.ts";
import { type LogHead, verifyLogHead } from "../verify/checkpoint.ts";
import { CheckFailed } from "../verify/model.ts";
import { verifyTreeHead } from "../verify/tree-head.ts";

/** Version of Rekor's API; "ct" for a certificate transparency log (RFC 6962). */
export type Api = 1 | 2 | "ct";

/** A log's API in messages. */
export const apiName = (api: Api): string => (api === "ct" ? "CT" : `v${api}`);

/** A log to watch: an address, and every key that its trees may have. */
export interface Target {
  readonly url: string;
  /** The version of Rekor's API, or "ct" for a certificate transparency log. */
  readonly api: Api;
  readonly logs: readonly Log[];
  /** Where the log is read, if that is not below its address: its tiles for Rekor v2. */
  readonly readAt?: URL;
}

/** Where a log is read: the API of Rekor v1 or CT, the tiles of Rekor v2. */
export function addressOf({ url, api, readAt }: Target): URL {
  return readAt ?? (api === 2 ? tilesUrl(new URL(url)) : new URL(url));
}

/**
 * The transparency logs of a trusted root. The ID of a Rekor v1 log is the hash of its key; that of v2 covers its name too
 * (C2SP signed-note).
 */
export function targetsOf(logs: readonly Log[]): Target[] {
  const targets = new Map<string, Target>();
  for (const log of logs) {
    const spki = log.key.export({ type: "spki", format: "der" });
    const api = sameBytes(log.id, hash("sha256", spki)) ? 1 : 2;
    const known = targets.get(`${api} ${log.baseUrl}`);
    targets.set(`${api} ${log.baseUrl}`, { url: log.baseUrl, api, logs: [...(known?.logs ?? []), log] });
  }
  return [...targets.values()];
}

/** The certificate transparency logs of a trusted root. */
export function ctTargetsOf(logs: readonly Log[]): Target[] {
  const byUrl = Map.groupBy(logs, ({ baseUrl }) => baseUrl);
  return [...byUrl].map(([url, each]) => ({ url, api: "ct", logs: each }));
}

/** Checks that one of the log's keys signed a head. @throws CheckFailed "log" */
export function verifyHead(checkpoint: string, { logs, api }: Target): LogHead {
  let failure: unknown;
  for (const log of logs) {
    try {
      return api === "ct" ? verifyTreeHead(checkpoint, log) : verifyLogHead(checkpoint, { log, api });
    } catch (error) {
      if (!(error instanceof CheckFailed)) throw error;
      failure ??= error;
    }
  }
  throw failure ?? new CheckFailed("log", "no key of the log is trusted");
}
