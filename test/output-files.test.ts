import assert from "node:assert/strict";
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { GLOBAL_FLAGS } from "../src/cli/parser/global-flags.ts";
import { TABLE } from "../src/cli/table.ts";
import { loadCommand } from "../src/commands.ts";
import { TsignError } from "../src/errors.ts";
import { PASSWORD as KEY_PASSWORD, writeKeyPairs } from "./support/key-pairs.ts";
import { storageWorkshop } from "./support/storage.ts";
import { LEGACY, NO_LOG, OFFLINE, run, type TestOptions, temporaryFolder, testIo } from "./support/test-io.ts";

const PASSWORD = { COSIGN_PASSWORD: KEY_PASSWORD };
const SIGN = ["--key", "cosign.key", ...OFFLINE, "-y"];

/** A folder with a key pair and a file, and a function that runs tsign there. */
async function workshop(context: TestContext) {
  const cwd = temporaryFolder(context);
  const tsign = (argv: string[], options: TestOptions = {}) => run(argv, { cwd, env: PASSWORD, ...options });
  writeKeyPairs(cwd, "cosign");
  writeFileSync(join(cwd, "file"), "content");
  const content = (name: string) => readFileSync(join(cwd, name), "utf8");
  return { cwd, tsign, content };
}

test("exactly the flags that name an output file are marked as such", async () => {
  const outputs: string[] = [];
  for (const entry of TABLE) {
    const { words } = entry;
    const command = await loadCommand(entry);
    for (const [key, { description, kind, output = false }] of Object.entries({ ...command.flags, ...GLOBAL_FLAGS })) {
      const says = kind !== "bool" && /^(file to write|alias of --output)/.test(description);
      assert.equal(output, says, `${words.join(" ")} ${key}`);
      if (output) outputs.push(`${words.join(" ")} ${key}`);
    }
  }
  assert.ok(outputs.length > 60);
});

test("output that is also an input, by any path -> refused", async (t) => {
  const { cwd, tsign, content } = await workshop(t);
  linkSync(join(cwd, "file"), join(cwd, "hard"));
  symlinkSync("file", join(cwd, "soft"));
  mkdirSync(join(cwd, "sub"));
  const key = content("cosign.key");
  const over = (flag: string, path: string) =>
    new RegExp(`${flag} ${path.replaceAll(".", "\\.")} would overwrite .*, which is an input`);
  for (const path of ["file", "./file", "sub/../file", join(cwd, "file"), "hard", "soft"]) {
    const { code, stderr } = await tsign(["sign-blob", ...SIGN, "--bundle", path, "file"]);
    assert.equal(code, 1);
    assert.match(stderr, over("--bundle", path));
  }
  for (const [argv, reason] of [
    [
      ["sign-blob", ...SIGN, LEGACY, "--output-signature", "cosign.key", "file"],
      over("--output-signature", "cosign.key"),
    ],
    [
      ["attest-blob", ...SIGN, "--type", "custom", "--predicate", "file", "--bundle", "hard", "cosign.pub"],
      over("--bundle", "hard"),
    ],
    [["public-key", "--key", "cosign.key", "--outfile", "cosign.key"], over("--outfile", "cosign.key")],
    [
      ["verify-blob", "--key", "cosign.pub", "--signature", "hard", "--output-file", "soft", "file"],
      over("--output-file", "soft"),
    ],
    [
      ["trusted-root", "create", "--fulcio", "url=https://f.example,certificate-chain=hard", "--out", "file"],
      over("--out", "file"),
    ],
    [
      ["upload", "blob", "-f", "file:linux/amd64", "--output-file", "hard", "localhost:1/a"],
      over("--output-file", "hard"),
    ],
    [["import-key-pair", "--key", "cosign.key", "-y", "--output-key-prefix", "cosign"], /./],
  ] as const) {
    const { code, stderr } = await tsign([...argv]);
    assert.equal(code, 1, argv.join(" "));
    assert.match(stderr, reason);
  }
  assert.equal(content("file"), "content");
  assert.equal(content("cosign.key"), key);
  const fine = await tsign(["sign-blob", ...SIGN, "--bundle", "other", "file"]); // succeeds with another name
  assert.equal(fine.code, 0, fine.stderr);
});

