/**
 * Replaces node-fetch in the built program. oci-registry-client imports that package for two things: the classes Headers,
 * Request and Response, and a fetch, which would bypass tsign's limits, proxies and CA certificates. Node has these classes
 * too, but loading them loads its whole HTTP client (undici), which takes longer than a verification; this file implements the
 * part that the library uses. No module imports this file: scripts/bundle.ts names it as the alias of
 * "node-fetch". When tsign runs from its sources, the package itself is loaded; RepositoryClient (protocol.ts) keeps the library
 * from calling its fetch there too.
 */

/** Names and values of an HTTP header, a repeated one joined by ", " (RFC 9110 §5.3). Names are compared in lower case. */
export class Headers {
  readonly #values = new Map<string, string>();

  /** @param initial other headers, an object, or pairs of name and value */
  constructor(initial: Iterable<readonly [string, string]> | Readonly<Record<string, string>> | null = null) {
    const pairs = initial !== null && Symbol.iterator in initial ? initial : Object.entries(initial ?? {});
    for (const [name, value] of pairs) this.append(name, value);
  }

  get(name: string): string | null {
    return this.#values.get(name.toLowerCase()) ?? null;
  }

  has(name: string): boolean {
    return this.#values.has(name.toLowerCase());
  }

  set(name: string, value: string): void {
    this.#values.set(name.toLowerCase(), String(value));
  }

  append(name: string, value: string): void {
    const before = this.get(name);
    this.set(name, before === null ? value : `${before}, ${value}`);
  }

  delete(name: string): void {
    this.#values.delete(name.toLowerCase());
  }

  [Symbol.iterator](): IterableIterator<[string, string]> {
    return this.#values.entries();
  }
}

/** An answer with its whole body. */
export class Response {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Uint8Array | null;

  /** @param body the whole body, null for none */
  constructor(
    body: Uint8Array | null,
    { status, headers }: { status: number; headers: Readonly<Record<string, string>> },
  ) {
    this.status = status;
    this.headers = new Headers(headers);
    this.body = body;
  }

  /** Whether the status is 200 to 299. */
  get ok(): boolean {
    return this.status >= 200 && this.status < 300;
  }

  async arrayBuffer(): Promise<ArrayBuffer> {
    return Uint8Array.from(this.body ?? []).buffer;
  }
}

/** The library refers to this class, but never creates a request. */
export class Request {}

/** @throws Error always: the library must not use a transport of its own */
export default function fetch(): never {
  throw new Error("oci-registry-client must not use a transport of its own");
}
