import { createHash } from "node:crypto";

/** Most results that one function keeps. */
const MAX_KEPT = 64;
/** Largest bytes whose result is kept. */
const MAX_BYTES = 128 * 1024;

/**
 * Remembers the results of a function of bytes by their SHA-256, because the signatures of a batch repeat certificates and keys.
 * The oldest results are dropped, so that memory stays bounded.
 *
 * @param make must depend on nothing but the bytes; it gets a copy of small ones, so that a result neither changes with the caller's bytes nor
 *   keeps a larger buffer in memory. What it throws is not remembered.
 */
export function byContent<T>(make: (bytes: Uint8Array) => T): (bytes: Uint8Array) => T {
  const known = new Map<string, { readonly result: T }>();
  return (bytes) => {
    if (bytes.length > MAX_BYTES) return make(bytes);
    const key = createHash("sha256").update(bytes).digest("latin1");
    const found = known.get(key);
    if (found) return found.result;
    const result = make(Uint8Array.from(bytes));
    for (const oldest of known.keys()) {
      if (known.size < MAX_KEPT) break;
      known.delete(oldest);
    }
    known.set(key, { result });
    return result;
  };
}
