import { createHash, createHmac } from "node:crypto";

/** An access key of a user or, with a token, of a role. */
export interface AccessKey {
  readonly id: string;
  readonly secret: string;
  /** Security token of a temporary key. */
  readonly token?: string | undefined;
}

/** A call of Alibaba Cloud's OpenAPI without a body. */
export interface ApiCall {
  readonly method: "GET" | "POST";
  /** The signature covers its query. */
  readonly url: URL;
  readonly action: string;
  readonly version: string;
  readonly now: Date;
  /** A unique text. */
  readonly nonce: string;
}

const ALGORITHM = "ACS3-HMAC-SHA256";

/** Returns the headers of a signed call, with lower-case names (Alibaba Cloud OpenAPI, signature method V3). */
export function signedHeaders(call: ApiCall, key: AccessKey): Record<string, string> {
  const empty = sha256("");
  const signed: Record<string, string> = {
    host: call.url.host,
    "x-acs-action": call.action,
    "x-acs-content-sha256": empty,
    "x-acs-date": `${call.now.toISOString().slice(0, 19)}Z`,
    ...(key.token ? { "x-acs-security-token": key.token } : {}),
    "x-acs-signature-nonce": call.nonce,
    "x-acs-version": call.version,
  };
  const names = Object.keys(signed).sort();
  const query = [...call.url.searchParams]
    .map(([name, value]) => `${encode(name)}=${encode(value)}`)
    .sort()
    .join("&");
  const request = [
    call.method,
    call.url.pathname,
    query,
    ...names.map((name) => `${name}:${signed[name]}`),
    "",
    names.join(";"),
    empty,
  ].join("\n");
  const signature = createHmac("sha256", key.secret)
    .update(`${ALGORITHM}\n${sha256(request)}`)
    .digest("hex");
  const { host: _, ...headers } = signed;
  const authorization = `${ALGORITHM} Credential=${key.id},SignedHeaders=${names.join(";")},Signature=${signature}`;
  return { ...headers, authorization };
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** Percent-encodes all but the unreserved characters of RFC 3986; encodeURIComponent leaves five more unencoded. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (each) => `%${each.charCodeAt(0).toString(16).toUpperCase()}`);
}
