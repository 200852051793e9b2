import https from "node:https";
import process from "node:process";
import { contextOf, systemAuthorities, trustSystemAuthorities } from "./authorities.ts";
import type { TlsOptions } from "./io.ts";

/** What http.ts needs of TLS. Loading Node's TLS takes longer than a request without it. */
export const { request } = https;

/**
 * Creates an agent for connections over TLS.
 *
 * @param options.system whether the system's CA certificates are trusted, rather than those of the process
 */
export function secureAgent(
  common: { keepAlive: boolean; proxyEnv?: Readonly<Record<string, string>> },
  { tls, system }: { tls: TlsOptions; system: boolean },
): https.Agent {
  return new https.Agent({ ...common, ...tlsOptions(tls, system) });
}

/** Trusts the system's CA certificates in connections to a proxy, for which an agent has no options. */
export const trustSystem = () => trustSystemAuthorities(process.env, process.platform);

/**
 * Returns the options of TLS connections. CA certificates that are given replace the system's, which are not read then.
 * rejectUnauthorized is set explicitly, so that NODE_TLS_REJECT_UNAUTHORIZED is ignored.
 */
function tlsOptions({ ca, cert, key, serverName, insecure = false }: TlsOptions, system: boolean): https.AgentOptions {
  const common = { rejectUnauthorized: !insecure, ...(serverName ? { servername: serverName } : {}) };
  const own = { ...(cert ? { cert } : {}), ...(key ? { key } : {}) };
  if (insecure) return { ...common, ...own, ca: [] };
  if (ca === undefined && !system) return { ...common, ...own };
  const authorities = ca === undefined ? systemAuthorities(process.env, process.platform) : [ca];
  return { ...common, secureContext: contextOf(authorities, own) };
}
