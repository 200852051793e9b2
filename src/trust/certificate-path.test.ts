import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { type Purpose, verifyCertificatePath } from "./certificate-path.ts";

const der = (name: string) =>
  new X509Certificate(readFileSync(new URL(`../../fixtures/certs/${name}.pem`, import.meta.url))).raw;
const ISSUED = new X509Certificate(der("leaf")).validFromDate;
const SOON = new Date(ISSUED.getTime() + 3_600_000);
const LATER = new Date(ISSUED.getTime() + 3 * 86_400_000);

function pathOf(leaf: string, intermediates: readonly string[], options: { at?: Date; purpose?: Purpose } = {}) {
  const authorities = { roots: [der("root")], intermediates: intermediates.map(der) };
  return verifyCertificatePath({ leaf: der(leaf), authorities, at: SOON, ...options });
}

test("a path leads from the leaf over its issuer to a root", () => {
  const { leaf, issuer } = pathOf("leaf", ["intermediate"]);
  assert.ok(leaf.native.raw.equals(der("leaf")));
  assert.ok(issuer.native.raw.equals(der("intermediate")));
});

test("a certificate of another kind, or under an authority that may not, has none", () => {
  for (const [leaf, intermediates, at, reason] of [
    ["leaf-server", ["intermediate"], SOON, /not for code signing/],
    ["leaf-below-pathlen", ["intermediate", "below-pathlen"], SOON, /no valid path/],
    ["leaf-of-leaf", ["intermediate", "not-an-authority"], SOON, /no valid path/],
    ["leaf-of-a-day", ["intermediate-of-a-day"], LATER, /no valid path/],
    ["root", [], SOON, /not for code signing/],
  ] as const) {
    assert.throws(() => pathOf(leaf, intermediates, { at }), { code: "untrusted", message: reason }, leaf);
  }
  assert.ok(pathOf("leaf-of-a-day", ["intermediate-of-a-day"]), "while its issuer is valid");
});

test("a signing certificate gives no timestamps", () => {
  assert.throws(() => pathOf("leaf", ["intermediate"], { purpose: "timeStamping" }), /not for timestamps alone/);
});
