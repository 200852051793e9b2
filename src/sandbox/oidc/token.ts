import { createHash, createPublicKey, sign, verify } from "node:crypto";
import type { SigningKey } from "../pki/keyring.ts";
import { type Clock, unixSeconds } from "../server/clock.ts";

export type Claims = Record<string, unknown>;

/** Default lifetime of a token, in seconds. */
export const TOKEN_LIFETIME = 3600;
/** The audience of tokens for Sigstore. */
export const AUDIENCE = "sigstore";

/** Issues and checks the ID tokens of the sandbox's issuers: JWTs signed with RS256 (RFC 7519, RFC 7518 §3.3). */
export interface TokenMaker {
  mint(options: { issuer: string; claims: Claims; audience?: string; lifetime?: number }): string;
  /** Returns the claims of a valid token of these issuers, for any audience; undefined for any other. */
  check(token: string): Claims | undefined;
  /** The public key as a JSON Web Key Set (RFC 7517 §5). */
  readonly keySet: { keys: object[] };
}

export function createTokenMaker(options: {
  signingKey: SigningKey;
  clock: Clock;
  random: (bytes: number) => Uint8Array;
}): TokenMaker {
  const { signingKey, clock, random } = options;
  const publicKey = createPublicKey(signingKey.key);
  const kid = createHash("sha256").update(signingKey.spki).digest("hex").slice(0, 16);
  const { kty, n, e } = publicKey.export({ format: "jwk" });
  return {
    keySet: { keys: [{ kty, n, e, kid, alg: "RS256", use: "sig" }] },
    mint({ issuer, claims, audience = AUDIENCE, lifetime = TOKEN_LIFETIME }) {
      const now = unixSeconds(clock());
      const jti = Buffer.from(random(12)).toString("base64url");
      const payload = { iss: issuer, aud: audience, iat: now, nbf: now, exp: now + lifetime, jti, ...claims };
      const signed = `${part({ alg: "RS256", kid, typ: "JWT" })}.${part(payload)}`;
      return `${signed}.${sign("sha256", Buffer.from(signed), signingKey.key).toString("base64url")}`;
    },
    check(token) {
      const [header = "", payload = "", signature = "", ...rest] = token.split(".");
      if (rest.length > 0) return undefined;
      const { alg } = unpack(header) ?? {};
      const bytes = Buffer.from(signature, "base64url");
      if (alg !== "RS256" || !verify("sha256", Buffer.from(`${header}.${payload}`), publicKey, bytes)) return undefined;
      const claims = unpack(payload);
      const now = unixSeconds(clock());
      const started = typeof claims?.["nbf"] !== "number" || claims["nbf"] <= now + CLOCK_SKEW;
      return claims && started && typeof claims["exp"] === "number" && claims["exp"] > now ? claims : undefined;
    },
  };
}

/** Seconds by which a token's nbf may be in the future. */
const CLOCK_SKEW = 60;

function part(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}

function unpack(text: string): Claims | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(text, "base64url").toString("utf8"));
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Claims) : undefined;
  } catch {
    return undefined;
  }
}
