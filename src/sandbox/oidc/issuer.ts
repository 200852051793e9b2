import type { ServerResponse } from "../../io/io.ts";
import { refusedPage, wantsPage } from "../server/page.ts";
import { answer, type Call, json, Refused, type Service } from "../server/service.ts";
import type { Addresses } from "../trust.ts";
import type { Logins } from "./logins.ts";
import { type Claims, TOKEN_LIFETIME, type TokenMaker } from "./token.ts";

const DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code";
const EXCHANGE_GRANT = "urn:ietf:params:oauth:grant-type:token-exchange";
/** The person who signs in by default. */
export const DEFAULT_EMAIL = "tester@example.com";

/** Returns the claims of a person with a verified e-mail address. */
export function person(email: string): Claims {
  return { sub: email, email, email_verified: true };
}

/** Claims of a GitHub Actions job (GitHub's documentation of its OIDC token). */
export const GITHUB_JOB: Claims = {
  sub: "repo:acme/widget:ref:refs/heads/main",
  repository: "acme/widget",
  repository_id: "1001",
  repository_owner: "acme",
  repository_owner_id: "2002",
  repository_visibility: "public",
  ref: "refs/heads/main",
  ref_type: "branch",
  sha: "a".repeat(40),
  event_name: "push",
  actor: "octo",
  workflow: "release",
  workflow_ref: "acme/widget/.github/workflows/release.yml@refs/heads/main",
  workflow_sha: "a".repeat(40),
  runner_environment: "github-hosted",
  run_id: "3003",
  run_attempt: "1",
  job_workflow_ref: "acme/widget/.github/workflows/release.yml@refs/heads/main",
  job_workflow_sha: "a".repeat(40),
};

/**
 * Creates two issuers: people sign in at `/`, CI jobs get tokens at `/ci`. Neither requires a password (OpenID Connect Core and
 * Discovery 1.0; RFC 6749, 7636, 8628, 8693).
 */
export function createOidc(options: { at: Addresses; tokens: TokenMaker; logins: Logins }): Service {
  const { at, tokens, logins } = options;
  const mint = (issuer: string, claims: Claims, query: URLSearchParams) =>
    tokens.mint({
      issuer,
      claims: { ...claims, ...claimsOf(query.get("claims")) },
      lifetime: lifetimeOf(query.get("ttl")),
      ...(query.get("aud") ? { audience: query.get("aud") ?? "" } : {}),
    });
  const text = (token: string) => answer(token, { type: "text/plain" });
  return {
    name: "oidc",
    maxBody: 64 * 1024,
    failure: (status, message, headers) => {
      const error = oauthError(message);
      if (wantsPage(headers)) return refusedPage(status, "Sign-in failed", error.error_description);
      return json(error, { status, headers: { "cache-control": "no-store" } });
    },
    routes: {
      "GET /.well-known/openid-configuration": () => json(discovery(at)),
      "GET /ci/.well-known/openid-configuration": () =>
        json({
          issuer: at.ciIssuer,
          jwks_uri: `${at.ciIssuer}/jwks`,
          ...COMMON,
          response_types_supported: ["id_token"],
        }),
      "GET /jwks": () => json(tokens.keySet),
      "GET /ci/jwks": () => json(tokens.keySet),
      "GET /mint": ({ query }) => text(mint(at.issuer, person(query.get("email") || DEFAULT_EMAIL), query)),
      "GET /ci/mint": ({ query }) => text(mint(at.ciIssuer, GITHUB_JOB, query)),
      "GET /ci/gha": ({ query, headers }) => {
        if (!/^bearer \S/i.test(headers["authorization"] ?? ""))
          throw new Refused(401, "unauthorized: no bearer token");
        query.set("aud", query.get("audience") ?? "");
        return json({ count: 1, value: mint(at.ciIssuer, GITHUB_JOB, query) });
      },
      "GET /auth": (call) => logins.authorize(call),
      "GET /auth/approve": (call) => logins.approve(call),
      "POST /device/code": (call) => logins.deviceCode(form(call)),
      "GET /device": (call) => logins.devicePage(call),
      "GET /device/approve": (call) => logins.approveDevice(call),
      "POST /token": (call) => token(options, form(call)),
    },
  };
}

const COMMON = {
  subject_types_supported: ["public"],
  id_token_signing_alg_values_supported: ["RS256"],
};

function discovery({ issuer }: Addresses): object {
  return {
    issuer,
    authorization_endpoint: `${issuer}/auth`,
    token_endpoint: `${issuer}/token`,
    device_authorization_endpoint: `${issuer}/device/code`,
    jwks_uri: `${issuer}/jwks`,
    ...COMMON,
    response_types_supported: ["code"],
    grant_types_supported: ["authorization_code", "client_credentials", DEVICE_GRANT, EXCHANGE_GRANT],
    code_challenge_methods_supported: ["S256"],
    scopes_supported: ["openid", "email"],
    token_endpoint_auth_methods_supported: ["none", "client_secret_basic", "client_secret_post"],
    claims_supported: ["iss", "sub", "aud", "exp", "iat", "email", "email_verified", "nonce"],
  };
}

/** Converts `code: description` to OAuth's error members (RFC 6749 §5.2). */
function oauthError(message: string): { error: string; error_description: string } {
  const [, error = "invalid_request", description = message] = /^([a-z_]+): (.*)$/.exec(message) ?? [];
  return { error, error_description: description };
}

function form(call: Call): URLSearchParams {
  return new URLSearchParams(call.body.toString("utf8"));
}

function claimsOf(text: string | null): Claims {
  if (!text) return {};
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Claims;
  } catch {
    // reported below
  }
  throw new Refused(400, "invalid_request: claims is not a JSON object");
}

function lifetimeOf(text: string | null): number {
  const seconds = text ? Number(text) : TOKEN_LIFETIME;
  if (!Number.isInteger(seconds)) throw new Refused(400, "invalid_request: ttl is not a number of seconds");
  return seconds;
}

/** Answers the token endpoint (RFC 6749 §3.2). The access token is the ID token, because no API accepts another one. */
function token({ at, tokens, logins }: { at: Addresses; tokens: TokenMaker; logins: Logins }, sent: URLSearchParams) {
  const client = sent.get("client_id") || "sigstore";
  const give = (claims: Claims, audience = client, issuer = at.issuer): ServerResponse => {
    const id_token = tokens.mint({ issuer, claims, audience });
    const body = { access_token: id_token, id_token, token_type: "Bearer", expires_in: TOKEN_LIFETIME };
    return json(body, { headers: { "cache-control": "no-store" } });
  };
  switch (sent.get("grant_type")) {
    case "authorization_code":
      return give(logins.redeem(sent));
    case DEVICE_GRANT:
      return give(logins.redeemDevice(sent));
    case "client_credentials":
      return give(person(DEFAULT_EMAIL));
    case EXCHANGE_GRANT: {
      const claims = tokens.check(sent.get("subject_token") ?? "");
      if (!claims) throw new Refused(400, "invalid_grant: subject_token is invalid, expired, or from another issuer");
      const { iss, aud: _aud, iat: _iat, nbf: _nbf, exp: _exp, jti: _jti, ...kept } = claims;
      return give(kept, sent.get("audience") || client, String(iss));
    }
    default:
      throw new Refused(400, "unsupported_grant_type: grant_type is not supported");
  }
}
