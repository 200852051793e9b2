import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { html, htmlPage } from "./html.ts";

test("html: text -> escaped; markup and lists of it -> kept", () => {
  const text = `<script>"'&amp;`;
  const escaped = "&#60;script&#62;&#34;&#39;&#38;amp;";
  assert.equal(String(html`<p title="${text}">${text}</p>`), `<p title="${escaped}">${escaped}</p>`);
  assert.equal(String(html`${html`<b>${text}</b>`}`), `<b>${escaped}</b>`);
  assert.equal(String(html`${[html`<i>`, html`</i>`]}${[]}${7}`), "<i></i>7");
});

test("html: an object that looks like markup -> not taken for it", () => {
  const forged = { toString: () => "<script>" } as unknown as string;
  assert.equal(String(html`${forged}`), "&#60;script&#62;");
  assert.equal(String(html`${["<script>"] as never}`), "&#60;script&#62;");
});

test("htmlPage: title, brand and note are escaped, and only the page's own style applies", () => {
  const text = "<script>";
  const { body, headers } = htmlPage({ title: text, brand: text, note: text, content: html`<p>content</p>` });
  assert.doesNotMatch(body, /<script/);
  assert.match(body, /^<!doctype html>\n<html lang="en">.*<main>\n<h1>.*<p>content<\/p>\n<\/main>\n<footer>/s);
  const [, style = ""] = /<style>(.*)<\/style>/s.exec(body) ?? [];
  const digest = createHash("sha256").update(style).digest("base64");
  assert.equal(
    headers["content-security-policy"],
    `default-src 'none'; style-src 'sha256-${digest}'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'`,
  );
  assert.equal(headers["cache-control"], "no-store");
});

test("htmlPage: without a note -> no footer", () => {
  assert.doesNotMatch(htmlPage({ title: "a", brand: "b", content: html`` }).body, /<footer/);
});

test("htmlPage: colours -> enough contrast for text and edges, light and dark", () => {
  const { body } = htmlPage({ title: "a", brand: "b", content: html`` });
  const themes = [...body.matchAll(/--page: [^}]*/g)].map(([block]) =>
    Object.fromEntries([...block.matchAll(/--([\w-]+): (#\w{6})/g)].map(([, name, colour]) => [name, colour])),
  );
  assert.equal(themes.length, 2);
  for (const theme of themes) {
    for (const [front, back, least] of [
      ["text", "card", 4.5],
      ["text", "page", 4.5],
      ["quiet", "card", 4.5],
      ["quiet", "page", 4.5],
      ["accent", "card", 4.5],
      ["on-accent", "accent", 4.5],
      ["bad", "bad-card", 4.5],
      ["bad", "card", 3],
      ["edge", "card", 3],
      ["accent", "page", 3],
    ] as const) {
      const ratio = contrast(theme[front] ?? "", theme[back] ?? "");
      assert.ok(ratio >= least, `${front} on ${back}: ${ratio}`);
    }
  }
});

/** Contrast of two colours, from 1 to 21 (WCAG 2.2, "contrast ratio"). */
function contrast(one: string, other: string): number {
  const [light = 0, dark = 0] = [luminance(one), luminance(other)].sort((a, b) => b - a);
  return (light + 0.05) / (dark + 0.05);
}

function luminance(colour: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
    const part = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
