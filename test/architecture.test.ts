import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { test } from "node:test";

const ROOT = resolve(import.meta.dirname, "..");
const MAX_LINES = 250;

/** From the bottom up: a layer imports itself and what stands before it. Folders of one row do not import each other. */
const LAYERS: string[][] = [
  ["errors.ts", "io/io.ts", "net/pending.ts", "version.ts"],
  ["format", "net/proxy.ts", "packages.ts", "io/stdin.ts"],
  ["net/retry.ts", "net/http.ts", "io/prompt.ts"],
  ["net/input.ts", "net/aws.ts"],
  ["oci", "keys", "trust", "sources"],
  ["evidence"],
  ["services"],
  ["sign", "verify", "policy"],
  ["sandbox"],
  ["cli"],
  ["commands"],
  ["commands.ts"],
  ["main.ts"],
];
/** The outside world's own module, which nothing but bin/ and the tests import. */
const SYSTEM = [
  "io/system.ts",
  "io/file-errors.ts",
  "io/files.ts",
  "io/http.ts",
  "io/own.ts",
  "io/signals.ts",
  "io/special.ts",
  "io/unix.ts",
  "io/watchdog.ts",
  "io/write.ts",
];

interface Source {
  path: string;
  text: string;
  imports: { target: string; lazy: boolean; typeOnly: boolean }[];
}

function sources(): Source[] {
  const files = readdirSync(join(ROOT, "src"), { recursive: true, encoding: "utf8" });
  return files
    .filter((file) => file.endsWith(".ts") && !file.endsWith(".test.ts"))
    .map((file) => {
      const text = readFileSync(join(ROOT, "src", file), "utf8");
      const statements = text.matchAll(/^(?:import|export) (type )?[^;]*?from "([^"]+)";|import\("([^"]+)"\)/gm);
      const imports = [...statements].map(([, typeOnly, fixed, lazy]) => {
        const target = fixed ?? lazy ?? "";
        const own = target.startsWith(".")
          ? relative(join(ROOT, "src"), resolve(ROOT, "src", dirname(file), target))
          : target;
        return { target: own, lazy: lazy !== undefined, typeOnly: typeOnly !== undefined };
      });
      return { path: file, text, imports };
    });
}

const all = sources();
const roomOf = (path: string) => (LAYERS.flat().includes(path) ? path : (path.split("/")[0] ?? ""));
const layerOf = (path: string) => LAYERS.findIndex((row) => row.includes(roomOf(path)));
const isOwn = (target: string) => target.endsWith(".ts");

test("a module imports only what lies below it", () => {
  const wrong: string[] = [];
  for (const { path, imports } of all) {
    if (SYSTEM.includes(path)) continue;
    assert.notEqual(layerOf(path), -1, `${path} is in no layer`);
    for (const { target } of imports.filter(({ target }) => isOwn(target))) {
      const [from, to] = [roomOf(path), roomOf(target)];
      const siblings = layerOf(path) === layerOf(target) && from !== to && !from?.endsWith(".ts");
      if (SYSTEM.includes(target) || layerOf(target) > layerOf(path) || siblings) wrong.push(`${path} → ${target}`);
    }
  }
  assert.deepEqual(wrong, []);
});

test("one command never imports another", () => {
  const wrong = all
    .filter(({ path }) => path.startsWith("commands/"))
    .flatMap(({ path, imports }) => imports.filter(({ target }) => target.startsWith("commands/")).map(() => path));
  assert.deepEqual(wrong, []);
});

