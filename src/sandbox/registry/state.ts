import { createHash } from "node:crypto";
import type { ServerRequest } from "../../io/io.ts";

/** Options of the sandbox's OCI registry, which is in memory, limited in size, and open to every program on this machine. */
export interface RegistryOptions {
  /** Enables the referrers API of OCI 1.1. */
  readonly referrers: boolean;
  /** Most bytes stored. */
  readonly maxBytes?: number;
}

interface StoredManifest {
  readonly bytes: Buffer;
  readonly mediaType: string;
}

export interface Repository {
  readonly manifests: Map<string, StoredManifest>;
  readonly tags: Map<string, string>;
}

export interface State {
  readonly blobs: Map<string, Buffer>;
  readonly uploads: Map<string, Buffer>;
  readonly repositories: Map<string, Repository>;
  readonly options: RegistryOptions;
  bytes: number;
}

/** Default size limit of the registry, in bytes. */
export const DEFAULT_MAX_BYTES = 1024 * 1024 * 1024;

/** An error answer. */
export class Refusal extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** Reads a request's body. @throws Refusal 413 above a limit */
export async function readBody(state: State, request: ServerRequest, limit: number): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of request.body) {
    size += piece.length;
    if (size > limit || state.bytes + size > (state.options.maxBytes ?? DEFAULT_MAX_BYTES)) {
      throw new Refusal(413, "SIZE_INVALID", "the content exceeds the sandbox's size limit");
    }
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

/** Returns the digest of the bytes in OCI form. */
export function digestOf(bytes: Uint8Array, algorithm = "sha256"): string {
  return `${algorithm}:${createHash(algorithm).update(bytes).digest("hex")}`;
}

/** Reports whether the bytes have this digest. */
export function matches(bytes: Uint8Array, digest: string): boolean {
  const [algorithm = ""] = digest.split(":");
  return /^sha(256|512)$/.test(algorithm) && digestOf(bytes, algorithm) === digest;
}
