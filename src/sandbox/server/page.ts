import { failure, html, htmlPage, type Markup } from "../../format/html.ts";
import type { ServerResponse } from "../../io/io.ts";
import { answer } from "./service.ts";

/** Whether a request asks for a page, as browsers do when they go to an address (RFC 9110 section 12.5.1); programs do not. */
export function wantsPage(headers: Readonly<Record<string, string>>): boolean {
  return /(?:^|,)\s*text\/html\s*(?:;|,|$)/i.test(headers["accept"] ?? "");
}

/** Writes a page of the sandbox. Its forms may lead to this machine's ports, by `http`. */
export function sandboxPage(title: string, content: Markup, options: { status?: number } = {}): ServerResponse {
  const { headers, body } = htmlPage({
    title,
    brand: "tsign sandbox",
    content,
    note: "The sandbox is a test service on this machine. Nothing it issues proves who anyone is.",
    formAction: "http:",
  });
  const { "content-type": type = "", ...rest } = headers;
  return answer(body, { type, headers: rest, ...options });
}

/** Writes a page for a request that was refused. */
export function refusedPage(status: number, title: string, reason: string): ServerResponse {
  return sandboxPage(title, failure(sentence(reason)), { status });
}

/** Writes a page for an address that the sandbox does not have. */
export function notFoundPage(path: string): ServerResponse {
  const content = html`<p class="error">The sandbox has no page at <code>${path}</code>.</p>
<p>To sign in a device, <a href="/device">enter its code</a>.</p>`;
  return sandboxPage("Page not found", content, { status: 404 });
}

/** A reason as a sentence: upper case first unless it begins with a parameter's name, and a full stop last. */
function sentence(reason: string): string {
  const first = /^[a-z]+ /.test(reason) ? reason.slice(0, 1).toUpperCase() : reason.slice(0, 1);
  return `${first}${reason.slice(1)}.`;
}
