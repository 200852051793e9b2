import { TsignError } from "../../errors.ts";
import { isObject, parseJson } from "../../format/json.ts";
import { certifiedJobName } from "./certified-name.ts";

/** An OIDC identity token, of which nobody but Fulcio checks the signature. */
export interface IdentityToken {
  /** The JWT itself: a secret, sent to Fulcio alone. */
  readonly raw: string;
  /** What Fulcio takes as the identity, and proof of possession is over: the verified e-mail, else the subject. */
  readonly subject: string;
  /** The name that Fulcio's public instance certifies for it: `subject`, or the URL of a CI job's workflow or pipeline. */
  readonly certifiedName: string;
  /** Whether `subject` is the token's e-mail address. */
  readonly isEmail: boolean;
  readonly issuer: string;
  /** Who the token is for (`aud`, RFC 7519 section 4.1.3); empty when it does not say. */
  readonly audiences: readonly string[];
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

const QUOTED = /^(["'`])(.*)\1$/s;
const BEARER = /^(?:authorization:\s*)?bearer\s+/i;

/** A token without what shells, CI systems and copied headers leave around it (a BOM, white space, quotes, `Bearer`) and in it (line ends). */
export function plainToken(text: string): string {
  const inside = (each: string) => each.replace(QUOTED, "$2").trim();
  const alone = inside(text.replace(/^\uFEFF/, "").trim())
    .replace(BEARER, "")
    .trim();
  return inside(alone).replace(/[\r\n]+[ \t]*/g, ""); // wrapped by a terminal or a mail
}

/**
 * The name of a variable that shells and CI systems replace, where they did not: `$NAME`, `${NAME}`, `$(NAME)`, `%NAME%`,
 * `$env:NAME`, `${{ secrets.NAME }}`. Undefined for all else.
 */
export function unexpandedVariable(text: string): string | undefined {
  const plain = plainToken(text);
  const [, bare, ...marked] =
    /^(?:\$([A-Z_][A-Z0-9_]*)|%([A-Z_][A-Z0-9_]*)%|\$(?:env:|\{|\(|\{\{\s*)([A-Za-z_][\w.-]*)\s*[})]{0,2})$/.exec(
      plain,
    ) ?? [];
  const name = bare ?? marked.find((each) => each !== undefined) ?? "";
  // A secret may begin with a dollar sign too, and then has no name's letters.
  const isVariable = name !== "" && name.length <= 64 && name.replace(/\D/g, "").length <= 3;
  return isVariable ? plain : undefined;
}

/** What stands around a token and is worth telling its author; undefined for a token alone, white space aside. */
export function whatIsAround(text: string): string | undefined {
  const trimmed = text.replace(/^\uFEFF/, "").trim();
  const plain = plainToken(text);
  if (trimmed === plain || !looksLikeToken(plain)) return undefined;
  const parts = [
    BEARER.test(trimmed.replace(QUOTED, "$2")) ? 'the word "Bearer"' : "",
    /["'`]/.test(trimmed) ? "quotes" : "",
    /[\r\n]/.test(trimmed) ? "line ends" : "",
  ];
  return parts.filter((part) => part !== "").join(" and ");
}

/**
 * Reads what Fulcio will read of a token, to fail before anything is sent. The token is in no message.
 *
 * @param source where it came from, for messages
 * @throws TsignError "auth"
 */
export function readIdentityToken(text: string, options: { source: string; now: Date }): IdentityToken {
  const { source, now } = options;
  const raw = plainToken(text);
  const variable = unexpandedVariable(text);
  if (variable !== undefined) {
    throw new TsignError("auth", `${source} holds the text of a variable that nobody expanded: ${variable}`, {
      hint: "is the variable defined there, and the text in quotes that let it be expanded?",
    });
  }
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
