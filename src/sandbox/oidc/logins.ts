import { createHash } from "node:crypto";
import type { ServerResponse } from "../../io/io.ts";
import { answer, type Call, json, Refused } from "../server/service.ts";
import type { Claims } from "./token.ts";

/** The redirect of clients without a browser: the code is shown to be typed in. */
const OUT_OF_BAND = "urn:ietf:wg:oauth:2.0:oob";
const LIFETIME = 10 * 60 * 1000;
const MAX_PENDING = 1000;

/** A sign-in that has begun. */
interface Pending {
  readonly until: number;
  readonly client: string;
  readonly challenge: string;
  readonly nonce: string | undefined;
  readonly redirect: string;
  readonly state: string | undefined;
  /** Whoever signed in. */
  email?: string;
}

/** Authorization code with PKCE (RFC 6749 §4.1, RFC 7636) and device authorization (RFC 8628). */
export interface Logins {
  /** Shows the sign-in page; with `login_hint` signs that person in at once. */
  authorize(call: Call): ServerResponse;
  approve(call: Call): ServerResponse;
  deviceCode(form: URLSearchParams): ServerResponse;
  devicePage(call: Call): ServerResponse;
  approveDevice(call: Call): ServerResponse;
  /** The claims for a code, which works once. */
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
  const requests = store(now);
  const codes = store(now);

  const finish = (request: Pending, email: string): ServerResponse => {
    const code = secretOf(parts);
    codes.set(code, { ...request, email });
    if (request.redirect === OUT_OF_BAND) return page("Your code", `<p>Type this in: <code>${code}</code></p>`);
    const location = new URL(request.redirect);
    location.searchParams.set("code", code);
    if (request.state !== undefined) location.searchParams.set("state", request.state);
    return { status: 302, headers: { location: location.href, "content-length": "0" } };
  };

  return {
    authorize({ query }) {
      const redirect = query.get("redirect_uri") ?? "";
      if (!isLoopback(redirect) && redirect !== OUT_OF_BAND) {
        throw new Refused(400, "invalid_request: redirect_uri leads away from this machine");
      }
      if (query.get("response_type") !== "code") throw new Refused(400, "unsupported_response_type: code is");
      const request = {
        until: now() + LIFETIME,
        client: query.get("client_id") || "sigstore",
        challenge: challengeOf(query),
        nonce: query.get("nonce") ?? undefined,
        redirect,
        state: query.get("state") ?? undefined,
      };
      const hint = query.get("login_hint");
      if (hint) return finish(request, hint);
      const id = secretOf(parts);
      requests.set(id, request);
      return signInPage("/auth/approve", { request: id }, defaultEmail);
    },
    approve({ query }) {
      const request = requests.take(query.get("request") ?? "");
      if (!request) throw new Refused(400, "invalid_request: this sign-in has ended, start again");
      return finish(request, query.get("email") || defaultEmail);
    },
    redeem(form) {
      const found = codes.take(form.get("code") ?? "");
      if (!found?.email) throw new Refused(400, "invalid_grant: no such code, or it was used");
      if (form.get("redirect_uri") !== found.redirect) throw new Refused(400, "invalid_grant: another redirect_uri");
      requireSame(found, form);
      return { ...person(found.email), ...(found.nonce === undefined ? {} : { nonce: found.nonce }) };
    },
  };
}

