import { TsignError } from "../../errors.ts";
import { sameBytes } from "../../format/bytes.ts";
import { leafHash } from "../../format/merkle.ts";
import type { Io } from "../../io/io.ts";
import { serviceClient } from "../../services/exchange.ts";
import { entryAtIndex } from "../../services/rekor-v1.ts";
import { entryAtIndexV2 } from "../../services/rekor-v2-read.ts";
import { checkpointV2, entryBundle, TILE, tilesOf } from "../../services/tiles.ts";
import { verifyLogEntry, verifyPromisedEntry } from "../../verify/log-entry.ts";
import { CheckFailed } from "../../verify/model.ts";
import { hexOf, Misbehaved } from "../alarm.ts";
import { certificateHash } from "../ct/search-ct.ts";
import { addressOf, type Target } from "../target.ts";
import { type Places, type StoredEntry, storedEntries, type Unread } from "./stored.ts";

/** How often a missing entry is asked for again, and milliseconds before. */
const AGAIN = 2;
const PAUSE = 1000;

/** What the signatures that are stored with our images have shown. */
export interface Audit {
  /** Where each log entry is stored, by the hash of its leaf, hex. */
  readonly known: ReadonlyMap<string, string>;
  /** Where each certificate is used, by the hash of what its log has recorded, hex. */
  readonly certificates: ReadonlyMap<string, string>;
  /** Hashes of leaves that are in the log as their bundles say. */
  readonly found: readonly string[];
  /** Entries that a log proved or promised to have, and does not return. */
  readonly missing: readonly { readonly target: Target; readonly misbehaved: Misbehaved }[];
  /** Entries without a valid proof or promise of a trusted log. Anyone with access to the registry can store such. */
  readonly unproven: number;
  readonly unread: readonly Unread[];
}

/**
 * Reads every signature in these places, and asks the logs for each entry that was not asked for before.
 *
 * @param options.readable the logs to ask; entries of others are not asked for this time
 * @param options.audited hashes of leaves that were asked for before
 * @throws TsignError "cancelled"; failures of registries and logs are returned
 */
export async function audit(
  io: Io,
  options: {
    places: Places;
    targets: readonly Target[];
    readable: readonly Target[];
    audited: ReadonlySet<string>;
  },
): Promise<Audit> {
  const { places, targets, readable, audited } = options;
  const known = new Map<string, string>();
  const certificates = new Map<string, string>();
  const found = new Set<string>();
  const missing: { target: Target; misbehaved: Misbehaved }[] = [];
  const unread: Unread[] = [];
  let unproven = 0;
  for await (const stored of storedEntries(io, places)) {
    if ("reason" in stored) {
      unread.push(stored);
      continue;
    }
    const leaf = hexOf(leafHash(stored.entry.canonicalizedBody));
    const target = provenBy(stored, targets);
    if (!target) {
      unproven++;
      continue;
    }
    known.set(leaf, stored.where);
    const certificate = stored.certificate && certificateHash(stored.certificate);
    if (certificate !== undefined) certificates.set(certificate, stored.where);
    if (audited.has(leaf) || found.has(leaf) || !readable.includes(target)) continue;
    try {
      await requireLoggedAgain(io, stored, target);
      found.add(leaf);
    } catch (error) {
      if (error instanceof Misbehaved) missing.push({ target, misbehaved: error });
      else if (error instanceof TsignError && !io.signal.aborted)
        unread.push({ where: target.url, reason: error.message });
      else throw error;
    }
  }
  return { known, certificates, found: [...found], missing, unproven, unread };
}

/** The log that proved or promised to have an entry; undefined if it is not a trusted one, or did not. */
function provenBy({ entry }: StoredEntry, targets: readonly Target[]): Target | undefined {
  return targets.find(({ api, logs }) => {
    if (api === "ct") return false;
    try {
      if (entry.inclusionProof) verifyLogEntry(entry, logs);
      else verifyPromisedEntry(entry, logs);
      return true;
    } catch (error) {
      if (error instanceof CheckFailed) return false;
      throw error;
    }
  });
}

/** Whether the bundle of a Rekor v2 log ends before an entry of its tree. */
async function isLeftOut(io: Io, target: Target, index: number): Promise<boolean> {
  if (target.api === 1) return false;
  const client = serviceClient(io, { service: "rekor", url: addressOf(target) });
  const [, size] = (await checkpointV2(client)).split("\n");
  if (!(index < Number(size))) return false;
  return (await entryBundle(tilesOf(client, Number(size)), Math.floor(index / TILE)))[index % TILE] === undefined;
}

/** Asks several times, because a replica of a log may be behind. */
async function requireLoggedAgain(io: Io, stored: StoredEntry, target: Target): Promise<void> {
  for (let round = 1; ; round++) {
    try {
      await requireLogged(io, stored, target);
      return;
    } catch (error) {
      if (!(error instanceof Misbehaved) || round > AGAIN) throw error;
    }
    await io.sleep(PAUSE, io.signal);
  }
}

/** Requires that the log returns the entry, with a valid proof. @throws Misbehaved "missing"; TsignError for one that cannot be read */
async function requireLogged(io: Io, { where, entry }: StoredEntry, target: Target): Promise<void> {
  const { logIndex, canonicalizedBody, inclusionProof } = entry;
  const url = addressOf(target);
  const missing = (reason: string, seen: string) =>
    new Misbehaved("missing", `${reason}; it is stored with ${where}`, {
      known: inclusionProof?.checkpoint?.envelope ?? "",
      seen,
      stored: { where, logIndex, body: Buffer.from(canonicalizedBody).toString("base64") },
    });
  let logged: typeof entry;
  try {
    logged = target.api === 1 ? await entryAtIndex(io, url, logIndex) : await entryAtIndexV2(io, url, Number(logIndex));
  } catch (error) {
    if (!(error instanceof TsignError)) throw error;
    const isAbsent = error.status === 404 || error.code === "input" || (await isLeftOut(io, target, Number(logIndex)));
    if (!isAbsent) throw error;
    throw missing(`it does not return entry ${logIndex}`, "");
  }
  const seen = logged.inclusionProof?.checkpoint?.envelope ?? "";
  if (!sameBytes(logged.canonicalizedBody, canonicalizedBody)) {
    throw missing(`it returns another entry ${logIndex}`, seen);
  }
  try {
    verifyLogEntry(logged, target.logs);
  } catch (error) {
    if (!(error instanceof CheckFailed)) throw error;
    throw missing(`it returns entry ${logIndex} without a valid proof: ${error.message}`, seen);
  }
}
