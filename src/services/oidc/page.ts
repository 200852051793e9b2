import { failure, html, htmlPage, row } from "../../format/html.ts";

/** How a login in the browser ended: for whom, at which issuer, or why it failed. */
export type LoginOutcome =
  | { readonly ok: true; readonly subject: string; readonly issuer: string }
  | { readonly ok: false; readonly reason: string };

const BRAND = "tsign";

/**
 * Writes the page that a login in the browser ends with: as whom, or why not, and what to do next.
 *
 * @returns the document, and its headers with lower-case names
 */
export function loginPage(outcome: LoginOutcome): ReturnType<typeof htmlPage> {
  if (!outcome.ok) {
    return htmlPage({ title: "Login failed", brand: BRAND, content: failure(outcome.reason) });
  }
  const content = html`<dl>
${[row("Signed in as", outcome.subject), row("Issuer", outcome.issuer)]}</dl>
<p>tsign continues in your terminal. You can close this window.</p>`;
  return htmlPage({ title: "You are signed in", brand: BRAND, content });
}

/** Writes the page for an address that no login comes back to. */
export function notFoundPage(): ReturnType<typeof htmlPage> {
  const content = html`<p>tsign waits at another address for a login to finish. Return to the window you log in with.</p>`;
  return htmlPage({ title: "Page not found", brand: BRAND, content });
}
