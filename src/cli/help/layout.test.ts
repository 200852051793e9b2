import assert from "node:assert/strict";
import { test } from "node:test";
import { testIo } from "../../../test/support/test-io.ts";
import { loadCommand } from "../../commands.ts";
import { parseCommandLine } from "../program.ts";
import { TABLE } from "../table.ts";
import { GROUPS } from "./groups.ts";
import { screenOf, table, wrap, wrapCommand, wrapExamples, wrapUsage } from "./layout.ts";

const WIDTHS = [60, 80, 100, 120, 200];
const PAGES = [[], ...Object.keys(GROUPS).map((word) => [word]), ...TABLE.map(({ words }) => words)];

async function helpLines(words: readonly string[], columns: number): Promise<string[]> {
  const shown = await parseCommandLine([...words, "--help"], testIo({ tty: { columns } }), loadCommand);
  return shown.kind === "print" ? shown.text.split("\n") : assert.fail("no help");
}

/** Calls `check` with every line of every help page at every width, and where it stands. */
async function everyLine(check: (line: string, where: string, width: number, lines: string[], index: number) => void) {
  let checked = 0;
  for (const columns of WIDTHS) {
    for (const words of PAGES) {
      const lines = await helpLines(words, columns);
      for (const [index, line] of lines.entries()) {
        check(
          line,
          `${["tsign", ...words].join(" ")} at ${columns}, line ${index + 1}: ${line}`,
          columns,
          lines,
          index,
        );
        checked++;
      }
    }
  }
  assert.ok(checked > 10_000, `${checked} lines`);
}

test("help: no line is wider than the terminal, or than 120 columns", async () => {
  await everyLine((line, where, columns) => {
    const unbreakable =
      /^ *\S+ ?\\?$/.test(line) || /^ {2,6}(# |tsign |-c |--\S+ |')/.test(line) || /^ {6}--\S+ </.test(line);
    const limit = Math.min(columns, 120);
    assert.ok(line.length <= limit || (unbreakable && !line.trimStart().includes("# ")), where);
  });
});

test("help: a wide terminal is used up to 120 columns", async () => {
  const widest = async (columns: number) =>
    Math.max(...(await helpLines(["verify"], columns)).map((line) => line.length));
  assert.ok((await widest(80)) <= 80);
  assert.ok((await widest(120)) > 110);
  assert.equal(await widest(200), await widest(120));
});

test("help: a flag's text starts right of the flag", async () => {
  let flags = 0;
  await everyLine((line, where, _columns, lines, index) => {
    const term = /^( {2}(?:-\w, | {4}))--[\w-]+(?: <\S+>)?(?: {2,}\S|$)/.exec(line);
    if (!term || /^ {2}tsign/.test(lines[index - 1] ?? "")) return;
    flags++;
    const below = lines[index + 1] ?? "";
    if (below.trim() === "" || /^ {2}(-\w, | {4})--/.test(below)) return;
    const column = below.length - below.trimStart().length;
    assert.ok(column >= (term[1]?.length ?? 0) + 4, where);
  });
  assert.ok(flags > 2000, `${flags} flags`);
});

test("help: the texts of a command's flags start in one column", async () => {
  for (const columns of WIDTHS) {
    const lines = await helpLines(["sign"], columns);
    const starts = lines.flatMap((line) => {
      const [term] = /^ {2}(?:-\w, | {4})--[\w-]+(?: <\S+>)? {2,}(?=\S)/.exec(line) ?? [];
      return term === undefined ? [] : [term.length];
    });
    assert.ok(starts.length > 10, `${starts.length} at ${columns}`);
    assert.equal(new Set(starts).size, 1, `${columns}: ${starts}`);
  }
});

test("help: no line ends within a flag or short code", async () => {
  await everyLine((line, where) => {
    assert.doesNotMatch(line, /[\w-]-$/, where);
    const cut = line.split("`").length % 2 === 0; // code goes on in the next line
    const [, tail = ""] = /`([^`]*)$/.exec(line) ?? [];
    assert.ok(!cut || tail.length > 15 || /^[^`]* [^`]*`/.test(line), where);
  });
});

test("help: examples come before usage and flags, each with a comment in sentence case", async () => {
  for (const { words } of TABLE) {
    const text = (await helpLines(words, 80)).join("\n");
    const [examples, usage] = [text.indexOf("\nExamples:\n"), text.indexOf("\nUsage:\n")];
    assert.ok(examples > 0 && usage > examples, words.join(" "));
    const command = await loadCommand(TABLE.find((entry) => entry.words === words) ?? assert.fail());
    assert.match(command.examples[0] ?? "", /^# /, words.join(" "));
    for (const comment of command.examples.filter((line) => line.startsWith("#"))) {
      assert.match(comment, /^# [A-Z].*[^.]$/, words.join(" "));
    }
  }
});

test("screenOf: the terminal's width between 30 and 120 columns", () => {
  const columns = (width: number) => screenOf({ tty: testIo({ tty: { columns: width } }).tty, env: {} }).columns;
  assert.deepEqual([10, 60, 99, 120, 200].map(columns), [30, 60, 99, 120, 120]);
});

test("table: long terms stand on a line of their own, with the text below and to the right", () => {
  const screen = { columns: 60, styled: false };
  assert.equal(table([["short", "text"]], screen), "  short  text");
  const long = `    --${"x".repeat(40)}`;
  assert.equal(table([[long, "text"]], screen), `  ${long}\n${" ".repeat(10)}text`);
  assert.equal(
    table(
      [
        ["    --a", "one"],
        [long, "two"],
      ],
      screen,
    ),
    `      --a  one\n  ${long}\n${" ".repeat(11)}two`,
  );
  assert.equal(table([["term", "text"]], { columns: 40, styled: false }), "  term\n        text");
});

test("wrap: paragraphs, code and tables inside of text", () => {
  const at = (columns: number, text: string) => wrap(text, { columns, indent: 0 });
  assert.equal(at(10, "one two three\nfour"), "one two\nthree\nfour");
  assert.equal(at(16, "see also `tsign tree` now"), "see also\n`tsign tree` now");
  assert.equal(at(24, "  name  a text that is long"), "  name  a text that is\n        long");
  assert.equal(at(80, ""), "");
});

test("wrapUsage, wrapCommand, wrapExamples: further lines are indented", () => {
  assert.equal(wrapUsage("tsign x [flags] <a>", { columns: 21, styled: false }), "  tsign x [flags]\n      <a>");
  const margins = { columns: 30, indent: 2 };
  assert.equal(wrapCommand("tsign a --key cosign.key image", margins), "  tsign a \\\n      --key cosign.key image");
  assert.equal(wrapExamples(["# A", "tsign a", "# B", "tsign b"], margins), "  # A\n  tsign a\n\n  # B\n  tsign b");
});
