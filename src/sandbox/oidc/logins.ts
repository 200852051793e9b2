import { createHash } from "node:crypto";
import type { ServerResponse } from "../../io/io.ts";
import { wantsPage } from "../server/page.ts";
import { type Call, json, Refused } from "../server/service.ts";
import { copyCodePage, deviceCodePage, deviceDonePage, deviceSignInPage, signInPage } from "./pages.ts";
import type { Claims } from "./token.ts";

/** The redirect URI of clients without a browser: the page shows the code to copy. */
const OUT_OF_BAND = "urn:ietf:wg:oauth:2.0:oob";
const LIFETIME = 10 * 60 * 1000;
/** Time for which a user code is kept, so that a late one is reported as expired and not as wrong. Milliseconds. */
const CODE_KEPT_FOR = 24 * 60 * 60 * 1000;
const MAX_PENDING = 1000;

/** A sign-in in progress. */
interface Pending {
  readonly until: number;
  readonly client: string;
  readonly scope: string;
  readonly challenge: string;
  readonly nonce: string | undefined;
  readonly redirect: string;
  readonly state: string | undefined;
  /** The person who signed in. */
  email?: string;
}

/** Authorization code with PKCE (RFC 6749 §4.1, RFC 7636) and device authorization (RFC 8628). */
export interface Logins {
  /** Shows the sign-in page; `login_hint` signs that person in at once. */
  authorize(call: Call): ServerResponse;
  approve(call: Call): ServerResponse;
  deviceCode(form: URLSearchParams): ServerResponse;
  /** Asks for the code or, after a valid code, for the person. */
  devicePage(call: Call): ServerResponse;
  approveDevice(call: Call): ServerResponse;
  /** Returns the claims for a code, which can be used once. */
  redeem(form: URLSearchParams): Claims;
  redeemDevice(form: URLSearchParams): Claims;
}

interface Parts {
  readonly base: string;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly random: (bytes: number) => Uint8Array;
  readonly person: (email: string) => Claims;
  readonly defaultEmail: string;
}

export function createLogins(parts: Parts): Logins {
  return { ...codeLogins(parts), ...deviceLogins(parts) };
}

const secretOf = ({ random }: Parts) => Buffer.from(random(24)).toString("base64url");

function codeLogins(parts: Parts): Pick<Logins, "authorize" | "approve" | "redeem"> {
  const { now, person, defaultEmail } = parts;
  const requests = store<Pending>(now);
  const codes = store<Pending>(now);

  const finish = (request: Pending, email: string): ServerResponse => {
    const code = secretOf(parts);
    codes.set(code, { ...request, email });
    if (request.redirect === OUT_OF_BAND) return copyCodePage(request, { code, email });
    const location = new URL(request.redirect);
    location.searchParams.set("code", code);
    if (request.state !== undefined) location.searchParams.set("state", request.state);
    return { status: 302, headers: { location: location.href, "content-length": "0" } };
  };

  return {
    authorize({ query }) {
      const redirect = query.get("redirect_uri") ?? "";
      if (!isLoopback(redirect) && redirect !== OUT_OF_BAND) {
        throw new Refused(400, "invalid_request: redirect_uri must be a loopback address");
      }
      if (query.get("response_type") !== "code")
        throw new Refused(400, "unsupported_response_type: response_type must be code");
      const request = {
        until: now() + LIFETIME,
        client: query.get("client_id") || "sigstore",
        scope: query.get("scope") ?? "",
        challenge: challengeOf(query),
        nonce: query.get("nonce") ?? undefined,
        redirect,
        state: query.get("state") ?? undefined,
      };
      const hint = query.get("login_hint");
      if (hint) return finish(request, hint);
      const id = secretOf(parts);
      requests.set(id, request);
      return signInPage(request, { id, redirect, email: defaultEmail });
    },
    approve({ query }) {
      const request = requests.take(query.get("request") ?? "");
      if (!request) throw new Refused(400, "invalid_request: the sign-in has expired or is already complete");
      return finish(request, query.get("email") || defaultEmail);
    },
    redeem(form) {
      const found = codes.take(form.get("code") ?? "");
      if (!found?.email) throw new Refused(400, "invalid_grant: the code is unknown or was already used");
      if (form.get("redirect_uri") !== found.redirect) throw new Refused(400, "invalid_grant: redirect_uri mismatch");
      requireSame(found, form);
      return { ...person(found.email), ...(found.nonce === undefined ? {} : { nonce: found.nonce }) };
    },
  };
}

