import { TsignError } from "../../errors.ts";
import type { Io, TlsOptions } from "../../io/io.ts";
import { createTransport } from "../../net/http.ts";
import { bareHost, isRfc1918, proxyFor } from "../../net/proxy.ts";
import { REGISTRY } from "./peer.ts";

interface OriginOptions {
  readonly io: Io;
  readonly tls: TlsOptions;
  /** Allows plain http for any host. */
  readonly allowHttp: boolean;
}

/** Limits of the request that checks whether a server uses TLS. */
const PROBE_LIMITS = { answer: 10_000, attempts: 1 };

/**
 * Returns a registry's origin: https. For hosts on this machine or a private network, and where http is allowed, it tries https
 * first, and http when the server does not use TLS (go-containerregistry, pkg/name and transport/ping.go).
 *
 * @param registry host and port, as in a reference
 */
export async function findOrigin(registry: string, options: OriginOptions): Promise<URL> {
  const host = registry === "index.docker.io" ? "registry-1.docker.io" : registry;
  const secure = new URL(`https://${host}`);
  if (!options.allowHttp && !isHttpHost(secure.hostname)) return secure;
  return (await usesTls(options, secure)) ? secure : new URL(`http://${host}`);
}

/** Reports whether go-containerregistry uses http for a host by default: localhost, 127.0.0.1, ::1 and RFC 1918 addresses. */
function isHttpHost(hostname: string): boolean {
  const host = bareHost(hostname);
  const named = host === "localhost" || host.endsWith(".localhost") || host === "127.0.0.1" || host === "::1";
  return named || isRfc1918(host);
}

/** Errors that mean that nothing answers over TLS at that address. */
const NO_ANSWER = new Set([
  "EAI_AGAIN",
  "ECONNREFUSED",
  "ECONNRESET",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOTFOUND",
  "ERR_PROXY_TUNNEL",
  "ERR_SOCKET_CLOSED",
  "ETIMEDOUT",
]);

/**
 * Reports whether a server uses TLS. If it does, http is never tried, even when the TLS handshake fails. Through a proxy
 * this takes a whole request.
 */
async function usesTls({ io, tls }: OriginOptions, url: URL): Promise<boolean> {
  if (io.usesTls && proxyFor(url, io.env) === undefined) {
    const answer = await io.usesTls(url, io.signal);
    io.signal.throwIfAborted();
    return answer;
  }
  const transport = createTransport(io, { tls, limits: PROBE_LIMITS, peer: REGISTRY });
  try {
    await transport.read({ method: "HEAD", url: new URL("/v2/", url) }, { maxBytes: 0 });
    return true;
  } catch (error) {
    if (io.signal.aborted) throw io.signal.reason;
    if (!(error instanceof TsignError)) throw error;
    return error.code !== "timeout" && !isNotTls(error.cause);
  }
}

/** Reports whether an error means that the server does not use TLS. A TLS alert means that it does. */
function isNotTls(cause: unknown): boolean {
  const {
    code = "",
    errors,
    message = "",
  } = (cause ?? {}) as {
    code?: string;
    errors?: { code?: string }[];
    message?: string;
  };
  if (code === "EPROTO") return !/\balert\b/.test(message);
  const known = code || (errors?.[0]?.code ?? "");
  return NO_ANSWER.has(known) || /^ERR_SSL_(WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG)$/.test(known);
}
