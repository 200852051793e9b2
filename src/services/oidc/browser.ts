import * as openid from "openid-client";
import { TsignError } from "../../errors.ts";
import type { Io, ServerRequest, ServerResponse } from "../../io/io.ts";
import { asTsignErrors, type Client, discover, identityTokenOf, SCOPE } from "./client.ts";
import { type FlowIo, outOfBandToken } from "./flows.ts";
import { loginPage, notFoundPage } from "./page.ts";
import { type IdentityToken, readIdentityToken } from "./token.ts";

export type BrowserIo = FlowIo & Pick<Io, "spawn" | "listen" | "platform">;

/** How long a login may take, in milliseconds. */
const LOGIN_TIMEOUT = 120_000;
/** How long a program that opens browsers takes to fail, in milliseconds. */
const OPENER_TIME = 1000;
const DEFAULT_PATH = "/auth/callback";

/**
 * Logs in with the code flow in the user's browser (RFC 8252), with PKCE, state, nonce, and a redirect to this machine only.
 * The last page in the browser says who signed in, or why the login failed. If no browser can be opened, the user copies
 * the code (`outOfBandToken`).
 *
 * @param options.redirectUrl the redirect URL, for an issuer that accepts only one
 * @returns the identity token, a JWT
 * @throws TsignError "usage" for another redirect URL, "timeout", "auth" or "service" of the issuer
 */
export async function browserToken(
  io: BrowserIo,
  client: Client,
  options: { redirectUrl: string | undefined },
): Promise<string> {
  const configuration = await discover(io, client);
  const redirect = parseRedirect(options.redirectUrl);
  const checks = {
    pkceCodeVerifier: openid.randomPKCECodeVerifier(),
    expectedState: openid.randomState(),
    expectedNonce: openid.randomNonce(),
    idTokenExpected: true,
  };
  const login = pendingLogin();
  const exchange = (address: URL) =>
    asTsignErrors(client.issuer, async () => {
      const answer = await openid.authorizationCodeGrant(configuration, address, checks);
      return readIdentityToken(identityTokenOf(client.issuer, answer), { source: client.issuer.host, now: io.now() });
    });
  let base = redirect;
  const server = await io.listen({ host: "127.0.0.1", port: Number(redirect.port || 0) }, (request) =>
    answerRedirect(request, { base, state: checks.expectedState, exchange, login }),
  );
  try {
    base = new URL(redirect);
    if (redirect.port === "") base.port = String(server.port);
    const url = openid.buildAuthorizationUrl(configuration, {
      redirect_uri: base.href,
      scope: SCOPE,
      code_challenge: await openid.calculatePKCECodeChallenge(checks.pkceCodeVerifier),
      code_challenge_method: "S256",
      state: checks.expectedState,
      nonce: checks.expectedNonce,
      access_type: "online",
    });
    const done = new AbortController();
    const late = io.sleep(LOGIN_TIMEOUT, AbortSignal.any([io.signal, done.signal])).then(() => {
      throw new TsignError("timeout", `login not completed within ${LOGIN_TIMEOUT / 1000} s`, {
        hint: "run the command again, or use --fulcio-auth-flow=device to log in on another device",
      });
    });
    late.catch(() => {});
    try {
      const outcome = await Promise.race([login.token, late, openBrowser(io, url, done.signal)]);
      if (typeof outcome === "string") return outcome;
    } finally {
      done.abort();
    }
    io.stderr.write("No browser could be opened.\n", { always: true });
  } finally {
    // Time for the last page to reach the browser.
    await io.sleep(100);
    await server.close();
  }
  return outOfBandToken(io, client);
}

interface PendingLogin {
  readonly token: Promise<string>;
  resolve(token: string): void;
  reject(error: unknown): void;
}

function pendingLogin(): PendingLogin {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  promise.catch(() => {}); // it may be rejected before it is awaited
  return { token: promise, resolve, reject };
}

/**
 * Opens the browser, and prints the address once it is likely that a browser opens. Otherwise only the address of the other
 * flow is printed.
 *
 * @returns undefined when no browser can be opened; never settles while one is open
 */
async function openBrowser(io: BrowserIo, url: URL, signal: AbortSignal): Promise<undefined> {
  const [file, ...args] = opener(io.platform.os);
  const opened = io.spawn(file, [...args, url.href]).then(
    ({ code }) => code === 0,
    () => false, // the program does not exist
  );
  const waited = io.sleep(OPENER_TIME, AbortSignal.any([io.signal, signal])).then(
    () => true,
    () => false, // the login has ended
  );
  if (await Promise.race([opened, waited])) {
    for (const line of ["Your browser will now be opened to:", url.href])
      io.stderr.write(`${line}\n`, { always: true });
  }
  return (await opened) ? new Promise(() => {}) : undefined;
}

function opener(os: string): [string, ...string[]] {
  if (os === "darwin") return ["open"];
  if (os === "win32") return ["rundll32", "url.dll,FileProtocolHandler"];
  return ["xdg-open"];
}

/** Parses the redirect URL, which must be on this machine, so that the code is not sent over a network. */
function parseRedirect(text: string | undefined): URL {
  if (!text) return new URL(`http://localhost${DEFAULT_PATH}`);
  const url = URL.parse(text);
  const isLocal = url && ["localhost", "127.0.0.1"].includes(url.hostname) && url.protocol === "http:";
  if (!isLocal) {
    throw new TsignError("usage", `--oidc-redirect-url must be an address on this machine: "${text}"`, {
      hint: "use an address such as http://localhost:8080/auth/callback",
    });
  }
  return url;
}

/** Answers the redirect of this login with the last page, and refuses other requests. */
async function answerRedirect(
  request: ServerRequest,
  pending: { base: URL; state: string; exchange: (address: URL) => Promise<IdentityToken>; login: PendingLogin },
): Promise<ServerResponse> {
  const { base, state, exchange, login } = pending;
  const address = new URL(request.url, base);
  const host = request.headers["host"] ?? "";
  const isExpectedHost = host === base.host || host === `127.0.0.1:${base.port}`;
  if (request.method !== "GET" || !isExpectedHost || address.pathname !== base.pathname) {
    return page(404, notFoundPage());
  }
  if (address.searchParams.get("state") !== state) {
    const error = new TsignError("auth", "state mismatch: the browser returned from another login", {
      hint: "run the command again, and finish the login on the page it opens",
    });
    login.reject(error);
    return page(400, loginPage({ ok: false, reason: error.message }));
  }
  try {
    const token = await exchange(address);
    login.resolve(token.raw);
    return page(200, loginPage({ ok: true, subject: token.subject, issuer: token.issuer }));
  } catch (error) {
    login.reject(error);
    const reason = error instanceof Error ? error.message : "unknown error";
    return page(400, loginPage({ ok: false, reason }));
  }
}

function page(status: number, { headers, body }: ReturnType<typeof loginPage>): ServerResponse {
  return { status, headers: { ...headers, connection: "close" }, body };
}
