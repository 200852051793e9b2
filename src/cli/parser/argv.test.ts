import assert from "node:assert/strict";
import { test } from "node:test";
import { TsignError } from "../../errors.ts";
import { rewriteDashes, splitArguments } from "./argv.ts";
import { flag } from "./define.ts";
import { formatDuration, parseDuration, parseValue } from "./values.ts";

const FLAGS = {
  key: flag.string("key", { short: "k" }),
  yes: flag.bool("yes", { short: "y" }),
  annotations: flag.strings("annotations", { short: "a" }),
  certificateChain: flag.string("chain"),
  attachment: flag.string("attachment", { deprecated: "use something newer" }),
};

test("splitArguments: flags in any order, with and without =", () => {
  const cases: [string[], string[], string[]][] = [
    [["a", "--key", "f", "b"], ["key=f"], ["a", "b"]],
    [["--key=f=g", "-k", "h", "a"], ["key=f=g", "key=h"], ["a"]],
    [["--yes", "a", "-y", "--yes=false"], ["yes=true", "yes=true", "yes=false"], ["a"]],
    [["-k", "--yes", "a"], ["key=--yes"], ["a"]],
    [["--cert-chain", "c", "-"], ["certificateChain=c"], ["-"]],
    [["a", "--", "--key", "-y"], [], ["a", "--key", "-y"]],
    [["--key", ""], ["key="], []],
  ];
  for (const [argv, given, positionals] of cases) {
    const line = splitArguments(argv, FLAGS);
    assert.deepEqual(
      line.given.map(({ key, value }) => `${key}=${value}`),
      given,
      argv.join(" "),
    );
    assert.deepEqual(line.positionals, positionals);
  }
});

test("splitArguments: an unknown flag or a missing value is an error, with the nearest flag that is not deprecated", () => {
  const cases: [string[], RegExp, RegExp?][] = [
    [["--kye", "x"], /unknown flag: --kye/, /^did you mean --key\?$/],
    [["--bogus", "x"], /unknown flag: --bogus$/],
    [["--attachmnt", "x"], /unknown flag: --attachmnt$/],
    [["--certificate-c", "x"], /unknown flag/, /did you mean --certificate-chain\?/],
    [["--certificate-chian", "x"], /unknown flag/, /did you mean --certificate-chain\?/],
    [["-z"], /unknown shorthand flag: 'z'/],
    [["--key"], /flag needs an argument: --key/, /value after --key/],
    [["--cert-email", "x"], /unknown flag: --certificate-email/],
    [["---key"], /bad flag syntax: ---key/],
    [["--=x"], /bad flag syntax: --=x/],
  ];
  for (const [argv, message, hint] of cases) {
    assert.throws(
      () => splitArguments(argv, FLAGS),
      (error) => {
        assert.ok(error instanceof TsignError && error.code === "usage");
        assert.match(error.message, message);
        if (hint) assert.match(error.hint ?? "", hint);
        else assert.equal(error.hint, undefined, argv.join(" "));
        return true;
      },
    );
  }
});

test("rewriteDashes: -word -> --word, --x -> -x, as in cosign", () => {
  const { argv, warnings } = rewriteDashes(["-key", "x", "--y", "-o", "-", "--", "-abc"]);
  assert.deepEqual(argv, ["--key", "x", "-y", "-o", "-", "--", "-abc"]);
  assert.equal(warnings.length, 2);
  assert.deepEqual(rewriteDashes(["-version"]).argv, ["version"]);
  assert.equal(rewriteDashes(["-version"]).warnings.length, 1);
});

test("parseValue: values are parsed like pflag parses them", () => {
  const value = (kind: keyof typeof flag, ...texts: string[]) =>
    parseValue(kind === "choice" ? flag.choice(["", "a", "b"], "", { default: "" }) : flag[kind](""), texts, "--x");
  assert.equal(value("string", "first", "last"), "last");
  for (const text of ["1", "t", "T", "true", "TRUE", "True"]) assert.equal(value("bool", text), true);
  for (const text of ["0", "f", "False"]) assert.equal(value("bool", text), false);
  assert.deepEqual(value("strings", "a=1,b=2", "c=3"), ["a=1", "b=2", "c=3"]);
  assert.deepEqual(value("strings", '"a=1,2",b=""'.replace('""', "")), ["a=1,2", "b="]);
  assert.deepEqual(value("strings", ""), []);
  assert.deepEqual(value("strings", "a,"), ["a", ""]);
  assert.deepEqual(value("texts", "a,b", ""), ["a,b", ""]);
  assert.equal(value("int", "-3"), -3);
  assert.equal(value("choice", "b"), "b");
  for (const [kind, text, message] of [
    ["bool", "maybe", /expected true or false/],
    ["int", "1.5", /whole number/],
    ["duration", "5 minutes", /duration/],
    ["choice", "c", /must be one of "a", "b"/],
    ["strings", '"a', /invalid quotes/],
  ] as const) {
    assert.throws(() => value(kind, text), message);
  }
});

test("parseDuration, formatDuration: Go's durations", () => {
  assert.equal(parseDuration("3m0s"), 180_000);
  assert.equal(parseDuration("1h1m1.5s"), 3_661_500);
  assert.equal(parseDuration("-2s"), -2000);
  assert.equal(parseDuration("0"), 0);
  for (const text of ["", "3", "m", "3 m", "3mx"]) assert.equal(parseDuration(text), undefined, text);
  assert.equal(formatDuration(180_000), "3m0s");
  assert.equal(formatDuration(3_661_500), "1h1m1.5s");
  assert.equal(formatDuration(1.5), "1.5ms");
  assert.equal(formatDuration(1e-6), "1ns");
  assert.equal(formatDuration(0.0025), "2.5µs");
  assert.equal(formatDuration(-2000), "-2s");
});
