import { createHash } from "node:crypto";
import { html, type Markup } from "../../format/html.ts";
import type { Check } from "../../verify/model.ts";
import type { ImageRecord, ImagesResult } from "./record.ts";
import type { SignatureRecord } from "./signature-record.ts";
import { failureText, STATE_WORDS, signerText, summaryText } from "./words.ts";

/**
 * A report as one HTML page. It loads nothing, can be printed, and follows the reader's choice of light or dark. Its only script
 * filters the images; without scripts there is no search field.
 */
export function htmlReport(result: ImagesResult, now: Date): string {
  const time = now.toISOString().replace(/\.\d+Z$/, "Z");
  const policy = `default-src 'none'; style-src '${hashOf(STYLE)}'; script-src '${hashOf(SCRIPT)}'; base-uri 'none'; form-action 'none'`;
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${summaryText(result)} - tsign</title>
<style>${STYLE}</style>
</head>
<body>
<header>
<h1>${summaryText(result)}</h1>
<p>Written by tsign at <time datetime="${time}">${time}</time></p>
<p id="search" hidden><label for="filter">Show images that contain</label> <input id="filter" type="search" autocomplete="off"> <span role="status" id="shown"></span></p>
</header>
<main>
${result.images.map(imageOf)}
<script>${SCRIPT}</script>
</main>
</body>
</html>
`;
  return String(page);
}

function hashOf(text: Markup): string {
  return `sha256-${createHash("sha256").update(String(text)).digest("base64")}`;
}

function imageOf(record: ImageRecord): Markup {
  const { image, state, digest, error, signatures, missed } = record;
  const { signer, issuer, time } = signerText(record);
  const facts = [
    ["Digest", digest ?? ""],
    ["Signer", signer],
    ["Issuer", issuer],
    ["Signed at", time],
    ["Reason", error?.message ?? ""],
    ["What to do", error?.hint ?? ""],
    ...missed.map(({ place, reason }) => ["Not searched", `${place}: ${reason}`]),
  ].filter(([, value]) => value !== "");
  const word = STATE_WORDS[state];
  return html`<article class="${state === "verified" ? "good" : "bad"}">
<h2><span class="state">${state === "verified" ? "✓" : "✗"} ${word}</span> ${image}</h2>
<dl>
${facts.map(([name = "", value = ""]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>\n`)}</dl>
${signatures.map((each) => signatureOf(each))}</article>
`;
}

function signatureOf(signature: SignatureRecord): Markup {
  const { verified, place, checks, form } = signature;
  const kind = form === undefined ? "" : ` (${form === "bundle" ? "Sigstore bundle" : "legacy signature"})`;
  const failure = failureText(signature);
  return html`<details>
<summary>${verified ? "✓ verified" : "✗ not verified"}: ${place}${kind}</summary>
${failure === "" ? html`` : html`<p>${failure}</p>\n`}<ul>
${checks.map(checkOf)}</ul>
</details>
`;
}

function checkOf({ name, outcome, detail, expected, actual }: Check): Markup {
  const sign = outcome === "passed" ? "✓" : outcome === "failed" ? "✗" : "–";
  const compared =
    expected === undefined && actual === undefined
      ? html``
      : html`<br>expected <code>${expected ?? ""}</code>, found <code>${actual ?? ""}</code>`;
  return html`<li class="${outcome}">${sign} <b>${name}</b> ${outcome}: ${detail}${compared}</li>
`;
}

/** Hides the images without the text of the search field. */
const SCRIPT = html`
const field = document.getElementById("filter");
const images = [...document.querySelectorAll("article")];
document.getElementById("search").hidden = false;
field.addEventListener("input", () => {
  const wanted = field.value.trim().toLowerCase();
  let count = 0;
  for (const image of images) {
    image.hidden = !image.textContent.toLowerCase().includes(wanted);
    if (!image.hidden) count++;
  }
  document.getElementById("shown").textContent = wanted === "" ? "" : count + " of " + images.length;
});
`;

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
