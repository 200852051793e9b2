import { html, type Markup } from "../../format/html.ts";
import type { Check } from "../../verify/model.ts";
import { filePage } from "./page.ts";
import type { ImageRecord, ImagesResult } from "./record.ts";
import type { SignatureRecord } from "./signature-record.ts";
import { failureText, STATE_WORDS, signerText, summaryText } from "./words.ts";

/**
 * A report as one HTML page. It loads nothing, can be printed, and follows the reader's choice of light or dark. Its only script
 * filters the images; without scripts there is no search field.
 */
export function htmlReport(result: ImagesResult, now: Date): string {
  return filePage({
    title: summaryText(result),
    now,
    header: html`<p id="search" hidden><label for="filter">Show images that contain</label> <input id="filter" type="search" autocomplete="off"> <span role="status" id="shown"></span></p>
`,
    content: html`${result.images.map(imageOf)}
`,
    script: SCRIPT,
  });
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