test("import-key-pair: output over the imported key -> refused", async (t) => {
  const { cwd, tsign, content } = await workshop(t);
  const { generateKeyPairSync } = await import("node:crypto");
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const pem = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  writeFileSync(join(cwd, "mine.key"), pem);
  const refused = await tsign(["import-key-pair", "--key", "mine.key", "-y", "--output-key-prefix", "mine"]);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /would overwrite mine\.key, which is an input/);
  assert.equal(content("mine.key"), pem);
  assert.equal((await tsign(["import-key-pair", "--key", "mine.key", "-y", "-o", "other"])).code, 0);
});

test("two outputs to one file -> refused; to a device -> accepted", async (t) => {
  const { cwd, tsign } = await workshop(t);
  writeFileSync(join(cwd, "there"), "");
  symlinkSync("there", join(cwd, "link"));
  for (const [one, other] of [
    ["new", "new"],
    ["new", "./new"],
    ["new", join(cwd, "new")],
    ["there", "link"],
    ["-", "-"],
  ] as const) {
    const outputs = ["--output-signature", one, "--bundle", other];
    const { code, stderr } = await tsign(["sign-blob", ...SIGN, ...outputs, "file"]);
    assert.equal(code, 1);
    assert.match(stderr, /--\S+ and --\S+ cannot both be written to/);
  }
  for (const outputs of [
    ["--output-signature", "/dev/null", "--bundle", "/dev/null"],
    ["--output-signature", "same", "--output", "same", LEGACY],
  ]) {
    const { code, stderr } = await tsign(["sign-blob", ...SIGN, ...outputs, "file"]);
    assert.equal(code, 0, stderr);
  }
});

test("output -: printed on stdout, complete", async (t) => {
  const { cwd, tsign } = await workshop(t);
  const { stdout, stderr } = await tsign(["sign-blob", ...SIGN, "--bundle", "-", "file"]);
  assert.doesNotMatch(stderr, /Wrote/);
  assert.ok(stdout.endsWith("}\n"));
  writeFileSync(join(cwd, "bundle"), stdout);
  assert.equal((await tsign(["verify-blob", "--key", "cosign.pub", NO_LOG, "--bundle", "bundle", "file"])).code, 0);
  const key = await tsign(["public-key", "--key", "cosign.key", "--outfile", "-"]);
  assert.equal(key.stdout, readFileSync(join(cwd, "cosign.pub"), "utf8"));
  assert.ok(!existsSync(join(cwd, "-")));
});

test("signing commands: unwritable output -> refused before signing", async (t) => {
  const { ok, tsign, cwd, registry, store } = await storageWorkshop(t);
  const pushed = (await ok("sandbox", "push", "app:v1")).stdout.trim();
  const image = pushed.replace(/^[^/]+/, registry);
  writeFileSync(join(cwd, "read-only"), "kept");
  chmodSync(join(cwd, "read-only"), 0o444);
  mkdirSync(join(cwd, "folder"));
  writeFileSync(join(cwd, "predicate"), "{}");
  const before = await store.tags();
  const signing = ["--key", "a.key", ...OFFLINE, "-y"];
  const commands: [string[], string[]][] = [
    [
      ["sign", ...signing, image],
      ["bundle", "output-signature", "output-payload", "output-certificate"],
    ],
    [
      ["sign", ...signing, "--recursive", image],
      ["output-signature", "output-payload"],
    ],
    [["attest", ...signing, "--type", "custom", "--predicate", "predicate", image], ["bundle"]],
    [
      ["sign-blob", ...signing, "text"],
      ["bundle", "output-signature", "output-certificate", "rfc3161-timestamp"],
    ],
    [
      ["attest-blob", ...signing, "--type", "custom", "--predicate", "predicate", "text"],
      ["bundle", "output-signature", "output-attestation", "output-certificate", "rfc3161-timestamp-bundle"],
    ],
    [
      ["public-key", "--key", "a.key"],
      ["outfile", "output-file"],
    ],
    [["signing-config", "create"], ["out"]],
  ];
  for (const [command, flags] of commands) {
    for (const flag of flags) {
      for (const [place, reason] of [
        ["none/x", /there is no folder none/],
        ["read-only/x", /there is no folder read-only/],
        ["folder", /is a directory/],
        ["read-only", /the file is read-only/],
        ["x".repeat(300), /file name too long/],
      ] as const) {
        if (command.includes("--recursive") && /folder|read-only$/.test(place)) continue;
        const { code, stderr } = await tsign(...command, `--${flag}=${place}`);
        assert.equal(code, 1, `${command[0]} --${flag}=${place}`);
        assert.match(stderr, reason, `${command[0]} --${flag}=${place}`);
        assert.doesNotMatch(stderr, /Pushing|Wrote/);
      }
    }
  }
  assert.deepEqual(await store.tags(), before);
  assert.equal(readFileSync(join(cwd, "read-only"), "utf8"), "kept");
});

