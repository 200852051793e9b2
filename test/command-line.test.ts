import assert from "node:assert/strict";
import { test } from "node:test";
import { run } from "./support/test-io.ts";

test("an unknown command is told as such, whatever flags come with it", async () => {
  for (const argv of [["atest"], ["atest", "--key", "a.key", "image"], ["--timeout", "5s", "atest"]]) {
    const refused = await run(argv);
    assert.equal(refused.code, 1, argv.join(" "));
    assert.match(refused.stderr, /^Error: unknown command "atest" for "tsign"\n/);
  }
  const flag = await run(["--bogus"]);
  assert.match(flag.stderr, /^Error: unknown flag: --bogus/);
});

test("the number of arguments is told as cobra does", async () => {
  const cases = [
    [["tree"], "accepts 1 arg(s), received 0"],
    [["tree", "a", "b"], "accepts 1 arg(s), received 2"],
    [["verify"], "requires at least 1 arg(s), only received 0"],
  ] as const;
  for (const [argv, message] of cases) {
    const refused = await run([...argv]);
    assert.equal(refused.code, 1);
    assert.ok(refused.stderr.startsWith(`Error: ${message}\n`), refused.stderr);
  }
});

test("a deprecated command says so before its flags do", async () => {
  const { stderr } = await run(["triangulate", "--attachment-tag-prefix", "x", "--type", "nonsense", "image"]);
  assert.match(stderr, /^Command "triangulate" is deprecated, .*\nFlag --attachment-tag-prefix has been deprecated, /);
});
