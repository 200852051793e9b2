import type { Handler, ServerRequest, ServerResponse } from "../../io/io.ts";
import { json } from "../server/service.ts";

/** User name and password of the sandbox's registries that require a login. They are not secret. */
export const REGISTRY_LOGIN = { user: "sandbox", password: "sandbox" } as const;
const SERVICE = "tsign-sandbox";
const MAX_TOKENS = 1000;

/** Makes a registry require a login: by Basic authentication (RFC 7617), or by tokens (distribution's token specification). */
export function withAuth(
  registry: Handler,
  options: { kind: "basic" | "bearer"; random: (bytes: number) => Uint8Array },
): Handler {
  const tokens = new Set<string>();
  return async (request) => {
    const url = new URL(request.url, "http://sandbox.invalid");
    if (options.kind === "basic")
      return isLogin(request) ? registry(request) : unauthorized(`Basic realm="${SERVICE}"`);
    if (url.pathname === "/token") return giveToken(request, tokens, options.random);
    const [, token = ""] = /^bearer (\S+)$/i.exec(request.headers["authorization"] ?? "") ?? [];
    if (tokens.has(token)) return registry(request);
    const [, name] = /^\/v2\/([a-z0-9._/-]+?)\/(?:manifests|blobs|referrers|tags)\//.exec(url.pathname) ?? [];
    const scope = name === undefined ? "" : `,scope="repository:${name}:pull,push"`;
    return unauthorized(`Bearer realm="http://${request.headers["host"]}/token",service="${SERVICE}"${scope}`);
  };
}

function isLogin({ headers }: ServerRequest): boolean {
  const [, encoded = ""] = /^basic (\S+)$/i.exec(headers["authorization"] ?? "") ?? [];
  return Buffer.from(encoded, "base64").toString("utf8") === `${REGISTRY_LOGIN.user}:${REGISTRY_LOGIN.password}`;
}

function unauthorized(challenge: string): ServerResponse {
  const errors = [{ code: "UNAUTHORIZED", message: "authentication required" }];
  return json({ errors }, { status: 401, headers: { "www-authenticate": challenge } });
}

function giveToken(request: ServerRequest, tokens: Set<string>, random: (bytes: number) => Uint8Array): ServerResponse {
  if (!isLogin(request)) return unauthorized(`Basic realm="${SERVICE}"`);
  const token = Buffer.from(random(24)).toString("base64url");
  const [oldest] = tokens;
  if (tokens.size >= MAX_TOKENS && oldest !== undefined) tokens.delete(oldest);
  tokens.add(token);
  return json({ token, expires_in: 3600 });
}