function deviceLogins(parts: Parts): Pick<Logins, "deviceCode" | "devicePage" | "approveDevice" | "redeemDevice"> {
  const { now, random, person, defaultEmail, base } = parts;
  const devices = store(now);
  const userCodes = new Map<string, string>();
  return {
    deviceCode(form) {
      const [device_code, user_code] = [secretOf(parts), userCode(random)];
      devices.set(device_code, {
        until: now() + LIFETIME,
        client: form.get("client_id") || "sigstore",
        challenge: form.has("code_challenge") ? challengeOf(form) : "",
        nonce: undefined,
        redirect: "",
        state: undefined,
      });
      userCodes.set(user_code, device_code);
      const verification_uri = `${base}/device`;
      const verification_uri_complete = `${verification_uri}?user_code=${user_code}`;
      const expires_in = LIFETIME / 1000;
      return json({ device_code, user_code, verification_uri, verification_uri_complete, expires_in, interval: 1 });
    },
    devicePage: ({ query }) => signInPage("/device/approve", { user_code: query.get("user_code") ?? "" }, defaultEmail),
    approveDevice({ query }) {
      const code = (query.get("user_code") ?? "").toUpperCase();
      const device = devices.get(userCodes.get(code) ?? "");
      if (!device) throw new Refused(400, "invalid_request: no such user code");
      device.email = query.get("email") || defaultEmail;
      userCodes.delete(code);
      return page("Signed in", "<p>The device is signed in; you can close this page.</p>");
    },
    redeemDevice(form) {
      const code = form.get("device_code") ?? "";
      const found = devices.get(code);
      if (!found) throw new Refused(400, "expired_token: no such device code");
      if (!found.email) throw new Refused(400, "authorization_pending: nobody has signed in yet");
      requireSame(found, form);
      devices.take(code);
      return person(found.email);
    },
  };
}

/** Two groups of four consonants: easy to type, and no word. */
function userCode(random: Parts["random"]): string {
  const letters = [...random(8)].map((byte) => "BCDFGHJKLMNPQRSTVWXZ"[byte % 20]).join("");
  return `${letters.slice(0, 4)}-${letters.slice(4)}`;
}

/** What is pending, by a secret: it ends, and there is never too much of it. */
function store(now: () => number) {
  const all = new Map<string, Pending>();
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
    set(id: string, pending: Pending) {
      const [oldest] = all.keys();
      if (all.size >= MAX_PENDING && oldest !== undefined) all.delete(oldest);
      all.set(id, pending);
    },
  };
}

/** Whether a redirect stays on this machine (RFC 8252 §7.3, and `localhost`, which cosign uses). */
function isLoopback(address: string): boolean {
  const url = URL.parse(address);
  return url?.protocol === "http:" && ["localhost", "127.0.0.1", "[::1]"].includes(url.hostname);
}

/** The S256 challenge, which is required (RFC 7636 §4.3). */
function challengeOf(form: URLSearchParams): string {
  const challenge = form.get("code_challenge") ?? "";
  if (form.get("code_challenge_method") !== "S256" || !/^[A-Za-z0-9_-]{43}$/.test(challenge)) {
    throw new Refused(400, "invalid_request: a code_challenge with the method S256 is needed");
  }
  return challenge;
}

/** That whoever redeems is the client that asked: its name, and its verifier (RFC 7636 §4.6). */
function requireSame({ challenge, client }: Pending, form: URLSearchParams): void {
  if ((form.get("client_id") || client) !== client) throw new Refused(400, "invalid_grant: another client_id");
  const verifier = form.get("code_verifier") ?? "";
  if (challenge !== "" && createHash("sha256").update(verifier).digest("base64url") !== challenge) {
    throw new Refused(400, "invalid_grant: the code_verifier is another one");
  }
}

/** A form sent with GET: with POST a browser would send an Origin header, and every request with one is refused. */
function signInPage(action: string, hidden: Record<string, string>, email: string): ServerResponse {
  const fields = Object.entries(hidden)
    .map(([name, value]) => `<input type="hidden" name="${name}" value="${escaped(value)}">`)
    .join("");
  const body =
    `<p>Nobody checks who you are here: name any e-mail address.</p><form action="${action}">${fields}` +
    `<input name="email" type="email" value="${escaped(email)}" autofocus> <button>Sign in</button></form>`;
  return page("Sign in to the sandbox", body);
}

function page(title: string, body: string): ServerResponse {
  const html = `<!doctype html><html lang="en"><meta charset="utf-8"><title>${title}</title><h1>${title}</h1>${body}</html>\n`;
  const headers = {
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cache-control": "no-store",
  };
  return answer(html, { type: "text/html; charset=utf-8", headers });
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
