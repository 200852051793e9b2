import { embeddedIo } from "../io/embedded.ts";
import type { Io } from "../io/io.ts";
import type { Transport } from "./transport.ts";

/** Access to the network and the environment, for all functions that need it. Only what is given here is used. */
export interface Context {
  /** The network; none by default. */
  readonly transport?: Transport;
  /**
   * Environment variables to read; none by default. Pass `process.env` for those of this process. They configure key services
   * (VAULT_ADDR, VAULT_TOKEN) and docker's credentials (HOME, DOCKER_CONFIG).
   */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Called with each warning, one line without a line break. Warnings are ignored by default. */
  readonly onWarning?: (text: string) => void;
  /** Returns the current time; the system clock by default. */
  readonly now?: () => Date;
  /** Cancels pending operations, which then throw its reason. */
  readonly signal?: AbortSignal;
}

/** Returns the I/O that the options of a program allow. */
export function libraryIo({ transport, env, onWarning = () => {}, now, signal }: Context): Io {
  const { proxy, noProxy } = transport ?? {};
  const proxied = proxy === undefined ? {} : { HTTPS_PROXY: proxy, HTTP_PROXY: proxy, NO_PROXY: noProxy ?? "" };
  const http = transport?.send.bind(transport);
  return embeddedIo({ http, env: { ...env, ...proxied }, warn: onWarning, now, signal });
}
