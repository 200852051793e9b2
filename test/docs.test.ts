import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { groupFlags, shownFlags } from "../src/cli/help/flag-groups.ts";
import { flagValue } from "../src/cli/help/flag-values.ts";
import { commandsBelow, GROUPS } from "../src/cli/help/groups.ts";
import { parseCommandLine } from "../src/cli/program.ts";
import { TABLE } from "../src/cli/table.ts";
import { loadCommand } from "../src/commands.ts";
import { SHARED_SCHEMAS } from "./support/schema-pages.ts";
import { testIo } from "./support/test-io.ts";
import { generatedPages } from "./support/write-docs.ts";

const DOCS = resolve(import.meta.dirname, "../docs");
/** Generated once: the page of errors needs a parse of all sources. */
const PAGES = await generatedPages();

test("generated pages are up to date (npm run docs)", () => {
  for (const { file, text } of PAGES) assert.equal(readFileSync(join(DOCS, file), "utf8"), text, file);
  for (const folder of ["reference", "man", "api", "schema"]) {
    const expected = PAGES.map(({ file }) => file).filter((file) => file.startsWith(`${folder}/`));
    const names = readdirSync(join(DOCS, folder)).filter((file) => !SHARED_SCHEMAS.includes(file));
    const there = names.map((file) => `${folder}/${file}`);
    assert.deepEqual(there.sort(), expected.sort());
  }
  // The default has a column of its own.
  for (const { file, text } of PAGES) {
    if (file.startsWith("reference/")) assert.doesNotMatch(text, /\(default /, file);
  }
});

test("examples: every command line parses", async () => {
  for (const entry of TABLE) {
    const { words } = entry;
    const command = await loadCommand(entry);
    assert.ok(command.examples.length > 0, `${words.join(" ")} has no example`);
    for (const example of command.examples.filter((each) => !each.startsWith("# "))) {
      const line = /(?:^|\s|\()tsign ([^|;<>)']*)/.exec(example)?.[1];
      if (line === undefined || example.includes("'")) continue; // requires a shell
      const io = testIo();
      const parsed = await parseCommandLine(
        line
          .trim()
          .split(/\s+/)
          .filter((word) => word !== "<"),
        io,
        loadCommand,
      );
      assert.doesNotMatch(io.err(), /^Flag |^WARNING/m, example);
      assert.equal(parsed.kind, "run", example);
    }
  }
});

test("help: exists for the program, every group and every command", async () => {
  for (const words of [[], ["download"], ["sandbox"], ...TABLE.map((entry) => entry.words)]) {
    const asked = await parseCommandLine([...words, "--help"], testIo(), loadCommand);
    assert.ok(asked.kind === "print" && asked.text.includes("Usage:"), words.join(" "));
  }
});

test("help: shows every flag once, in groups, with variables and exit codes", async () => {
  const shown = await parseCommandLine(["help", "verify"], testIo(), loadCommand);
  const text = shown.kind === "print" ? shown.text : assert.fail("no help");
  const titles = ["Examples", "Usage", "Flags", "Key flags", "Signer flags", "Trust flags", "Registry flags"];
  const more = ["Global flags", "Deprecated flags", "Environment", "Exit codes"];
  const positions = [...titles, ...more].map((title) => text.indexOf(`\n${title}:\n`));
  assert.ok(
    positions.every((position, index) => position > (positions[index - 1] ?? -1)),
    String(positions),
  );
  assert.match(text, /\n {2}COSIGN_REPOSITORY +repository for signatures/);
  assert.match(text, /\n {2}10 +the image has no signatures\n/);
  assert.match(text, /\n +--offline +use --trusted-root instead/);
  for (const entry of TABLE) {
    const { words } = entry;
    const { flags } = await loadCommand(entry);
    const grouped = groupFlags(flags).flatMap((group) => group.flags.map(([key]) => key));
    assert.deepEqual(
      grouped.sort(),
      shownFlags(flags)
        .map(([key]) => key)
        .sort(),
      words.join(" "),
    );
  }
});

test("help: lists every visible command once, and the deprecated ones by name", async () => {
  const shown = await parseCommandLine([], testIo(), loadCommand);
  const text = shown.kind === "print" ? shown.text : assert.fail("no help");
  const listed = [...text.matchAll(/^ {2}([a-z][\w-]*) {2,}\S/gm)].map(([, word]) => word);
  assert.deepEqual(
    listed.sort(),
    commandsBelow([])
      .map(({ word }) => word)
      .sort(),
  );
  assert.match(text, /attach,\s+copy,\s+dockerfile,\s+generate,\s+manifest,\s+triangulate,\s+upload/);
  for (const { summary, word } of commandsBelow([])) assert.notEqual(summary, "", word);
});

test("help: headings are bold on a terminal, unless NO_COLOR, TERM=dumb or FORCE_COLOR decide", async () => {
  const help = async (words: readonly string[], tty: object, env = {}) => {
    const shown = await parseCommandLine([...words, "--help"], testIo({ tty, env }), loadCommand);
    return shown.kind === "print" ? shown.text : assert.fail("no help");
  };
  assert.doesNotMatch(await help(["tree"], { stdout: false }), /\u001b/);
  assert.match(await help(["tree"], { stdout: true }), /^\u001b\[1mUsage:\u001b\[22m$/m);
  for (const env of [{ NO_COLOR: "1" }, { TERM: "dumb" }]) {
    assert.doesNotMatch(await help(["tree"], { stdout: true }, env), /\u001b/);
  }
  assert.match(await help(["tree"], { stdout: false }, { FORCE_COLOR: "1" }), /^\u001b\[1mUsage:\u001b\[22m$/m);
  assert.doesNotMatch(await help(["tree"], { stdout: true }, { FORCE_COLOR: "0" }), /\u001b/);
});

test("help: every flag with a value has a name for the value", async () => {
  const vague: string[] = [];
  for (const entry of TABLE) {
    const { words } = entry;
    const { flags } = await loadCommand(entry);
    for (const [key, flag] of shownFlags(flags)) {
      if (["string", "strings", "texts"].includes(flag.kind) && flagValue(key, flags).name === "text") {
        vague.push(`${words.join(" ")} --${key}`);
      }
    }
  }
  assert.deepEqual(vague, []);
});

test("manual pages: no text line is parsed as a roff request", async () => {
  const requests = /^\.(TH|SH|TP|PP|EX|EE)\b/;
  for (const { file, text } of PAGES.filter((page) => page.file.startsWith("man/"))) {
    for (const line of text.split("\n")) assert.ok(!/^[.']/.test(line) || requests.test(line), `${file}: ${line}`);
    assert.doesNotMatch(text.replaceAll(/\\(e|-|&|%|fB|fI|fR|\[u2026\])/g, ""), /\\/, file);
    for (const title of ["NAME", "SYNOPSIS", "DESCRIPTION"]) assert.ok(text.includes(`.SH "${title}"`), file);
  }
});

test("manual pages: exist for the program, every group and every command, and hyphenate no flag or variable", async () => {
  const pages = PAGES.filter(({ file }) => file.startsWith("man/"));
  const commands = TABLE.filter(({ internal }) => !internal).map(({ words }) => words.join("-"));
  const names = ["tsign", ...[...Object.keys(GROUPS), ...commands].map((name) => `tsign-${name}`)];
  assert.deepEqual(pages.map(({ file }) => file).sort(), names.map((name) => `man/${name}.1`).sort());
  let flags = 0;
  for (const { file, text } of pages) {
    const filled = text.replace(/\.SH "NAME"\n.*/g, "").replace(/\.EX\n.*?\n\.EE/gs, "");
    for (const word of filled.match(/[^\s[(]*(\\-\\-|COSIGN_)\w\S*/g) ?? []) {
      flags++;
      assert.match(word, /^(\\f[BI]|[("])*\\%/, `${file}: ${word}`);
    }
  }
  assert.ok(flags > 1000, `${flags} flags`);
});