test("output that cannot be written after signing -> printed, and the command fails", async (t) => {
  const { cwd } = await workshop(t);
  for (const [argv, printed] of [
    [["sign-blob", ...SIGN, "--bundle", "b", "file"], /"mediaType":"application\/vnd\.dev\.sigstore\.bundle/],
    [["sign-blob", ...SIGN, LEGACY, "--output-signature", "s", "file"], /^[\w+/]+=*\n$/],
    [["public-key", "--key", "cosign.key", "--outfile", "p"], /^-----BEGIN PUBLIC KEY-----/],
    [["version", "--output-file", "v"], /GitVersion/],
  ] as const) {
    const io = testIo({ cwd, env: PASSWORD });
    const full = () => Promise.reject(new TsignError("input", "cannot write: no space left on the device"));
    const { main } = await import("../src/main.ts");
    const code = await main([...argv], Object.assign(io, { files: { ...io.files, write: full } }));
    assert.equal(code, 1, argv.join(" "));
    assert.match(io.out(), printed);
    assert.match(io.err(), /no space left on the device\nhint: save what was printed on stdout/);
  }
});

test("existing public key -> replaced only after y", async (t) => {
  const cwd = temporaryFolder(t);
  writeFileSync(join(cwd, "cosign.pub"), "somebody's");
  const refused = await run(["generate-key-pair"], { cwd, env: PASSWORD, stdin: "n\n" });
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /File cosign\.pub already exists\. Overwrite\?/);
  assert.deepEqual(readdirSync(cwd), ["cosign.pub"]);
  assert.equal(readFileSync(join(cwd, "cosign.pub"), "utf8"), "somebody's");
  assert.equal((await run(["generate-key-pair"], { cwd, env: PASSWORD, stdin: "y\n" })).code, 0);
});

test("stdin named twice -> refused", async (t) => {
  const { cwd, tsign } = await workshop(t);
  const twice = /standard input can be read only once/;
  const read = /read stdin as a file: it was already read as the password of a key/;
  const cases: [string[], RegExp, boolean][] = [
    [["sign-blob", ...SIGN, LEGACY, "-", "-"], twice, true],
    [["sign-blob", ...SIGN, LEGACY, "-", "/dev/stdin"], twice, true],
    [["sign-blob", "--key", "-", ...OFFLINE, "-y", "--bundle", "b", "-"], twice, true],
    [["attest-blob", ...SIGN, "--type", "custom", "--predicate", "-", "--bundle", "b", "-"], /standard input/, true],
    [["verify-blob", "--key", "-", NO_LOG, "--bundle", "-", "file"], twice, true],
    [["sign-blob", ...SIGN, "--bundle", "b", "-"], read, false],
    [["sign-blob", ...SIGN, "--bundle", "b", "/dev/stdin"], read, false],
  ];
  for (const [argv, reason, hasPassword] of cases) {
    const { code, stdout, stderr } = await tsign(argv, { stdin: KEY_PASSWORD, env: hasPassword ? PASSWORD : {} });
    assert.equal(code, 1, argv.join(" "));
    assert.match(stderr, reason, argv.join(" "));
    assert.equal(stdout, "");
    assert.ok(!existsSync(join(cwd, "b")));
  }
  const once = await tsign(["sign-blob", ...SIGN, "--bundle", "b", "-"], { stdin: "content" });
  assert.equal(once.code, 0, once.stderr);
  assert.equal((await tsign(["verify-blob", "--key", "cosign.pub", NO_LOG, "--bundle", "b", "file"])).code, 0);
});