test("only the system modules of io/ reach outside", () => {
  const outside =
    /\bprocess\.|\bconsole\.|\bfetch\(|new Date\(\)|Date\.now|from "node:(fs|child_process|http|https|net)/;
  const wrong = all.filter(({ path, text }) => !SYSTEM.includes(path) && outside.test(withoutComments(text)));
  // BlockList of node:net computes with addresses; the fetch of fetch-classes.ts throws.
  const known = ["net/proxy.ts", "oci/registry/fetch-classes.ts"];
  assert.deepEqual(
    wrong.map(({ path }) => path).filter((path) => !known.includes(path)),
    [],
  );
});

test("only io/own.ts removes files", () => {
  const removing = /\b(rm|rmdir|unlink|rename)(Sync)?\b|\btruncate(Sync)?\b/;
  const users = all.filter(({ path, text }) => path !== "io/own.ts" && removing.test(withoutComments(text)));
  assert.deepEqual(
    users.map(({ path }) => path),
    [],
  );
});

test("verify is pure: it imports nothing that could reach outside", () => {
  for (const { path, imports } of all.filter(({ path }) => path.startsWith("verify/"))) {
    for (const { target } of imports) {
      assert.doesNotMatch(target, /^(net|io)\/|^oci\/(open|registry)|^node:(fs|http|net)/, path);
    }
  }
});

test("output is made from verdicts: what prints them knows no evidence and no reader of it", () => {
  const readers = /^evidence\/(find|bundle\/read|legacy\/read|read-|media-types|statement|kinds)/;
  const wrong = all
    .filter(({ path }) => path.startsWith("cli/print/"))
    .flatMap(({ path, imports }) =>
      imports.filter(({ target }) => readers.test(target)).map(({ target }) => `${path} → ${target}`),
    );
  assert.deepEqual(wrong, []);
  const printer = all.find(({ path }) => path === "cli/print/verified.ts")?.text ?? assert.fail("it is elsewhere");
  assert.doesNotMatch(withoutComments(printer), /\bEvidence\b|\bas unknown\b|\bas any\b/);
});

test("the class of a verified signature stays inside verify.ts", () => {
  const named = all.filter(({ text }) => /\bclass VerifiedSignature\b|new VerifiedSignature\b/.test(text));
  assert.deepEqual(
    named.map(({ path, text }) => [path, /export[^\n]*class VerifiedSignature/.test(text)]),
    [["verify/verify.ts", false]],
  );
});

test("the sandbox shares no code with what it is there to test", () => {
  const tested = /^(sign|verify|trust|keys|evidence)\//;
  const wrong = all
    .filter(({ path }) => path.startsWith("sandbox/"))
    .flatMap(({ path, imports }) =>
      imports.filter(({ target }) => tested.test(target) || target.startsWith("@sigstore/")).map(() => path),
    );
  assert.deepEqual(wrong, []);
});

test("commander is known to cli/program.ts alone", () => {
  const users = all.filter(({ imports }) => imports.some(({ target }) => target === "commander"));
  assert.deepEqual(
    users.map(({ path }) => path),
    ["cli/program.ts"],
  );
});

test("what starts the program, and the blob commands, load no schema library", () => {
  for (const start of ["main.ts", "commands/version.ts", "commands/sign-blob.ts", "commands/verify-blob.ts"]) {
    const loaded = new Set<string>();
    const visit = (path: string): void => {
      if (loaded.has(path)) return;
      loaded.add(path);
      const imports = all.find((each) => each.path === path)?.imports ?? [];
      for (const { target, lazy, typeOnly } of imports) if (!lazy && !typeOnly) visit(target);
    };
    visit(start);
    for (const heavy of ["zod", "zod/mini", "oci-registry-client", "re2js"])
      assert.ok(!loaded.has(heavy), `${start} loads ${heavy}`);
  }
});

test(`no source file is longer than ${MAX_LINES} lines`, () => {
  const long = all.filter(({ text }) => text.split("\n").length > MAX_LINES + 1);
  assert.deepEqual(
    long.map(({ path }) => path),
    [],
  );
});

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "");
}

test("text for people leaves by write, one line a call: only documents for other programs leave by stdout.data", () => {
  const documents = [
    "cli/options/output-places.ts",
    "cli/print/verified.ts", // envelopes as they are stored
    "commands/attest-blob.ts",
    "commands/attest.ts",
    "commands/bundle/create.ts",
    "commands/bundle/upgrade.ts",
    "commands/completion.ts",
    "commands/download/attestation.ts",
    "commands/download/sbom.ts",
    "commands/download/signature.ts",
    "commands/env.ts", // the secrets that are asked for
    "commands/generate-fig-spec.ts",
    "commands/generate.ts",
    "commands/public-key.ts",
    "commands/sandbox/env.ts",
    "commands/sandbox/token.ts",
    "commands/sign-blob.ts",
    "commands/signing-config/create.ts",
    "commands/trusted-root/create.ts",
    "commands/version.ts",
    "main.ts", // help
  ];
  const users = all.filter(({ path, text }) => !SYSTEM.includes(path) && /stdout\.data\(/.test(withoutComments(text)));
  assert.deepEqual(
    users
      .map(({ path }) => path)
      .filter((path) => path !== "cli/print/guard.ts")
      .sort(),
    documents,
  );
  const several = /std(?:out|err)\.write\(\s*(?:`[^`]*\\n[^`]+`|"[^"]*\\n[^"]+")/; // a line feed before the end of a text
  const broken = all.filter(({ path, text }) => !SYSTEM.includes(path) && several.test(withoutComments(text)));
  assert.deepEqual(
    broken.map(({ path }) => path),
    [],
  );
});
