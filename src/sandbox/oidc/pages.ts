import { html, type Markup, row } from "../../format/html.ts";
import type { ServerResponse } from "../../io/io.ts";
import { sandboxPage } from "../server/page.ts";

/*
 * Forms are sent with GET: with POST a browser would send an Origin header, and the sandbox refuses requests with one.
 */

/** Who asks for a sign-in, and for what. */
export interface Request {
  /** The client's name, which the token's audience is. */
  readonly client: string;
  /** What the client asks for, separated by spaces (RFC 6749 section 3.3). */
  readonly scope: string;
}

const SCOPES: Readonly<Record<string, string>> = { openid: "your identity", email: "your e-mail address" };

/** The page that asks who signs in, for a redirect of the browser. */
export function signInPage(request: Request, options: { id: string; redirect: string; email: string }): ServerResponse {
  const { id, redirect, email } = options;
  const target = URL.parse(redirect)?.host;
  const rows = [...aboutRequest(request), row("Returns to", target || "a code to copy")];
  return sandboxPage(
    "Sign in",
    html`<p>Check what you sign in to, then choose who to be.</p>
<dl>${rows}</dl>
<form action="/auth/approve">
<input type="hidden" name="request" value="${id}">
${emailField(email)}
<button>Sign in</button>
</form>`,
  );
}

/** The page that asks for a device's code. */
export function deviceCodePage(options: { code?: string; error?: string } = {}): ServerResponse {
  const { code = "", error } = options;
  const problem = error === undefined ? [] : [html`<p class="error" id="problem" role="alert">${error}</p>\n`];
  const state = error === undefined ? html`` : html` aria-invalid="true"`;
  const described = error === undefined ? "code-hint" : "problem code-hint";
  return sandboxPage(
    error === undefined ? "Sign in a device" : "Check the code",
    html`${problem}<form action="/device">
<label for="user-code">Code</label>
<p class="hint" id="code-hint">Enter the code that your terminal shows, such as BCDF-GHJK.</p>
<input class="user-code" id="user-code" name="user_code" value="${code}" aria-describedby="${described}"${state} required
 maxlength="40" autocomplete="one-time-code" autocapitalize="characters" autocorrect="off" spellcheck="false">
<button>Continue</button>
</form>`,
    error === undefined ? {} : { status: 400 },
  );
}

/** The page that shows a device's code and request, and asks who signs in (RFC 8628 section 3.3). */
export function deviceSignInPage(request: Request, options: { code: string; email: string }): ServerResponse {
  const { code, email } = options;
  const shown = html`<code class="user-code">${code}</code>`;
  return sandboxPage(
    "Sign in a device",
    html`<p>Sign in only if your terminal shows this code. <a href="/device">Enter another code</a></p>
<dl>${[row("Code", shown), ...aboutRequest(request)]}</dl>
<form action="/device/approve">
<input type="hidden" name="user_code" value="${code}">
${emailField(email)}
<button>Sign in</button>
</form>`,
  );
}

/** The page that a device's sign-in ends with. */
export function deviceDonePage({ client }: Request, email: string): ServerResponse {
  return sandboxPage(
    "You are signed in",
    html`<dl>${[row("Signed in as", email), row("Application", client)]}</dl>
<p>The device continues by itself. You can close this window.</p>`,
  );
}

/** The page with a code to copy, for a client that the browser cannot return to. */
export function copyCodePage({ client }: Request, options: { code: string; email: string }): ServerResponse {
  const { code, email } = options;
  return sandboxPage(
    "Copy the code",
    html`<dl>${[row("Signed in as", email), row("Application", client)]}</dl>
<p>Enter this code in your terminal. You can close this window afterwards.</p>
<p class="code"><code>${code}</code></p>`,
  );
}

function aboutRequest({ client, scope }: Request): Markup[] {
  const asked = scope.split(" ").filter((name) => name !== "");
  const access = asked.map((name) => (Object.hasOwn(SCOPES, name) ? `${SCOPES[name]} (${name})` : name));
  return [row("Application", client), row("Asks for", access.join(", ") || "nothing by name")];
}

function emailField(email: string): Markup {
  return html`<label for="email">E-mail address</label>
<p class="hint" id="email-hint">Any address will do: the sandbox checks no password.</p>
<input id="email" name="email" type="email" value="${email}" aria-describedby="email-hint" required
 autocomplete="email" autocapitalize="none" autocorrect="off" spellcheck="false">`;
}
