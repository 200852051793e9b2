import assert from "node:assert/strict";
import { test } from "node:test";
import { exactly, matching } from "./patterns.ts";

test("matching: a pattern that is not anchored at both ends, or matches any name -> loose", async () => {
  const strict = [
    "^alice@example\\.com$",
    "\\Aalice@example\\.com\\z",
    "^(alice|bob)@example\\.com$",
    "^((a|b)|(c|d))@example\\.com$",
    "^[(|]@example\\.com$",
    "^[^\\]|]@example\\.com$",
    "^a\\|b$",
    "^a\\$b$",
    "^a\\(b\\)$",
    "^https://github\\.com/owner/.*$",
  ];
  const loose = [
    "alice@example\\.com",
    "^alice@example\\.com",
    "alice@example\\.com$",
    "^alice@example\\.com\\$",
    "x^alice$",
    "^alice$x",
    "^alice|bob$",
    "^(alice)|(bob)$",
    "^\\(a|b\\)$",
    "^[a]|b$",
    "^(a(b)c)|d$",
    "^.*$",
    "^$",
    "^\\x{1} nobody \\x{1}$",
    "^https://nobody\\.invalid/.*$",
    "^[^@]+@nobody\\.invalid$",
    "^https://.*$",
    "^.+@.+$",
  ];
  for (const pattern of strict) assert.equal((await matching(pattern)).loose, false, pattern);
  for (const pattern of loose) assert.equal((await matching(pattern)).loose, true, pattern);
});

test("matching: the text of a pattern, whether it matches the empty text, and the longest pattern", async () => {
  assert.equal((await matching("^a$")).text, "a match for ^a$");
  assert.deepEqual([(await matching("^a$")).matchesNone, (await matching("^a*$")).matchesNone], [false, true]);
  assert.ok((await matching("a".repeat(4096))).matches("a".repeat(4096)));
  await assert.rejects(matching("a".repeat(4097)), { code: "usage", message: /longer than 4096/ });
  await assert.rejects(matching("a("), { code: "usage" });
});

test("exactly: any other text -> no match", () => {
  const pattern = exactly("a.c");
  assert.deepEqual(
    [pattern.text, pattern.matches("a.c"), pattern.matches("abc"), pattern.matches("a.cd")],
    ["a.c", true, false, false],
  );
});
