import { TsignError } from "../../errors.ts";
import { isObject, parseJson } from "../../format/json.ts";

/** An OIDC identity token, of which nobody but Fulcio checks the signature. */
export interface IdentityToken {
  /** The JWT itself: a secret, sent to Fulcio alone. */
  readonly raw: string;
  /** What Fulcio takes as the identity, and proof of possession is over: the verified e-mail, else the subject. */
  readonly subject: string;
  readonly issuer: string;
  readonly expires: Date | undefined;
  /** Where it came from, for messages. */
  readonly source: string;
}

/** Three base64url parts, the first the JSON of a header: a JWT (RFC 7519 §3), whatever its algorithm. */
export function looksLikeToken(text: string): boolean {
  const [header = "", , , ...rest] = text.split(".");
  if (rest.length > 0 || text.split(".").length !== 3 || !/^[A-Za-z0-9_.-]+$/.test(text)) return false;
  try {
    return isObject(JSON.parse(Buffer.from(header, "base64url").toString("utf8")));
  } catch {
    return false;
  }
}

/**
 * Reads what Fulcio will read of a token, to fail before anything is sent. The token is in no message.
 *
 * @param source where it came from, for messages
 * @throws TsignError "auth"
 */
export function readIdentityToken(text: string, options: { source: string; now: Date }): IdentityToken {
  const { source, now } = options;
  const raw = text.trim();
  if (!looksLikeToken(raw)) {
    throw new TsignError("auth", `${source} holds no identity token`, {
      hint: "expected a JWT: three parts, with dots",
    });
  }
  const claims = readClaims(raw, source);
  const expires = typeof claims["exp"] === "number" ? new Date(claims["exp"] * 1000) : undefined;
  if (expires && expires <= now) {
    throw new TsignError("auth", `the identity token of ${source} expired at ${expires.toISOString()}`, {
      hint: "get a new one; is this machine's clock right?",
    });
  }
  const issuer = claims["iss"];
  if (typeof issuer !== "string") throw new TsignError("auth", `the identity token of ${source} names no issuer`);
  return { raw, subject: subjectOf(claims, source), issuer, expires, source };
}

function readClaims(raw: string, source: string): Record<string, unknown> {
  const payload = Buffer.from(raw.split(".")[1] ?? "", "base64url");
  try {
    const claims = parseJson(payload, "");
    if (isObject(claims)) return claims;
  } catch {
    // reported below, without what was read
  }
  throw new TsignError("auth", `the identity token of ${source} cannot be read`);
}

function subjectOf(claims: Record<string, unknown>, source: string): string {
  const { email, email_verified: verified, sub } = claims;
  if (typeof email === "string" && email !== "") {
    if (verified === true || verified === "true") return email;
    throw new TsignError("auth", `the identity token of ${source} is for an e-mail address that is not verified`, {
      hint: "verify the address with the identity provider, then get a new token",
    });
  }
  if (typeof sub === "string" && sub !== "") return sub;
  throw new TsignError("auth", `the identity token of ${source} names nobody`);
}
