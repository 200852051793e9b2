import assert from "node:assert/strict";
import { test } from "node:test";
import { readMetadata } from "./metadata.ts";

/** Returns the text of targets.json with a number of targets. */
function targetsOf(count: number): Buffer {
  const target = { length: 1, hashes: { sha256: "00" } };
  const targets = Object.fromEntries(Array.from({ length: count }, (_, index) => [`t${index}`, target]));
  const signed = { _type: "targets", spec_version: "1.0.31", version: 1, expires: "2040-01-01T00:00:00Z", targets };
  return Buffer.from(JSON.stringify({ signatures: [], signed }));
}

test("readMetadata: accepts 1000 targets, and refuses more at once", () => {
  assert.equal(Object.keys(readMetadata("targets", targetsOf(1000)).metadata.signed.targets).length, 1000);
  const before = process.cpuUsage();
  assert.throws(() => readMetadata("targets", targetsOf(40_000)), /TUF: targets.json has a list with more than 1000/);
  assert.ok(process.cpuUsage(before).user < 2e6, "more than 2 s");
});

test("readMetadata: not JSON -> untrusted", () => {
  assert.throws(() => readMetadata("root", Buffer.from("{")), { code: "untrusted" });
});
