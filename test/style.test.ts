import assert from "node:assert/strict";
import { test } from "node:test";
import { ERROR_PAGES } from "../src/cli/help/error-pages.ts";
import { ERROR_CODES } from "../src/cli/help/errors.ts";
import { brokenRules } from "./support/message-rules.ts";
import { type Kind, type Message, messagesIn, readMessages, unreadErrors } from "./support/messages.ts";
import { parseTexts } from "./support/syntax.ts";

const messages = readMessages();

/** Numbers of texts below which the reader, and not the program, must have changed. */
const AT_LEAST: Readonly<Record<Kind, number>> = {
  about: 70,
  check: 130,
  deprecation: 45,
  error: 1500,
  example: 90,
  flag: 230,
  hint: 380,
  note: 100,
  output: 45,
  reason: 25,
  summary: 120,
  variable: 35,
  warning: 80,
};

test("messages: every text in src keeps the rules of docs/style.md", () => {
  const broken = messages.flatMap((message) =>
    brokenRules(message).map(
      ({ rule, why }) => `${message.file}:${message.line}: "${message.text}" (rule ${rule}: ${why})`,
    ),
  );
  assert.deepEqual(broken, []);
});

test("messages: the reader finds texts of every kind, and of every error code that is thrown", () => {
  const counts = Map.groupBy(messages, ({ kind }) => kind);
  for (const [kind, least] of Object.entries(AT_LEAST)) {
    const { length } = counts.get(kind as Kind) ?? [];
    assert.ok(length >= least, `${length} of kind ${kind}`);
  }
  const codes = new Set(messages.map(({ code }) => code));
  // The codes of an image's verdict are chosen where the error is made.
  const chosen = ["no-match"];
  assert.deepEqual(
    ERROR_CODES.filter((code) => !codes.has(code) && !chosen.includes(code)),
    [],
  );
});

test("messages: the reader finds a text for every error that is made", () => {
  assert.deepEqual(unreadErrors(), []);
  const hidden = parseTexts({ "x.ts": "class TsignError {}\nthrow new TsignError('input', globalThis.text);" });
  assert.deepEqual(unreadErrors(hidden), ["x.ts:2"]);
});

test("error pages: texts keep the rules, and each example is an error that the sources can print", () => {
  const errors = messages.filter(({ kind }) => kind === "error" || kind === "check");
  for (const [code, { meaning, causes, remedies, example }] of Object.entries(ERROR_PAGES)) {
    const texts = [meaning, ...causes].map((text) => ({ kind: "about" as const, text }));
    const hints = remedies.map((text) => ({ kind: "hint" as const, text }));
    for (const { kind, text } of [...texts, ...hints]) {
      assert.deepEqual(brokenRules({ kind, text, place: "whole", file: code, line: 1 }), [], text);
    }
    assert.match(example.command, /^tsign [a-z]/);
    const source = errors.find((message) => endsWith(example.error, message));
    assert.ok(source, `no message in src reads "${example.error}" (${code})`);
  }
});

/** Whether a text may end with a message or a part of one, of which at least eight characters are its own. */
function endsWith(text: string, { text: template }: Message): boolean {
  const parts = template.split(/\{[^}]*\}/);
  if (parts.join("").length < 8) return false;
  return new RegExp(`${parts.map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&")).join(".+")}$`).test(text);
}

const BAD: readonly [kind: Kind, text: string, rule: number][] = [
  ["error", "Cannot read the file", 1],
  ["error", "cannot read the file.", 1],
  ["error", "WARNING: cannot read the file", 1],
  ["error", "the certificate is for another key", 2],
  ["error", "the entry has not one signature", 2],
  ["hint", "the file is the encrypted one", 3],
  ["hint", "is the trusted root the right one?", 3],
  ["error", "the signature was not made public", 4],
  ["error", "whoever signed it", 4],
  ["error", "nobody signed it", 4],
  ["error", "the value is no digest", 5],
  ["error", "its time is none", 5],
  ["error", "timestamps are of no trusted authority", 5],
  ["error", "Rekor answered with something that is unexpected", 5],
  ["error", "the log tells when it was signed", 6],
  ["warning", "the pattern lets in more names", 6],
  ["error", "the bundle cannot be judged", 6],
  ["error", "--key and --sk exclude one another", 7],
  ["error", "--certificate-chain needs --certificate", 7],
  ["warning", "--attachment has no effect with --local-image", 7],
  ["deprecation", "bundles hold it", 7],
  ["summary", "Look after keys and everything else that a user may have to do with keys", 8],
  ["summary", "Signs images", 8],
  ["flag", "that certificate's chain", 8],
  ["example", "# with a key", 8],
];

