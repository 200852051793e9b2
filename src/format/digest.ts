import { createHash, type Hash } from "node:crypto";
import { TsignError } from "../errors.ts";
import { giveBack } from "./pieces.ts";

/** Hash functions of signatures and digests, by their names in node:crypto and OCI. */
export type HashName = "sha256" | "sha384" | "sha512";

/** A content digest as OCI writes it: `sha256:<64 lower-case hex>` or `sha512:<128>` (OCI image spec, descriptor.md). */
export type Digest = `sha256:${string}` | `sha512:${string}`;

/** Hex digits of a digest. */
export const HEX_LENGTH = { sha256: 64, sha384: 96, sha512: 128 } as const;

/** Every hash function, by its name. */
export const HASHES = Object.keys(HEX_LENGTH) as readonly HashName[];

/** Whether the text is a well-formed digest of a supported algorithm. */
export function isDigest(text: string): text is Digest {
  const [algorithm, hex, ...rest] = text.split(":");
  if (rest.length > 0 || hex === undefined || (algorithm !== "sha256" && algorithm !== "sha512")) return false;
  return hex.length === HEX_LENGTH[algorithm] && /^[0-9a-f]+$/.test(hex);
}

/** Splits a digest into its algorithm and its raw bytes. */
export function parseDigest(digest: Digest): { algorithm: "sha256" | "sha512"; hex: string; bytes: Uint8Array } {
  const [algorithm, hex] = digest.split(":") as ["sha256" | "sha512", string];
  return { algorithm, hex, bytes: Buffer.from(hex, "hex") };
}

/** Decodes a hex digest of either case; undefined for any other text. */
export function digestFromHex(name: HashName, hex: string): Uint8Array | undefined {
  return hex.length === HEX_LENGTH[name] && /^[0-9a-fA-F]+$/.test(hex) ? Buffer.from(hex, "hex") : undefined;
}

/** Raw digest of the bytes. */
export function hash(name: HashName, bytes: Uint8Array): Uint8Array {
  return createHash(name).update(bytes).digest();
}

/** OCI digest of the bytes. */
export function digestOf(bytes: Uint8Array, algorithm: "sha256" | "sha512" = "sha256"): Digest {
  return `${algorithm}:${createHash(algorithm).update(bytes).digest("hex")}`;
}

/**
 * A message for signature checks: its digests, and its bytes if it is small. `readMessage` reads large files in constant memory.
 */
export interface Message {
  /** Bytes. */
  readonly size: number;
  /** The hashes that `digest` supports. */
  readonly hashes: readonly HashName[];
  /** The raw digest. Throws TsignError "internal" for a hash that was not computed while reading. */
  digest(name: HashName): Uint8Array;
  /** The whole message, if it was kept. */
  readonly bytes: Uint8Array | undefined;
}

/** A message in memory. */
export function messageOf(bytes: Uint8Array): Message {
  const digests = new Map<HashName, Uint8Array>();
  return {
    size: bytes.length,
    hashes: ["sha256", "sha384", "sha512"],
    bytes,
    digest(name) {
      const known = digests.get(name) ?? hash(name, bytes);
      digests.set(name, known);
      return known;
    },
  };
}

/** Reads and hashes a stream; keeps its bytes only if there are at most `keepBytes`. */
export async function readMessage(
  chunks: AsyncIterable<Uint8Array>,
  options: { hashes: readonly HashName[]; keepBytes: number; onProgress?: (bytes: number) => void },
): Promise<Message> {
  const hashes = new Map<HashName, Hash>(options.hashes.map((name) => [name, createHash(name)]));
  let kept: Uint8Array[] | undefined = [];
  let size = 0;
  for await (const chunk of chunks) {
    size += chunk.length;
    for (const h of hashes.values()) h.update(chunk);
    if (kept && size <= options.keepBytes) kept.push(chunk);
    else {
      for (const each of kept ?? []) giveBack(each);
      kept = undefined;
      giveBack(chunk);
    }
    options.onProgress?.(size);
  }
  if (kept) return messageOf(Buffer.concat(kept));
  return messageOfDigests(new Map([...hashes].map(([name, h]) => [name, h.digest()])), size);
}

/** A message of which only the digests are known. `size` is 0 if unknown. */
export function messageOfDigests(digests: ReadonlyMap<HashName, Uint8Array>, size = 0): Message {
  return {
    size,
    hashes: [...digests.keys()],
    bytes: undefined,
    digest(name) {
      const known = digests.get(name);
      if (!known) throw new TsignError("internal", `message was not hashed with ${name}`);
      return known;
    },
  };
}
