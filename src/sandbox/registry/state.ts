import { createHash } from "node:crypto";
import type { ServerRequest } from "../../io/io.ts";

/** The OCI registry of the sandbox: in memory, bounded, open to everyone on this machine. */
export interface RegistryOptions {
  /** Whether it has the referrers API of OCI 1.1. */
  readonly referrers: boolean;
  /** Bytes it keeps at most. */
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

/** How much the registry keeps when nothing else is said. */
export const DEFAULT_MAX_BYTES = 1024 * 1024 * 1024;

/** An answer other than success. */
export class Refusal extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** A request's body, while there is room for it. */
export async function readBody(state: State, request: ServerRequest, limit: number): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of request.body) {
    size += piece.length;
    if (size > limit || state.bytes + size > (state.options.maxBytes ?? DEFAULT_MAX_BYTES)) {
      throw new Refusal(413, "SIZE_INVALID", "too much for the sandbox");
    }
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

/** Digest of the bytes, as OCI writes it. */
export function digestOf(bytes: Uint8Array, algorithm = "sha256"): string {
  return `${algorithm}:${createHash(algorithm).update(bytes).digest("hex")}`;
}

/** Whether the bytes have this digest. */
export function matches(bytes: Uint8Array, digest: string): boolean {
  const [algorithm = ""] = digest.split(":");
  return /^sha(256|512)$/.test(algorithm) && digestOf(bytes, algorithm) === digest;
}
