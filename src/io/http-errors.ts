import { TsignError } from "../errors.ts";

const UNKNOWN_AUTHORITY = "the server's certificate is signed by an unknown authority";

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ECONNRESET: "connection reset by the server",
  ERR_SOCKET_CLOSED: "connection closed by the server",
  ENOTFOUND: "no such host",
  EAI_AGAIN: "name lookup failed",
  ETIMEDOUT: "connection timed out",
  EHOSTUNREACH: "no route to host",
  ENETUNREACH: "network unreachable",
  EPROTO: "the server does not use TLS",
  ERR_SSL_WRONG_VERSION_NUMBER: "the server does not use TLS",
  ERR_SSL_PACKET_LENGTH_TOO_LONG: "the server does not use TLS",
  DEPTH_ZERO_SELF_SIGNED_CERT: "the server's certificate is self-signed",
  SELF_SIGNED_CERT_IN_CHAIN: UNKNOWN_AUTHORITY,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNKNOWN_AUTHORITY,
  UNABLE_TO_GET_ISSUER_CERT: UNKNOWN_AUTHORITY,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNKNOWN_AUTHORITY,
  CERT_HAS_EXPIRED: "the server's certificate has expired",
  CERT_NOT_YET_VALID: "the server's certificate is not yet valid",
  INVALID_PURPOSE: "the server's certificate is not for servers",
};

const CHECK_SERVER = "check that the server is running and that the address is right";
const CHECK_NETWORK = "check the host name and the network, or set HTTPS_PROXY to use a proxy";
const SET_AUTHORITIES = "set SSL_CERT_FILE to the CA certificates to trust, or pass --registry-cacert for a registry";
const ALLOW_HTTP = "pass --allow-http-registry for a registry without TLS";

/** Hints for some of them. */
const HINTS: Readonly<Record<string, string>> = {
  ECONNREFUSED: CHECK_SERVER,
  ENOTFOUND: CHECK_NETWORK,
  EAI_AGAIN: CHECK_NETWORK,
  ENETUNREACH: CHECK_NETWORK,
  ETIMEDOUT: CHECK_SERVER,
  EHOSTUNREACH: CHECK_SERVER,
  EPROTO: ALLOW_HTTP,
  ERR_SSL_WRONG_VERSION_NUMBER: ALLOW_HTTP,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: ALLOW_HTTP,
  DEPTH_ZERO_SELF_SIGNED_CERT: SET_AUTHORITIES,
  SELF_SIGNED_CERT_IN_CHAIN: SET_AUTHORITIES,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: SET_AUTHORITIES,
  UNABLE_TO_GET_ISSUER_CERT: SET_AUTHORITIES,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: SET_AUTHORITIES,
  CERT_HAS_EXPIRED: "check this machine's clock, or renew the server's certificate",
  CERT_NOT_YET_VALID: "check this machine's clock",
};

/** Returns the error of a request that failed, by the code and message of the runtime's error. */
export function networkError(url: URL, cause: unknown): TsignError {
  const { code, errors, message } = cause as { code?: string; errors?: { code?: string }[]; message?: string };
  const known = code ?? errors?.[0]?.code ?? "";
  // OpenSSL's message: "…:SSL routines:<function>:<reason>:<file>…", BoringSSL's: "…:SSL routines:OPENSSL_internal:<REASON>".
  // An alert is the server's refusal.
  const reasonOfTls = /:SSL routines:[^:]*:([^:]*)/
    .exec(message ?? "")?.[1]
    ?.toLowerCase()
    .replaceAll("_", " ");
  const alert = reasonOfTls && /\balert\b/.test(reasonOfTls) ? reasonOfTls : undefined;
  const refused = alert && `the server refused the TLS handshake (${alert})`;
  const reason = refused ?? REASONS[known] ?? message ?? "unknown reason";
  const hint = refused ? undefined : hintFor(known);
  return new TsignError("network", `connect to ${url.protocol}//${url.host}: ${reason}`, {
    cause,
    hint,
    url,
  });
}

/** The hint for an error's code. NODE_EXTRA_CA_CERTS has no effect; bin/tsign removes it and leaves its name in TSIGN_IGNORES. */
function hintFor(code: string): string | undefined {
  const { NODE_EXTRA_CA_CERTS: extra, TSIGN_IGNORES: ignored } = process.env;
  const hint = HINTS[code];
  return hint === SET_AUTHORITIES && (extra || ignored) ? `${hint}; NODE_EXTRA_CA_CERTS is ignored` : hint;
}

/** The error for a body whose size is not the stated one. @param got bytes @param want bytes */
export function sizeMismatch(got: number, want: number | string): TsignError {
  return new TsignError("input", `send file: size mismatch: got ${got} bytes, want ${want}`, {
    hint: "retry; the file was changed while it was being sent",
  });
}
