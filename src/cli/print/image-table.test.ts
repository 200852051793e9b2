import assert from "node:assert/strict";
import { test } from "node:test";
import type { Verified } from "../../verify/verify.ts";
import { type ImageRow, printTable, summaryOf } from "./image-table.ts";
import { checkedText, factsOf, signedBy } from "./signed-by.ts";
import { plain } from "./style.ts";
import { widthOf } from "./wrap.ts";

const good = (image: string, signer: string): ImageRow => ({
  image,
  result: { ok: true, signer, issuer: "https://issuer.example", time: "2026-11-30T08:01:02Z", logIndex: "12" },
});
const bad = (image: string, reason: string): ImageRow => ({ image, result: { ok: false, reason } });

function table(rows: readonly ImageRow[], columns: number): string[] {
  const lines: string[] = [];
  const look = { terminal: true, colour: false, unicode: true, links: false, columns };
  printTable({ write: (text) => lines.push(text.trimEnd()) }, rows, look);
  return lines;
}

test("printTable: columns are aligned, and the reason of a refused image stands beside it", () => {
  const rows = [good("r.example/app:v1", "alice@example.com"), bad("r.example/b:v1", "no signatures found")];
  assert.deepEqual(table(rows, 120), [
    "  IMAGE             SIGNER             ISSUER                  SIGNED AT             LOG INDEX",
    "✓ r.example/app:v1  alice@example.com  https://issuer.example  2026-11-30T08:01:02Z  12",
    "✗ r.example/b:v1    no signatures found",
  ]);
  assert.equal(summaryOf(rows), "1 of 2 images verified");
});

test("printTable: no row of a verified image is wider than the terminal, and the image's end is kept", () => {
  const image = `registry.example/a/long/path/to/${"x".repeat(60)}/app:v1`;
  for (const columns of [80, 100, 200]) {
    const lines = table([good(image, "a".repeat(90))], columns);
    for (const line of lines) assert.ok(widthOf(line) <= columns, line);
    assert.match(lines[1] ?? "", /app:v1/);
  }
});

test("printTable: only refused images -> no titles of empty columns", () => {
  assert.deepEqual(table([bad("a:1", "no signatures found"), bad("bb:1", "x")], 80), [
    "✗ a:1   no signatures found",
    "✗ bb:1  x",
  ]);
});

/** A verified signature, for printing only. */
function verified(parts: object): Verified {
  return {
    origin: { kind: "file", where: "f" },
    checks: [],
    entries: [],
    timestamps: [],
    ...parts,
  } as unknown as Verified;
}

const LOG = { id: Buffer.alloc(32, 7), baseUrl: "https://rekor.sigstore.dev" };

test("signedBy: names signer, issuer, time with its source, and the entry with its log", () => {
  const each = verified({
    signer: { kind: "certificate", name: "alice@example.com", issuer: "https://issuer.example" },
    entries: [{ logId: "07".repeat(32), logIndex: "12", integratedTime: new Date("2026-11-30T08:01:02Z") }],
  });
  const facts = factsOf(each, { logs: [LOG], look: { terminal: true } });
  assert.equal(facts.page, "https://search.sigstore.dev/?logIndex=12");
  assert.equal(
    plain(signedBy(facts)),
    "signed by alice@example.com (issuer https://issuer.example) at 2026-11-30T08:01:02Z (transparency log), " +
      "log entry 12 in rekor.sigstore.dev",
  );
});

test("factsOf: an entry of another log, or with an odd index, leads to no page", () => {
  const entry = { logId: "07".repeat(32), logIndex: "12", integratedTime: undefined };
  const signer = { kind: "certificate", name: "a", issuer: undefined };
  const look = { terminal: true };
  const other = { id: LOG.id, baseUrl: "https://log.example" };
  assert.equal(factsOf(verified({ signer, entries: [entry] }), { logs: [other], look }).page, undefined);
  const odd = { ...entry, logIndex: "1;x" };
  assert.equal(factsOf(verified({ signer, entries: [odd] }), { logs: [LOG], look }).page, undefined);
  assert.equal(plain(signedBy(factsOf(verified({ signer }), { logs: [], look }))), "signed by a");
});

test("checkedText: what the policy leaves out is said", () => {
  const checks = [
    { name: "signature", outcome: "passed", detail: "" },
    { name: "key", outcome: "passed", detail: "" },
    { name: "log", outcome: "skipped", detail: "" },
  ] as const;
  const signer = { kind: "key" } as Verified["signer"];
  assert.equal(checkedText({ checks, signer }), "checked: signature, key; not checked: transparency log");
});
