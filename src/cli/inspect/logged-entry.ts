import { createPublicKey } from "node:crypto";
import type { TransparencyLogEntry } from "@sigstore/bundle";
import { TransparencyLogEntry as LogEntry } from "@sigstore/protobuf-specs";
import { TsignError } from "../../errors.ts";
import { entryDigest } from "../../evidence/entry-body.ts";
import { claimedSigner } from "../../evidence/find/claimed-signer.ts";
import { readCertificates } from "../../evidence/legacy/read.ts";
import { hash } from "../../format/digest.ts";
import type { Io } from "../../io/io.ts";
import { publicKeyFromPem } from "../../keys/index.ts";
import { leafHex } from "../../services/rekor-search.ts";
import { statedKeys } from "../../verify/log.ts";
import { parseServiceUrl } from "../options/service-url.ts";
import { printFact } from "./key.ts";

/** A log entry as data. */
export interface EntryRecord {
  readonly logIndex: string;
  readonly kind: string;
  readonly version: string;
  readonly leafHash: string;
  readonly signers: readonly string[];
  readonly uuid?: string;
  readonly logId?: string;
  readonly integratedTime?: string;
  readonly digest?: string;
}

/** How the user names an entry of a log. */
export type EntryName = { readonly index: number } | { readonly uuid: string };

/** Parses the index or the UUID of an entry; undefined for another text. */
export function parseEntryName(text: string): EntryName | undefined {
  if (/^\d{1,15}$/.test(text)) return { index: Number(text) };
  return /^([0-9a-f]{16})?[0-9a-f]{64}$/i.test(text) ? { uuid: text.toLowerCase() } : undefined;
}

/**
 * Fetches an entry from a log, and checks that it is the one that was asked for.
 *
 * @throws TsignError "usage" for flags that do not match; "service" for another entry, and what the services throw
 */
export async function fetchEntry(
  io: Io,
  name: EntryName,
  flags: { rekorUrl: string; apiVersion: "1" | "2" },
): Promise<TransparencyLogEntry> {
  const url = parseServiceUrl(flags.rekorUrl, "rekorUrl");
  if (flags.apiVersion === "2") {
    if ("uuid" in name) throw new TsignError("usage", "Rekor v2 has no UUIDs", { hint: "pass the index of the entry" });
    const { entryAtIndexV2 } = await import("../../services/rekor-v2-read.ts");
    const { tilesUrl } = await import("../../services/tiles.ts");
    return entryAtIndexV2(io, tilesUrl(url), name.index);
  }
  const { entryAtIndex, entryByUuid } = await import("../../services/rekor-v1.ts");
  const entry = await missingAsInput(name, url, () =>
    "uuid" in name ? entryByUuid(io, url, name.uuid) : entryAtIndex(io, url, String(name.index)),
  );
  const isAsked = "uuid" in name ? name.uuid.endsWith(leafHex(entry)) : entry.logIndex === String(name.index);
  if (isAsked) return entry;
  throw new TsignError("service", `Rekor (${url.host}) returned another log entry than was asked for`, {
    service: "rekor",
    url,
  });
}

/** An entry that the log does not have is the user's mistake, or in a log with another API. */
async function missingAsInput<T>(name: EntryName, url: URL, fetched: () => Promise<T>): Promise<T> {
  try {
    return await fetched();
  } catch (error) {
    if (!(error instanceof TsignError) || error.status !== 404) throw error;
    const shown = "uuid" in name ? name.uuid : name.index;
    throw new TsignError("input", `no such log entry: ${shown}; the log at ${url.host} does not have it`, {
      cause: error,
      hint: "check --rekor-url, and pass --api-version=2 for a Rekor v2 log",
      service: "rekor",
      status: 404,
    });
  }
}

/** The entry as bundles contain it (protobuf-specs, sigstore_rekor.proto). */
export function entryDocument(entry: TransparencyLogEntry): unknown {
  return LogEntry.toJSON(entry);
}

/** Describes an entry; nothing is verified. @param uuid of a Rekor v1 log */
export function recordOfEntry(entry: TransparencyLogEntry, uuid?: string): EntryRecord {
  const { logIndex, logId, kindVersion, integratedTime } = entry;
  const seconds = Number(integratedTime);
  const digest = entryDigest(entry.canonicalizedBody);
  const id = Buffer.from(logId?.keyId ?? []).toString("hex");
  return {
    logIndex,
    kind: kindVersion.kind,
    version: kindVersion.version,
    leafHash: leafHex(entry),
    signers: signersOf(entry),
    ...(uuid === undefined ? {} : { uuid }),
    ...(id === "" ? {} : { logId: id }),
    ...(seconds > 0 && seconds < 1e11 ? { integratedTime: timeText(seconds) } : {}),
    ...(digest === undefined ? {} : { digest }),
  };
}

/** `2026-11-30T08:01:02Z`. */
function timeText(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace(/\.\d+Z$/, "Z");
}

/** The signers named in an entry: names of certificates, or IDs of keys. */
function signersOf(entry: TransparencyLogEntry): string[] {
  try {
    return statedKeys(entry).map(signerName);
  } catch {
    return []; // an unknown kind of entry
  }
}

function signerName(stated: Uint8Array): string {
  const isDer = stated[0] === 0x30;
  const text = Buffer.from(stated).toString("latin1");
  try {
    const [leaf] = isDer ? [] : readCertificates(text, "log entry");
    const certificate = leaf ?? (isDer && !isPublicKey(stated) ? stated : undefined);
    if (certificate) {
      const name = claimedSigner({ key: { kind: "certificate", leaf: certificate, chain: [], binding: false } });
      if (name !== "a malformed certificate") return name;
    }
    const spki = isDer ? stated : publicKeyFromPem(text).spki;
    return `key ${Buffer.from(hash("sha256", spki)).toString("hex")}`;
  } catch {
    return "a malformed key";
  }
}

/** Whether DER is a SubjectPublicKeyInfo, as Rekor v2 stores keys; the parser of certificates takes it for one. */
function isPublicKey(der: Uint8Array): boolean {
  try {
    createPublicKey({ key: Buffer.from(der), format: "der", type: "spki" });
    return true;
  } catch {
    return false;
  }
}

/** Prints one fact of an entry a line. */
export function printEntry(io: Pick<Io, "stdout">, record: EntryRecord): void {
  const { logIndex, kind, version, uuid, logId, integratedTime, digest, signers } = record;
  printFact(io, "index", logIndex);
  if (uuid !== undefined) printFact(io, "uuid", uuid);
  printFact(io, "kind", `${kind} ${version}`);
  if (integratedTime !== undefined) printFact(io, "integrated", integratedTime);
  if (digest !== undefined) printFact(io, "digest", digest);
  printFact(io, "signer", signers);
  printFact(io, "leaf hash", record.leafHash);
  if (logId !== undefined) printFact(io, "log id", logId);
}
