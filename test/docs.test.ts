import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { parseCommandLine } from "../src/cli/program.ts";
import { TABLE } from "../src/cli/table.ts";
import { testIo } from "./support/test-io.ts";
import { generatedPages } from "./support/write-docs.ts";

const DOCS = resolve(import.meta.dirname, "../docs");

test("the reference and the list of differences are what the definitions say (npm run docs)", async () => {
  const pages = await generatedPages();
  for (const { file, text } of pages) assert.equal(readFileSync(join(DOCS, file), "utf8"), text, file);
  const expected = pages.map(({ file }) => file).filter((file) => file.startsWith("reference/"));
  assert.deepEqual(
    readdirSync(join(DOCS, "reference"))
      .map((file) => `reference/${file}`)
      .sort(),
    expected.sort(),
  );
});

test("every example is a command line that parses", async () => {
  for (const { words, load } of TABLE) {
    const { default: command } = await load();
    assert.ok(command.examples.length > 0, `${words.join(" ")} has no example`);
    for (const example of command.examples) {
      const line = /(?:^|\s|\()tsign ([^|;<>)']*)/.exec(example)?.[1];
      if (line === undefined || example.includes("'")) continue; // needs a shell
      const parsed = await parseCommandLine(
        line
          .trim()
          .split(/\s+/)
          .filter((word) => word !== "<"),
        testIo(),
      );
      assert.equal(parsed.kind, "run", example);
    }
  }
});

test("help is there for the program, every group and every command", async () => {
  for (const words of [[], ["download"], ["sandbox"], ...TABLE.map((entry) => entry.words)]) {
    const asked = await parseCommandLine([...words, "--help"], testIo());
    assert.ok(asked.kind === "print" && asked.text.includes("Usage:"), words.join(" "));
  }
});
