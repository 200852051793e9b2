import * as openid from "openid-client";
import { TsignError } from "../../errors.ts";
import { printable } from "../../format/printable.ts";
import { createTransport, type Exchange } from "../../net/http.ts";
import type { TransportIo } from "../../net/retry.ts";

/** What a login asks for. */
export const SCOPE = "openid email";
const MAX_ANSWER = 1024 * 1024;
const LOOPBACK = new Set(["localhost", "127.0.0.1", "[::1]"]);

/** The client a login is made as: registered with the issuer, with a secret or, as tsign's own, without. */
export interface Client {
  readonly issuer: URL;
  readonly clientId: string;
  readonly clientSecret: string | undefined;
}

/**
 * Reads the issuer's endpoints (OpenID Connect Discovery 1.0, §4). Every exchange goes through tsign's own transport;
 * plain http is for an issuer on this machine alone, and discovery follows no redirect, so that no other host speaks for
 * the issuer.
 *
 * @throws TsignError "auth"
 */
export async function discover(io: TransportIo, client: Client): Promise<openid.Configuration> {
  const { issuer, clientId, clientSecret } = client;
  const insecure = issuer.protocol === "http:";
  if (insecure && !LOOPBACK.has(issuer.hostname)) {
    throw new TsignError("auth", `the OIDC issuer ${issuer.href} must be reached by https`);
  }
  const authentication = clientSecret === undefined ? openid.None() : openid.ClientSecretPost(clientSecret);
  return asTsignErrors(issuer, () =>
    openid.discovery(issuer, clientId, undefined, authentication, {
      [openid.customFetch]: fetchThrough(io),
      ...(insecure ? { execute: [openid.allowInsecureRequests] } : {}),
    }),
  );
}

/** The library's fetch, by our transport. */
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
    const answer = await transport.read(exchange, { maxBytes: MAX_ANSWER });
    const noBody = [204, 205, 304].includes(answer.status);
    return new Response(noBody ? null : Uint8Array.from(answer.bytes), {
      status: answer.status,
      headers: answer.headers,
    });
  };
}

/**
 * Runs a step of openid-client and says in one line why it failed. What an issuer writes is shown without control
 * characters; no token is ever part of it.
 *
 * @throws TsignError "auth", "service" for an issuer that fails (5xx), and what our own transport throws
 */
export async function asTsignErrors<T>(issuer: URL, step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (error) {
    const own = causes(error).find((each) => each instanceof TsignError);
    if (own) throw own;
    const status = statusOf(error);
    const code = status !== undefined && status >= 500 ? "service" : "auth";
    throw new TsignError(code, `the OIDC issuer ${issuer.host}: ${printable(reasonOf(error))}`, {
      cause: error,
      service: "oidc",
      status,
      url: issuer,
    });
  }
}

/** The HTTP status of the answer that openid-client refused: its errors carry the answer, or what they need of it. */
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
    return "the token it gave is for another login (a claim does not match)";
  }
  return error instanceof Error ? error.message.slice(0, 300) : "it failed";
}

/** The identity token of a token endpoint's answer. */
export function identityTokenOf(issuer: URL, answer: { id_token?: string | undefined }): string {
  if (answer.id_token === undefined) {
    throw new TsignError("auth", `the OIDC issuer ${issuer.host} answered without an identity token`, {
      hint: 'is the client allowed the scope "openid"?',
      service: "oidc",
      url: issuer,
    });
  }
  return answer.id_token;
}
