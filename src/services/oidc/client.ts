import * as openid from "openid-client";
import { TsignError } from "../../errors.ts";
import { printable } from "../../format/printable.ts";
import { createTransport, type Exchange } from "../../net/http.ts";
import type { TransportIo } from "../../net/retry.ts";

/** The scopes of a login. */
export const SCOPE = "openid email";
const MAX_RESPONSE = 1024 * 1024;
const LOOPBACK = new Set(["localhost", "127.0.0.1", "[::1]"]);

/** The OAuth client of a login, as registered with the issuer. tsign's default client has no secret. */
export interface Client {
  readonly issuer: URL;
  readonly clientId: string;
  readonly clientSecret: string | undefined;
}

/**
 * Discovers the issuer's endpoints (OpenID Connect Discovery 1.0, §4) over tsign's own transport. Plain http is accepted for
 * this machine only. Redirects are not followed, so that no other host can answer for the issuer.
 *
 * @throws TsignError "auth" or "service" of the issuer, and what the transport throws
 */
export async function discover(io: TransportIo, client: Client): Promise<openid.Configuration> {
  const { issuer, clientId, clientSecret } = client;
  const insecure = issuer.protocol === "http:";
  if (insecure && !LOOPBACK.has(issuer.hostname)) {
    throw new TsignError("auth", `the OIDC issuer must use https: ${issuer.href}`);
  }
  const authentication = clientSecret === undefined ? openid.None() : openid.ClientSecretPost(clientSecret);
  return asTsignErrors(issuer, () =>
    openid.discovery(issuer, clientId, undefined, authentication, {
      [openid.customFetch]: fetchThrough(io),
      ...(insecure ? { execute: [openid.allowInsecureRequests] } : {}),
    }),
  );
}

/** Implements the library's fetch with tsign's transport. */
function fetchThrough(io: TransportIo): openid.CustomFetch {
  const transport = createTransport(io, { peer: { service: "oidc", name: "the OIDC issuer" } });
  return async (address, { method, headers, body }) => {
    const bytes = body === undefined || body === null ? undefined : Buffer.from(String(body));
    const exchange: Exchange = {
      method: method === "POST" ? "POST" : "GET",
      url: new URL(address),
      headers: {
        ...Object.fromEntries(new Headers(headers)),
        ...(bytes ? { "content-length": String(bytes.length) } : {}),
      },
      ...(bytes ? { body: bytes } : {}),
    };
    const answer = await transport.read(exchange, { maxBytes: MAX_RESPONSE });
    const noBody = [204, 205, 304].includes(answer.status);
    return new Response(noBody ? null : Uint8Array.from(answer.bytes), {
      status: answer.status,
      headers: answer.headers,
    });
  };
}

/**
 * Runs a step of openid-client and converts its errors to a TsignError of one line. Text of the issuer is included without
 * control characters; tokens are not.
 *
 * @throws TsignError "auth", "service" for status 5xx of the issuer, and what the transport throws
 */
export async function asTsignErrors<T>(issuer: URL, step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (error) {
    const own = causes(error).find((each) => each instanceof TsignError);
    if (own) throw own;
    const status = statusOf(error);
    const code = status !== undefined && status >= 500 ? "service" : "auth";
    throw new TsignError(code, `OIDC issuer (${issuer.host}): ${printable(reasonOf(error))}`, {
      cause: error,
      service: "oidc",
      status,
      url: issuer,
    });
  }
}

/** Returns the HTTP status of the response that openid-client refused, if its error contains one. */
function statusOf(error: unknown): number | undefined {
  for (const each of causes(error) as { status?: unknown; cause?: unknown }[]) {
    if (each.cause instanceof Response) return each.cause.status;
    if (typeof each.status === "number") return each.status;
  }
  return undefined;
}

function* causeChain(error: unknown): Iterable<unknown> {
  for (let each = error, depth = 0; each instanceof Error && depth < 8; each = each.cause, depth++) yield each;
}

function causes(error: unknown): unknown[] {
  return [...causeChain(error)];
}

function reasonOf(error: unknown): string {
  if (error instanceof openid.ResponseBodyError || error instanceof openid.AuthorizationResponseError) {
    return [error.error, error.error_description]
      .filter((each) => each !== undefined)
      .join(": ")
      .slice(0, 300);
  }
  if (error instanceof openid.ClientError && error.code === "OAUTH_JWT_CLAIM_COMPARISON_FAILED") {
    return "the returned token is for another login: a claim does not match";
  }
  return error instanceof Error ? error.message.slice(0, 300) : "unknown error";
}

/** Returns the identity token in a response of the token endpoint. @throws TsignError "auth" if there is none */
export function identityTokenOf(issuer: URL, answer: { id_token?: string | undefined }): string {
  if (answer.id_token === undefined) {
    throw new TsignError("auth", `OIDC issuer (${issuer.host}) returned no identity token`, {
      hint: 'check that the client may request the scope "openid"',
      service: "oidc",
      url: issuer,
    });
  }
  return answer.id_token;
}
