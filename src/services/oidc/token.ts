import { TsignError } from "../../errors.ts";
import { isObject, parseJson } from "../../format/json.ts";
import { certifiedJobName } from "./certified-name.ts";

/** An OIDC identity token. Only Fulcio verifies its signature. */
export interface IdentityToken {
  /** The JWT: a secret that is sent to Fulcio only. */
  readonly raw: string;
  /** The identity for Fulcio, which proof of possession signs: the verified e-mail address, else the subject. */
  readonly subject: string;
  /** The name that Fulcio's public instance certifies for it: `subject`, or the URL of a CI job's workflow or pipeline. */
  readonly certifiedName: string;
  /** Whether `subject` is the token's e-mail address. */
  readonly isEmail: boolean;
  readonly issuer: string;
  /** The audiences (`aud`, RFC 7519 section 4.1.3); empty if there is no such claim. */
  readonly audiences: readonly string[];
  readonly expires: Date | undefined;
  /** The name of its source, for messages. */
  readonly source: string;
}

/** Whether text is a JWT (RFC 7519 §3) of any algorithm: three base64url parts, the first of them a JSON object. */
export function looksLikeToken(text: string): boolean {
  const [header = "", , , ...rest] = text.split(".");
  if (rest.length > 0 || text.split(".").length !== 3 || !/^[A-Za-z0-9_.-]+$/.test(text)) return false;
  try {
    return isObject(JSON.parse(Buffer.from(header, "base64url").toString("utf8")));
  } catch {
    return false;
  }
}

const QUOTED = /^(["'`])(.*)\1$/s;
const BEARER = /^(?:authorization:\s*)?bearer\s+/i;

/**
 * Returns a token without the text that shells, CI systems and copied headers add: a BOM, white space, quotes and `Bearer`
 * around it, and line breaks in it.
 */
export function plainToken(text: string): string {
  const unquoted = (each: string) => each.replace(QUOTED, "$2").trim();
  const token = unquoted(text.replace(/^\uFEFF/, "").trim())
    .replace(BEARER, "")
    .trim();
  return unquoted(token).replace(/[\r\n]+[ \t]*/g, ""); // a terminal or an e-mail wrapped it
}

/**
 * Returns the text if it is a variable that a shell or CI system should have expanded: `$NAME`, `${NAME}`, `$(NAME)`,
 * `%NAME%`, `$env:NAME`, `${{ secrets.NAME }}`; undefined for other text.
 */
export function unexpandedVariable(text: string): string | undefined {
  const plain = plainToken(text);
  const [, bare, ...marked] =
    /^(?:\$([A-Z_][A-Z0-9_]*)|%([A-Z_][A-Z0-9_]*)%|\$(?:env:|\{|\(|\{\{\s*)([A-Za-z_][\w.-]*)\s*[})]{0,2})$/.exec(
      plain,
    ) ?? [];
  const name = bare ?? marked.find((each) => each !== undefined) ?? "";
  // A secret may also start with a dollar sign, but it does not look like a name.
  const isVariable = name !== "" && name.length <= 64 && name.replace(/\D/g, "").length <= 3;
  return isVariable ? plain : undefined;
}

/** Returns what surrounds a token, for a warning; undefined if there is only white space. */
export function textAround(text: string): string | undefined {
  const trimmed = text.replace(/^\uFEFF/, "").trim();
  const plain = plainToken(text);
  if (trimmed === plain || !looksLikeToken(plain)) return undefined;
  const parts = [
    BEARER.test(trimmed.replace(QUOTED, "$2")) ? 'the word "Bearer"' : "",
    /["'`]/.test(trimmed) ? "quotes" : "",
    /[\r\n]/.test(trimmed) ? "line breaks" : "",
  ];
  return parts.filter((part) => part !== "").join(" and ");
}

/**
 * Reads the claims that Fulcio uses, so that an unusable token fails before anything is sent. No message contains the token.
 *
 * @param options.source the name of its source, for messages
 * @throws TsignError "auth" for a token that is malformed, expired, or without issuer or usable identity
 */
export function readIdentityToken(text: string, options: { source: string; now: Date }): IdentityToken {
  const { source, now } = options;
  const raw = plainToken(text);
  const variable = unexpandedVariable(text);
  if (variable !== undefined) {
    throw new TsignError("auth", `${source} contains an unexpanded variable: ${variable}`, {
      hint: "set the variable, and use quotes in which the shell or CI system expands it",
    });
  }
  if (!looksLikeToken(raw)) {
    throw new TsignError("auth", `${source} does not contain an identity token`, {
      hint: "pass a JWT: three parts separated by dots",
    });
  }
  const claims = readClaims(raw, source);
  const expires = typeof claims["exp"] === "number" ? new Date(claims["exp"] * 1000) : undefined;
  if (expires && expires <= now) {
    throw new TsignError("auth", `identity token from ${source} expired at ${expires.toISOString()}`, {
      hint: `request a new token, and check this machine's clock, which is at ${now.toISOString()}`,
    });
  }
  const issuer = claims["iss"];
  if (typeof issuer !== "string") throw new TsignError("auth", `identity token from ${source} has no issuer`);
  const { aud, email } = claims;
  const audiences = (Array.isArray(aud) ? aud : [aud]).filter((each) => typeof each === "string");
  const isEmail = typeof email === "string" && email !== "";
  const subject = subjectOf(claims, source);
  const certifiedName = (isEmail ? undefined : certifiedJobName(claims)) ?? subject;
  return { raw, subject, certifiedName, isEmail, issuer, audiences, expires, source };
}

function readClaims(raw: string, source: string): Record<string, unknown> {
  const payload = Buffer.from(raw.split(".")[1] ?? "", "base64url");
  try {
    const claims = parseJson(payload, "");
    if (isObject(claims)) return claims;
  } catch {
    // reported below, without the payload
  }
  throw new TsignError("auth", `identity token from ${source} is malformed`);
}

function subjectOf(claims: Record<string, unknown>, source: string): string {
  const { email, email_verified: verified, sub } = claims;
  if (typeof email === "string" && email !== "") {
    if (verified === true || verified === "true") return email;
    throw new TsignError("auth", `identity token from ${source} has an unverified e-mail address`, {
      hint: "verify the address with the identity provider, then request a new token",
    });
  }
  if (typeof sub === "string" && sub !== "") return sub;
  throw new TsignError("auth", `identity token from ${source} has no subject`);
}
