import assert from "node:assert/strict";
import { test } from "node:test";
import { stripVTControlCharacters } from "node:util";
import { run } from "../../../test/support/test-io.ts";

/** Returns the lines of the warning about the tag of an image in a registry that cannot be reached. */
async function tagWarning(tty: { stderr: boolean; columns: number }): Promise<string[]> {
  const { stderr } = await run(["sign", "--key", "none", "127.0.0.1:9/app:v1"], { tty });
  const [warning = ""] = stripVTControlCharacters(stderr).split("\n\n");
  assert.match(warning, /^WARNING: Image reference 127\.0\.0\.1:9\/app:v1 uses a tag, .* refuse tags\.$/s);
  return warning.split("\n");
}

test("resolveImage: in a pipe the warning about a tag has cosign's lines", async () => {
  const [first = "", second = "", ...more] = await tagWarning({ stderr: false, columns: 60 });
  assert.match(first, / to identify the image to sign\.$/);
  assert.match(second, /^ {4}This can lead you to sign a different image than the intended one\. /);
  assert.equal(more.length, 1);
});

test("resolveImage: on a terminal the warning about a tag is wrapped at its width", async () => {
  for (const columns of [60, 80, 100]) {
    const lines = await tagWarning({ stderr: true, columns });
    for (const line of lines) assert.ok(line.length <= columns, line);
    for (const line of lines.slice(1)) assert.match(line, /^ {9}\S/);
    for (const line of lines.slice(0, -1)) assert.ok(line.length > columns - 30, `broken too early: ${line}`);
  }
});