function deviceLogins(parts: Parts): Pick<Logins, "deviceCode" | "devicePage" | "approveDevice" | "redeemDevice"> {
  const { now, person, defaultEmail, base } = parts;
  const devices = store<Pending>(now);
  const userCodes = store<{ until: number; device: string }>(now);
  /** Returns the request of a user code, or the reason why the code is refused. */
  const find = (code: string): { device: Pending } | { error: string } => {
    const known = userCodes.get(code);
    const device = devices.get(known?.device ?? "");
    if (device) return { device };
    const wrong = "This code is wrong or was used before. Compare it with the one in your terminal.";
    return { error: known ? "This code has expired. Run the command again to get a new one." : wrong };
  };
  return {
    deviceCode(form) {
      const [device_code, user_code] = [secretOf(parts), userCode(parts.random)];
      devices.set(device_code, {
        until: now() + LIFETIME,
        client: form.get("client_id") || "sigstore",
        scope: form.get("scope") ?? "",
        challenge: form.has("code_challenge") ? challengeOf(form) : "",
        nonce: undefined,
        redirect: "",
        state: undefined,
      });
      userCodes.set(user_code, { until: now() + CODE_KEPT_FOR, device: device_code });
      const verification_uri = `${base}/device`;
      const verification_uri_complete = `${verification_uri}?user_code=${user_code}`;
      const expires_in = LIFETIME / 1000;
      return json({ device_code, user_code, verification_uri, verification_uri_complete, expires_in, interval: 1 });
    },
    devicePage({ query }) {
      const typed = query.get("user_code") ?? "";
      if (typed.trim() === "") return deviceCodePage();
      const code = readUserCode(typed);
      const found = find(code);
      if ("error" in found) return deviceCodePage({ code: typed, error: found.error });
      return deviceSignInPage(found.device, { code, email: defaultEmail });
    },
    approveDevice({ query, headers }) {
      const typed = query.get("user_code") ?? "";
      const code = readUserCode(typed);
      const found = find(code);
      if ("error" in found) {
        if (wantsPage(headers)) return deviceCodePage({ code: typed, error: found.error });
        throw new Refused(400, "invalid_request: wrong or expired user code");
      }
      const email = query.get("email") || defaultEmail;
      found.device.email = email;
      userCodes.take(code);
      return deviceDonePage(found.device, email);
    },
    redeemDevice(form) {
      const code = form.get("device_code") ?? "";
      const found = devices.get(code);
      if (!found) throw new Refused(400, "expired_token: unknown device code");
      if (!found.email) throw new Refused(400, "authorization_pending: waiting for the user to sign in");
      requireSame(found, form);
      devices.take(code);
      return person(found.email);
    },
  };
}

/** Returns two groups of four consonants, which are easy to type and form no words. */
function userCode(random: Parts["random"]): string {
  const letters = [...random(8)].map((byte) => "BCDFGHJKLMNPQRSTVWXZ"[byte % 20]).join("");
  return `${letters.slice(0, 4)}-${letters.slice(4)}`;
}

/** Normalizes a typed code: upper or lower case, with or without the hyphen (RFC 8628 section 6.1). */
function readUserCode(typed: string): string {
  const letters = typed.replace(/[^A-Za-z]/g, "").toUpperCase();
  return `${letters.slice(0, 4)}-${letters.slice(4)}`;
}

/** Stores pending values by a secret until they expire, at most MAX_PENDING at a time. */
function store<T extends { readonly until: number }>(now: () => number) {
  const all = new Map<string, T>();
  const get = (id: string) => {
    const found = all.get(id);
    return found && found.until >= now() ? found : undefined;
  };
  return {
    get,
    take(id: string) {
      const found = get(id);
      all.delete(id);
      return found;
    },
    set(id: string, pending: T) {
      const [oldest] = all.keys();
      if (all.size >= MAX_PENDING && oldest !== undefined) all.delete(oldest);
      all.set(id, pending);
    },
  };
}

/** Reports whether a redirect stays on this machine (RFC 8252 §7.3, and `localhost`, which cosign uses). */
function isLoopback(address: string): boolean {
  const url = URL.parse(address);
  return url?.protocol === "http:" && ["localhost", "127.0.0.1", "[::1]"].includes(url.hostname);
}

/** Returns the S256 challenge, which is required (RFC 7636 §4.3). */
function challengeOf(form: URLSearchParams): string {
  const challenge = form.get("code_challenge") ?? "";
  if (form.get("code_challenge_method") !== "S256" || !/^[A-Za-z0-9_-]{43}$/.test(challenge)) {
    throw new Refused(400, "invalid_request: missing code_challenge with the method S256");
  }
  return challenge;
}

/** Checks that the client that redeems a code is the one that requested it, by its ID and verifier (RFC 7636 §4.6). */
function requireSame({ challenge, client }: Pending, form: URLSearchParams): void {
  if ((form.get("client_id") || client) !== client) throw new Refused(400, "invalid_grant: client_id mismatch");
  const verifier = form.get("code_verifier") ?? "";
  if (challenge !== "" && createHash("sha256").update(verifier).digest("base64url") !== challenge) {
    throw new Refused(400, "invalid_grant: code_verifier mismatch");
  }
}
