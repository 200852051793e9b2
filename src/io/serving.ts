/** PEM: a server's certificate chain and key, and the CA certificates of clients; without them no client is asked for one. */
export interface ServerTls {
  readonly cert: string;
  readonly key: string;
  readonly clientCa?: string;
}

/** Where a server listens. */
export interface ListenOptions {
  readonly host: string;
  readonly port: number;
  readonly tls?: ServerTls;
}

export interface ServerRequest {
  method: string;
  /** Path and query, as sent. */
  url: string;
  headers: Record<string, string>;
  body: AsyncIterable<Uint8Array>;
  /** Whether the client has a certificate from the server's `clientCa`. */
  clientIsTrusted?: boolean;
}

export interface ServerResponse {
  status: number;
  headers?: Record<string, string>;
  body?: Uint8Array | string | AsyncIterable<Uint8Array>;
}

export type Handler = (request: ServerRequest) => Promise<ServerResponse>;

export interface Listening {
  port: number;
  /**
   * Uses other certificates for the connections that come, if it was opened with `tls`. Whether clients are asked for a certificate
   * stays as it was.
   *
   * @throws TsignError "input" for certificates that cannot be used; then the earlier ones stay
   */
  renew(tls: ServerTls): Promise<void>;
  /** Ends all connections. */
  close(): Promise<void>;
  /** Accepts no more connections, and settles when every request is answered. */
  finish(): Promise<void>;
}
