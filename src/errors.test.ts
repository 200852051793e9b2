import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { TsignError, withExitCode, withFields, withHint, withMessage, withSubject } from "./errors.ts";

const FULL = new TsignError("service", "Rekor at rekor.example answered 500", {
  hint: "try again",
  cause: "a cause",
  exitCode: 3,
  service: "rekor",
  status: 500,
  url: new URL("https://rekor.example/api?q=1"),
  check: "log",
  expected: "a",
  actual: "b",
});
const fieldsOf = (error: TsignError) => {
  const { code, message, hint, cause, exitCode, service, status, url, check, expected, actual } = error;
  return { code, message, hint, cause, exitCode, service, status, url, check, expected, actual };
};

test("TsignError: a URL loses user name, password, query and fragment; a text that is not a URL is left out", () => {
  const urlOf = (url: URL | string) => new TsignError("network", "m", { url }).url;
  assert.equal(urlOf(new URL("https://user:secret@a.example:8443/p/q?token=secret#x")), "https://a.example:8443/p/q");
  assert.equal(urlOf("http://user@a.example"), "http://a.example/");
  assert.equal(urlOf("not a URL secret"), undefined);
  const kept = new URL("https://user:secret@a.example/?q");
  urlOf(kept);
  assert.equal(kept.href, "https://user:secret@a.example/?q", "the caller's own URL stays as it is");
});

test("TsignError: only the fields that are given are there, and none can be changed", () => {
  const bare = new TsignError("input", "m", { service: undefined, status: undefined, url: undefined });
  for (const field of ["service", "status", "url", "check", "expected", "actual"]) assert.ok(!(field in bare), field);
  assert.doesNotMatch(inspect(bare), /service|status|url/);
  for (const field of Object.keys(fieldsOf(FULL)).filter((name) => name !== "message" && name !== "cause")) {
    assert.throws(() => Object.assign(FULL, { [field]: "changed" }), TypeError, field);
  }
});

test("withHint, withMessage, withExitCode, withFields: the copy keeps every other field", () => {
  const all = fieldsOf(FULL);
  assert.equal(all.url, "https://rekor.example/api");
  assert.deepEqual(fieldsOf(withMessage(FULL, "other")), { ...all, message: "other" });
  assert.deepEqual(fieldsOf(withHint(FULL, "other")), all, "it has one");
  assert.deepEqual(fieldsOf(withExitCode(FULL, 9)), { ...all, exitCode: 9 });
  assert.deepEqual(fieldsOf(withFields(FULL, { service: "tuf", status: 1, url: "https://b.example" })), all);
  const bare = new TsignError("input", "m");
  const none = fieldsOf(bare);
  assert.deepEqual(fieldsOf(withHint(bare, "h")), { ...none, hint: "h" });
  assert.deepEqual(fieldsOf(withExitCode(bare, 9)), { ...none, exitCode: 9 });
  assert.deepEqual(fieldsOf(withFields(bare, { service: "tuf", status: 1 })), { ...none, service: "tuf", status: 1 });
});

test("naming: puts the name, without credentials, before an error about what was read, and before no other", async () => {
  const failing = (code: "input" | "bad-bundle" | "untrusted" | "network" | "internal") => () => {
    throw new TsignError(code, "it is not PEM", { hint: "h" });
  };
  for (const code of ["input", "bad-bundle", "untrusted"] as const) {
    await assert.rejects(withSubject("k", failing(code)), { code, message: "k: it is not PEM", hint: "h" });
  }
  await assert.rejects(withSubject("it", failing("input")), { message: "it: it is not PEM" });
  const url = "https://user:secret@a.example/key";
  await assert.rejects(withSubject(url, failing("input")), { message: "https://a.example/key: it is not PEM" });
  await assert.rejects(withSubject("k", failing("network")), { message: "it is not PEM" });
  const defect = new TypeError("a defect");
  await assert.rejects(
    withSubject("k", () => Promise.reject(defect)),
    defect,
  );
  assert.equal(await withSubject("k", () => 7), 7);
});
