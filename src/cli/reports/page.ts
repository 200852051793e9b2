import { createHash } from "node:crypto";
import { html, type Markup } from "../../format/html.ts";

/** The parts of a page in a file. */
interface FilePage {
  /** The heading, and the beginning of the window's title. */
  readonly title: string;
  /** When it was written. */
  readonly now: Date;
  /** Below the heading. */
  readonly header?: Markup;
  readonly content: Markup;
  /** Its only script. */
  readonly script?: Markup;
}

/** A page as one file. It loads nothing, can be printed, fits a phone, and follows the reader's choice of light or dark. */
export function filePage({ title, now, header = html``, content, script }: FilePage): string {
  const time = now.toISOString().replace(/\.\d+Z$/, "Z");
  const scripts = script === undefined ? "" : ` script-src '${hashOf(script)}';`;
  const policy = `default-src 'none'; style-src '${hashOf(STYLE)}';${scripts} base-uri 'none'; form-action 'none'`;
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title} - tsign</title>
<style>${STYLE}</style>
</head>
<body>
<header>
<h1>${title}</h1>
<p>Written by tsign at <time datetime="${time}">${time}</time></p>
${header}</header>
<main>
${content}${
  script === undefined
    ? html``
    : html`<script>${script}</script>
`
}</main>
</body>
</html>
`;
  return String(page);
}

function hashOf(text: Markup): string {
  return `sha256-${createHash("sha256").update(String(text)).digest("base64")}`;
}

/** Contrast is at least 4.5 for text and 3 for borders (WCAG 2.2, 1.4.3 and 1.4.11). */
const STYLE = html`
:root {
  color-scheme: light dark;
  --page: #eef1f5; --card: #ffffff; --text: #1b2128; --quiet: #505b68; --line: #d3dae2; --edge: #6b7785;
  --accent: #1552b3; --good: #12632f; --bad: #a81e14;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #0f1419; --card: #1a2129; --text: #e8edf2; --quiet: #a9b4c0; --line: #35404b; --edge: #8894a1;
    --accent: #8fbcff; --good: #7ddc9a; --bad: #ffb3aa;
  }
}
@media print {
  :root {
    color-scheme: light; --page: #ffffff; --card: #ffffff; --text: #000000; --quiet: #333333; --line: #999999; --edge: #666666;
    --good: #0b4a22; --bad: #8a1710;
  }
  #search { display: none; }
  article { break-inside: avoid-page; }
  details::details-content { content-visibility: visible; display: block; height: auto; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 60rem; padding: 1.5rem 1rem; background: var(--page); color: var(--text); font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { margin: 0 0 .25rem; font-size: 1.5rem; line-height: 1.25; }
header p { margin: 0 0 1rem; color: var(--quiet); }
input { min-height: 2.75rem; padding: .25rem .5rem; font: inherit; color: inherit; background: var(--card); border: 1px solid var(--edge); border-radius: .5rem; }
article { margin: 0 0 1rem; padding: 1rem 1.25rem; background: var(--card); border: 1px solid var(--line); border-left: .375rem solid var(--bad); border-radius: .5rem; }
article.good { border-left-color: var(--good); }
h2 { margin: 0 0 .5rem; font-size: 1.0625rem; }
.state { margin-right: .5rem; color: var(--bad); }
.good .state { color: var(--good); }
dl { margin: 0; }
dl div { display: grid; grid-template-columns: 7.5rem 1fr; gap: .75rem; padding: .125rem 0; }
dt { color: var(--quiet); }
dd { margin: 0; }
details { margin-top: .5rem; }
summary { cursor: pointer; }
details p { margin: .25rem 0; }
ul { margin: .25rem 0 0; padding: 0; list-style: none; }
li { padding: .125rem 0 .125rem 1rem; }
li.failed { color: var(--bad); }
code { font-family: ui-monospace, monospace; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
@media (max-width: 30rem) { dl div { grid-template-columns: 1fr; gap: 0; } }
`;