const GOOD: readonly [kind: Kind, text: string][] = [
  ["error", 'read bundle "{path}": missing mediaType'],
  ["error", "digest mismatch for {name}: got {actual}, want {expected}"],
  ["error", "Rekor ({host}) returned an invalid log entry"],
  ["error", "expected one signature, found {length}"],
  ["error", "--key and --sk cannot be used together"],
  ["error", "there is no signing config"],
  ["hint", "set COSIGN_PASSWORD"],
  ["hint", "did you mean --key?"],
  ["hint", "to verify without the network, pass --trusted-root FILE"],
  ["hint", "this is a private key; pass its public key"],
  ["warning", "--certificate is ignored with --key"],
  ["deprecation", "use --bundle"],
  ["summary", "Sign container images"],
  ["flag", "file of the public key"],
  ["example", "# Sign with a key"],
];

test("rules: bad sentence -> refused with the number of its rule; good sentence -> accepted", () => {
  const as = (kind: Kind, text: string): Message => ({ kind, text, place: "whole", file: "x.ts", line: 1 });
  for (const [kind, text, rule] of BAD) {
    assert.ok(
      brokenRules(as(kind, text)).some((broken) => broken.rule === rule),
      `"${text}" (${kind}) keeps rule ${rule}`,
    );
  }
  for (const [kind, text] of GOOD) assert.deepEqual(brokenRules(as(kind, text)), [], text);
});

test("reader: texts -> found through helpers, parameters, constants, conditions, subclasses and other files", () => {
  const trees = parseTexts({
    "errors.ts": "export class TsignError extends Error { constructor(code, message, options) { super(message); } }",
    "words.ts":
      'export const NAMES = { a: "first name", b: "second name" } as const;\nexport const pick = (x) => x ? "third" : "fourth";',
    "use.ts": `
      import { TsignError } from "./errors.ts";
      import { NAMES, pick } from "./words.ts";
      class Special extends TsignError { constructor(detail) { super("limit", \`special: \${detail}\`, { hint: "do it" }); } }
      function refuse(reason, { name }) { return new TsignError("input", \`refused \${name}: \${reason}\`); }
      throw refuse(ok ? "one" : "two", { name: NAMES[key] });
      throw new Special("three " + pick(1));
      io.stderr.write("WARNING: take care\\n");
      flag.string("a flag", { deprecated: "use --b" });
      const local = "from a constant";
      throw new TsignError("usage", local);
    `,
  });
  const found = messagesIn(trees).map(({ kind, text, place }) => `${kind} ${place}: ${text}`);
  for (const expected of [
    "error whole: refused {name}: {reason}",
    "error end: one",
    "error end: two",
    "error middle: first name",
    "error middle: second name",
    "error whole: special: {detail}",
    "error end: three {…}",
    "error end: third",
    "error end: fourth",
    "hint whole: do it",
    "warning whole: take care",
    "flag whole: a flag",
    "deprecation whole: use --b",
    "error whole: from a constant",
  ]) {
    assert.ok(found.includes(expected), `${expected} is not among\n${found.join("\n")}`);
  }
});

test("reader: one condition in two places of a text -> only the texts in which it has one outcome", () => {
  const text = '`--${cert ? "cert" : "key"} requires --${cert ? "key" : "cert"}${other() ? "" : ", too"}`';
  const trees = parseTexts({ "x.ts": `throw new TsignError("usage", ${text});` });
  assert.deepEqual(
    messagesIn(trees)
      .map((message) => message.text)
      .sort(),
    ["--cert requires --key", "--cert requires --key, too", "--key requires --cert", "--key requires --cert, too"],
  );
});
