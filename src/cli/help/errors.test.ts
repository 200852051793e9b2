import assert from "node:assert/strict";
import { test } from "node:test";
import { run, testIo } from "../../../test/support/test-io.ts";
import { loadCommand } from "../../commands.ts";
import { parseCommandLine } from "../program.ts";
import { ERROR_PAGES } from "./error-pages.ts";
import { ERROR_CODES } from "./errors.ts";

test("help CODE: every error code -> meaning, causes, remedies and an example", async () => {
  assert.equal(ERROR_CODES.length, 19);
  for (const code of ERROR_CODES) {
    const shown = await run(["help", code]);
    assert.equal(shown.code, 0, shown.stderr);
    assert.ok(shown.stdout.startsWith(`Error ${code}: `), shown.stdout);
    for (const title of ["Usual causes", "What to do", "Example"])
      assert.match(shown.stdout, new RegExp(`^${title}:$`, "m"));
    assert.match(shown.stdout, /^ {2}\$ tsign .+\n {2}Error: .+$/m);
  }
});

test("help CODE: the commands of a page have the flags that it names", async () => {
  const pages = Object.values(ERROR_PAGES);
  const remedies = pages.flatMap((page) => page.remedies.flatMap((text) => text.match(/(?<=`)tsign [^`]+/g) ?? []));
  const examples = pages.map(({ example }) => example.command);
  const refused = async (line: string) => {
    const parsed = parseCommandLine(line.split(" ").slice(1), testIo(), loadCommand);
    const reason = await parsed.then(
      () => "",
      ({ message }: Error) => message,
    );
    return reason === "" || /^accepts \d+ arg\(s\)|^unknown command "COMMAND"/.test(reason) ? [] : [reason];
  };
  const found = await Promise.all([...remedies, ...examples].map(refused));
  assert.ok(remedies.length >= 15, `${remedies.length} commands`);
  assert.deepEqual(found.flat(), [ERROR_PAGES.usage.example.error]);
});

test("help CODE: misspelt code -> exit 1, and the nearest code or command is proposed", async () => {
  for (const [word, meant] of [
    ["no-mach", "tsign help no-match"],
    ["nework", "tsign help network"],
    ["verfy", "tsign verify"],
  ] as const) {
    const refused = await run(["help", word]);
    assert.equal(refused.code, 1);
    assert.equal(refused.stdout, "");
    assert.match(refused.stderr, new RegExp(`^hint: did you mean \`${meant}\`\\?`, "m"));
  }
  assert.doesNotMatch((await run(["no-mach"])).stderr, /did you mean/, "without help a code is not proposed");
  assert.equal((await run(["help", "no-match", "more"])).code, 1);
});

test("an error without a hint: on a terminal -> names the page of its code; in a pipe -> stays one line", async () => {
  const argv = ["public-key", "--key", "missing.key"];
  const piped = await run(argv);
  assert.doesNotMatch(piped.stderr, /tsign help|^hint: /m);
  const shown = await run(argv, { tty: { stderr: true }, env: { TERM: "dumb" } });
  assert.match(shown.stderr, /^hint: run `tsign help input` for its usual causes$/m);
  assert.match((await run([...argv, "--verbose"])).stderr, /^code: input$/m);
});
