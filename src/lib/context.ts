import { embeddedIo } from "../io/embedded.ts";
import type { Io } from "../io/io.ts";
import type { Transport } from "./transport.ts";

/** What every function of the library that reaches outside may be given. Nothing is used that is not. */
export interface Context {
  /** The way to the network; none by default. */
  readonly transport?: Transport;
  /**
   * Environment variables to obey, none by default: `process.env` for those of this process. Key services (VAULT_ADDR,
   * VAULT_TOKEN) and docker's credentials (HOME, DOCKER_CONFIG) are found by them.
   */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Gets each warning, one line without its end. They are dropped by default. */
  readonly onWarning?: (text: string) => void;
  /** The time to verify and sign at; the system's clock by default. */
  readonly now?: () => Date;
  /** Ends what is going on when it aborts; its reason is thrown. */
  readonly signal?: AbortSignal;
}

/** The world as a program's options let it in. */
export function libraryIo({ transport, env, onWarning = () => {}, now, signal }: Context): Io {
  const { proxy, noProxy } = transport ?? {};
  const proxied = proxy === undefined ? {} : { HTTPS_PROXY: proxy, HTTP_PROXY: proxy, NO_PROXY: noProxy ?? "" };
  const http = transport?.send.bind(transport);
  return embeddedIo({ http, env: { ...env, ...proxied }, warn: onWarning, now, signal });
}
