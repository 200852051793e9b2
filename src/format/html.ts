import { createHash } from "node:crypto";

/** Markup that is safe to send to a browser. Only `html` creates it. */
export class Markup {
  readonly #text: string;

  constructor(pieces: TemplateStringsArray, values: readonly MarkupValue[]) {
    this.#text = String.raw({ raw: pieces }, ...values.map(escaped));
  }

  toString(): string {
    return this.#text;
  }
}

type MarkupValue = string | number | Markup | readonly Markup[];

/**
 * Creates markup from a template. Text in `${…}` is escaped, for elements and for quoted attributes; markup is kept.
 *
 *     html`<p title="${text}">${text}</p>`
 */
export function html(pieces: TemplateStringsArray, ...values: readonly MarkupValue[]): Markup {
  return new Markup(pieces, values);
}

function escaped(value: MarkupValue): string {
  if (value instanceof Markup) return value.toString();
  if (Array.isArray(value)) return value.map(escaped).join("");
  return String(value).replaceAll(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** Returns a row of a `dl`. The value may run in the other direction than its name. */
export function row(name: string, value: string | Markup): Markup {
  return html`<div><dt>${name}</dt><dd><bdi>${value}</bdi></dd></div>\n`;
}

/** Returns the content of a page for a failure: its reason, and to run the command again. */
export function failure(reason: string): Markup {
  return html`<p class="error">${reason}</p>
<p>Close this window, return to your terminal and run the command again.</p>`;
}

/** The parts of a page. */
export interface Page {
  /** The heading, and the beginning of the window's title. */
  readonly title: string;
  /** Name of the program, at the top of the page. */
  readonly brand: string;
  /** The content after the heading. */
  readonly content: Markup;
  /** A note at the bottom. */
  readonly note?: string;
  /** CSP sources (`http:`) that forms may be sent to, and redirected to; by default there are no forms. */
  readonly formAction?: string;
}

/**
 * Writes a page: one column, also for phones and screen readers, light or dark as the browser prefers. It contains no scripts and
 * loads nothing, and its headers make the browser refuse both (Content Security Policy Level 3).
 *
 * @returns the document, and its headers with lower-case names
 */
export function htmlPage({ title, brand, content, note, formAction = "'none'" }: Page): {
  headers: Record<string, string>;
  body: string;
} {
  const footer = note === undefined ? html`` : html`<footer><p>${note}</p></footer>\n`;
  const body = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title} - ${brand}</title>
<style>${STYLE}</style>
</head>
<body>
<header><p>${brand}</p></header>
<main>
<h1>${title}</h1>
${content}
</main>
${footer}</body>
</html>
`;
  const policy = [
    "default-src 'none'",
    `style-src 'sha256-${createHash("sha256").update(String(STYLE)).digest("base64")}'`,
    `form-action ${formAction}`,
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ];
  const headers = {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": policy.join("; "),
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
  };
  return { headers, body: String(body) };
}

/** Contrast is at least 4.5 for text and 3 for borders and the focus (WCAG 2.2, 1.4.3 and 1.4.11). */
const STYLE = html`
:root {
  color-scheme: light dark;
  --page: #eef1f5; --card: #ffffff; --text: #1b2128; --quiet: #505b68; --line: #d3dae2; --edge: #6b7785;
  --accent: #1552b3; --on-accent: #ffffff; --bad: #a81e14; --bad-card: #fdeeec;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #0f1419; --card: #1a2129; --text: #e8edf2; --quiet: #a9b4c0; --line: #35404b; --edge: #8894a1;
    --accent: #8fbcff; --on-accent: #0a1c36; --bad: #ffb3aa; --bad-card: #3b1d1a;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; min-height: 100vh; padding: 1.5rem 1rem; display: flex; flex-direction: column; align-items: center;
  background: var(--page); color: var(--text); font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere;
}
header, main, footer { width: 100%; max-width: 30rem; }
header { margin-top: 6vh; padding: 0 .25rem; color: var(--quiet); font-weight: 600; }
header p, footer p { margin: 0; }
main {
  margin: .75rem 0 1rem; padding: 1.5rem; background: var(--card); border: 1px solid var(--line); border-radius: .75rem;
}
footer { padding: 0 .25rem; color: var(--quiet); font-size: .875rem; }
h1 { margin: 0 0 .75rem; font-size: 1.5rem; line-height: 1.25; }
p { margin: 0 0 1rem; }
main > :last-child { margin-bottom: 0; }
a { color: var(--accent); }
dl { margin: 0 0 1.25rem; border-top: 1px solid var(--line); }
dl div { padding: .5rem 0; border-bottom: 1px solid var(--line); display: grid; grid-template-columns: 7.5rem 1fr; gap: .75rem; }
dt { color: var(--quiet); }
dd { margin: 0; }
code { font: 600 1em/1.4 ui-monospace, monospace; }
.code { margin: 0; padding: .75rem; border: 1px dashed var(--edge); border-radius: .5rem; text-align: center; }
.code code { font-size: .875rem; }
.user-code { font-size: 1.25rem; letter-spacing: .08em; white-space: nowrap; }
label { display: block; margin-bottom: .25rem; font-weight: 600; }
.hint { margin-bottom: .5rem; color: var(--quiet); font-size: .875rem; }
input {
  width: 100%; min-height: 2.75rem; margin-bottom: 1rem; padding: .5rem .75rem; font: inherit;
  color: inherit; background: var(--card); border: 1px solid var(--edge); border-radius: .5rem;
}
input.user-code { font-family: ui-monospace, monospace; text-transform: uppercase; }
button {
  width: 100%; min-height: 2.75rem; padding: .5rem 1rem; font: inherit; font-weight: 600; cursor: pointer;
  color: var(--on-accent); background: var(--accent); border: 0; border-radius: .5rem;
}
.error {
  padding: .75rem; color: var(--bad); background: var(--bad-card); border-left: .25rem solid var(--bad); border-radius: .25rem;
}
input[aria-invalid="true"] { border: 2px solid var(--bad); }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
@media (forced-colors: active) { button { border: 1px solid; } }
`;
