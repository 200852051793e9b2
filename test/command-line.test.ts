import assert from "node:assert/strict";
import { test } from "node:test";
import { TsignError } from "../src/errors.ts";
import { run } from "./support/test-io.ts";

test("unknown command with any flags -> reported as an unknown command", async () => {
  for (const argv of [["atest"], ["atest", "--key", "a.key", "image"], ["--timeout", "5s", "atest"]]) {
    const refused = await run(argv);
    assert.equal(refused.code, 1, argv.join(" "));
    assert.match(refused.stderr, /^Error: unknown command "atest" for "tsign"\n/);
  }
  const flag = await run(["--bogus"]);
  assert.match(flag.stderr, /^Error: unknown flag: --bogus/);
});

test("wrong number of arguments -> cobra's message", async () => {
  const cases = [
    [["load"], "accepts 1 arg(s), received 0"],
    [["load", "a", "b"], "accepts 1 arg(s), received 2"],
    [["verify"], "requires at least 1 arg(s), only received 0"],
  ] as const;
  for (const [argv, message] of cases) {
    const refused = await run([...argv]);
    assert.equal(refused.code, 1);
    assert.ok(
      refused.stderr.startsWith(`Error: ${message}\nhint: run \`tsign ${argv[0]} [flags] <image`),
      refused.stderr,
    );
  }
});

test("deprecated command with deprecated flags -> the command's notice comes first", async () => {
  const { stderr } = await run(["triangulate", "--attachment-tag-prefix", "x", "--type", "nonsense", "image"]);
  assert.match(stderr, /^Command "triangulate" is deprecated, .*\nFlag --attachment-tag-prefix has been deprecated, /);
});

test("deprecated command: notice printed with --help and with errors, not by `tsign help`", async () => {
  const notice = /^Command "copy" is deprecated, /;
  for (const argv of [["copy"], ["copy", "--help"], ["copy", "--bogus"]]) {
    assert.match((await run(argv)).stderr, notice, argv.join(" "));
  }
  assert.match((await run(["attach"])).stderr, /^Command "attach" is deprecated, /);
  for (const argv of [
    ["help", "copy"],
    ["help", "attach"],
    ["sign", "--help"],
  ]) {
    assert.equal((await run(argv)).stderr, "", argv.join(" "));
  }
});

test("--max-workers: 0 -> refused by commands that fetch", async () => {
  for (const command of ["verify", "verify-attestation"]) {
    const refused = await run([command, "--max-workers=0", "--key", "none", "localhost:1/app"]);
    assert.match(refused.stderr, /^Error: --max-workers must be greater than 0$/m);
  }
  const passed = await run(["verify-blob", "--max-workers=0", "--key", "none", "--bundle", "none", "file"]);
  assert.match(passed.stderr, /read none/);
});

test("flags before the command -> accepted; a flag that is not global takes the next word", async () => {
  const fine = await run(["--bogus", "5s", "-t=5s", "--verbose", "completion", "bash"]);
  assert.match(fine.stderr, /unknown flag: --bogus/, "the command was found, and does not know it");
  const before = await run(["--show-descriptions=false", "--timeout", "5s", "env"]);
  assert.equal(before.code, 0, before.stderr);
  assert.doesNotMatch(before.stdout, /^#/m);
  const swallowed = await run(["--show-descriptions", "env"]);
  assert.equal(swallowed.code, 1);
  assert.match(swallowed.stderr, /unknown flag: --show-descriptions/);
  assert.equal((await run(["--json", "env"])).code, 0);
});

test("help, help help and no arguments -> help of the program", async () => {
  for (const argv of [[], ["help"], ["help", "help"], ["help", "--help"], ["--"]]) {
    const shown = await run(argv);
    assert.equal(shown.code, 0, argv.join(" "));
    assert.match(shown.stdout, /^Signing commands:$/m);
    assert.equal(shown.stderr, "");
  }
});

test("unknown command, in any position -> exit 1, nearest command proposed", async () => {
  const cases: readonly (readonly [line: string, program: string, near?: string])[] = [
    ["bogus", "tsign"],
    ["bogus --help", "tsign"],
    ["help bogus", "tsign"],
    ["-- verify image", "tsign", "tsign verify"],
    ["sgin image", "tsign", "tsign sign"],
    ["verfiy image", "tsign", "tsign verify"],
    ["help verfy", "tsign", "tsign verify"],
    ["help verify x", "tsign verify"],
    ["help manifest verfy", "tsign manifest", "tsign manifest verify"],
    ["manifest verfy k.yaml", "tsign manifest", "tsign manifest verify"],
    ["manifest k.yaml", "tsign manifest"],
    ["manifest verfy --help", "tsign manifest", "tsign manifest verify"],
    ["manifest -- verify k.yaml", "tsign manifest", "tsign manifest verify"],
    ["dockerfile vreify Dockerfile", "tsign dockerfile", "tsign dockerfile verify"],
    ["bundle inspct x", "tsign bundle", "tsign bundle inspect"],
    ["key tset k", "tsign key", "tsign key test"],
    ["log serach --email a@b.example", "tsign log", "tsign log search"],
    ["policy -d tets p.yaml", "tsign policy", "tsign policy test"],
    ["download sigs x", "tsign download"],
    ["attach sgnature x", "tsign attach", "tsign attach signature"],
    ["sandbox upp", "tsign sandbox", "tsign sandbox up"],
    ["sandbox -d down2", "tsign sandbox", "tsign sandbox down"],
  ];
  for (const [line, program, near] of cases) {
    const refused = await run(line.split(" "));
    assert.equal(refused.code, 1, line);
    assert.equal(refused.stdout, "", line);
    assert.match(refused.stderr, new RegExp(`^Error: unknown command "[^"]+" for "${program}"$`, "m"), line);
    const hint = near ? `^hint: did you mean \`${near}\`` : `^hint: run \`${program} --help\``;
    assert.match(refused.stderr, new RegExp(hint, "m"), line);
  }
});

test("a group alone -> its help, with and without --help", async () => {
  for (const line of ["bundle", "bundle --help", "help bundle", "key -d", "help sandbox"]) {
    const shown = await run(line.split(" "));
    assert.equal(shown.code, 0, line);
    assert.match(shown.stdout, /tsign (bundle|key|sandbox)/, line);
  }
});

test("invalid flag value -> reported before a wrong number of arguments", async () => {
  const refused = await run(["verify", "--max-workers=x"]);
  assert.match(refused.stderr, /invalid argument "x" for "--max-workers"/);
});

test("COSIGN_<FLAG>: used for flags that are not on the command line, parsed by their kind", async () => {
  const sign = (env: Record<string, string>, ...argv: string[]) => run(["sign", ...argv, "image"], { env });
  const bad = await sign({ COSIGN_TLOG_UPLOAD: "maybe" });
  assert.match(bad.stderr, /invalid argument "maybe" for "COSIGN_TLOG_UPLOAD": expected true or false/);
  const both = await sign({ COSIGN_SK: "true" }, "--key=cosign.key");
  assert.match(both.stderr, /--key and --sk cannot be used together/);
  assert.doesNotMatch((await sign({ COSIGN_SK: "true" }, "--key=cosign.key", "--sk=false")).stderr, /exclude/);
  const list = await sign({ COSIGN_ANNOTATIONS: 'a=b,"c' });
  assert.match(list.stderr, /"COSIGN_ANNOTATIONS": invalid quotes/);
  const unbound = await run(["version"], {
    env: { COSIGN_JSON: "true", COSIGN_OUTPUT_FILE: "x", COSIGN_HELP: "true" },
  });
  assert.match(unbound.stdout, /^tsign: /);
});

test("--timeout: 0, 1ns, -1s -> times out at once", async () => {
  for (const timeout of ["0", "1ns", "-1s"]) {
    const late = await run(["env", `--timeout=${timeout}`]);
    assert.equal(late.code, 1);
    assert.match(late.stderr, /^Error: the command took longer than --timeout -?[01]n?s\nhint: .*\n$/);
    assert.equal(late.stdout, "");
  }
});

test("--verbose: shows failed requests, without their queries", async () => {
  const shown = await run(["tree", "--verbose", "localhost:1/app:v1"], {
    io: {
      http: () => Promise.reject(new Error("broken\u001b[2J")),
      sleep: (time) => (time < 60_000 ? Promise.resolve() : new Promise(() => {})),
    },
  });
  assert.equal(shown.code, 1);
  assert.match(shown.stderr, /^[A-Z]+ https?:\/\/localhost:1\/v2\/\S*: broken\\u001b\[2J$/m);
});

test("signals -> the exit codes that shells expect", async () => {
  const abort = new AbortController();
  abort.abort(new TsignError("cancelled", "interrupted", { exitCode: 130 }));
  const stopped = await run(["env"], { io: { signal: abort.signal } });
  assert.deepEqual(stopped, { code: 130, stdout: "", stderr: "Error: interrupted\n" });
});

test("flags for trust, key, identity or target: two values, in any spelling -> refused", async () => {
  const refused = [
    "public-key --key a.pub --key b.pub",
    "sign-blob --key=a.key --key b.key file",
    "verify --certificate a.pem --cert b.pem image",
    "verify-blob --certificate-github-workflow-name a --certificate-github-workflow-name=b file",
    "verify --key k --insecure-ignore-tlog --insecure-ignore-tlog=false image",
    "verify --key k --trusted-root a --trusted-root b image",
    "verify --key k --registry-token a --registry-token b image",
    "verify-attestation --key k --type slsaprovenance --type spdx image",
    "verify-blob --key k --bundle a --bundle b file",
    "sign-blob --key k --bundle a --bundle b file",
    "sign --key k --rekor-url https://a --rekor-url https://b image",
    "sign --key k --output-file a --output-file b image",
    "load --dir a --dir b image",
    "initialize --mirror https://a --mirror https://b",
    "copy --platform linux/amd64 --platform linux/arm64 a b",
    "login -u a -u b registry.example",
  ];
  for (const line of refused) {
    const { code, stderr } = await run(line.split(" "));
    assert.equal(code, 1, line);
    assert.match(stderr, /^Error: --[a-z-]+ is set 2 times with different values\nhint: .+$/m, line);
  }
  const same = await run("env --timeout 5s --timeout=5s".split(" "));
  assert.deepEqual([same.code, same.stderr], [0, ""]);
  const equal = await run(
    "verify --key k.pub --key k.pub --insecure-ignore-tlog=true --insecure-ignore-tlog=1 image".split(" "),
  );
  assert.doesNotMatch(equal.stderr, /is set \d times/);
  const lists = await run("verify --key k.pub -a x=y -a z=w image".split(" "));
  assert.doesNotMatch(lists.stderr, /is set \d times/);
});

test("other flags: repeated -> last value is used, with a warning; the command line overrides a variable", async () => {
  const last = await run("env --show-descriptions --show-descriptions=false --timeout 5s --timeout 6s".split(" "));
  assert.equal(last.code, 0);
  assert.doesNotMatch(last.stdout, /^#/m);
  assert.match(last.stderr, /^WARNING: --show-descriptions is set 2 times; only the last value is used$/m);
  assert.match(last.stderr, /^WARNING: --timeout is set 2 times/m);
  const env = { COSIGN_KEY: "other.pub", COSIGN_MAX_WORKERS: "3" };
  const line = await run("verify --key k.pub --max-workers 2 image".split(" "), { env });
  assert.match(line.stderr, /^WARNING: COSIGN_KEY is ignored because --key is set$/m);
  assert.doesNotMatch(line.stderr, /WORKERS/);
  assert.match(line.stderr, /k\.pub/);
  const equal = await run("verify --key k.pub image".split(" "), { env: { COSIGN_KEY: "k.pub" } });
  assert.doesNotMatch(equal.stderr, /COSIGN_KEY/);
});

test("--output: unknown format -> refused", async () => {
  for (const command of ["verify", "verify-attestation", "dockerfile verify", "manifest verify"]) {
    for (const form of ["yaml", "sarif", "JSON", "json,text"]) {
      const refused = await run([...command.split(" "), "--key", "k.pub", "-o", form, "x"]);
      assert.equal(refused.code, 1);
      assert.match(
        refused.stderr,
        /Error: invalid argument "[^"]+" for "-o, --output" flag: must be one of "json", "text"$/m,
      );
    }
  }
  const variable = await run(["verify", "--key", "k.pub", "x"], { env: { COSIGN_OUTPUT: "yaml" } });
  assert.match(variable.stderr, /invalid argument "yaml" for "COSIGN_OUTPUT": must be one of/);
});

test("boolean flag with a separate value -> refused", async () => {
  for (const word of ["true", "false"]) {
    const refused = await run(["verify", "--key", "k", "--insecure-ignore-tlog", word, "image"]);
    assert.equal(refused.code, 1);
    assert.match(
      refused.stderr,
      new RegExp(`^Error: boolean flag --insecure-ignore-tlog is followed by ${word}$`, "m"),
    );
    assert.match(refused.stderr, new RegExp(`^hint: use --insecure-ignore-tlog=${word}, `, "m"));
  }
  const named = await run(["verify", "--key", "k.pub", "--insecure-ignore-tlog", "--", "false"]);
  assert.match(named.stderr, /k\.pub/);
});

test("--version, -v and -V of the program print the version", async () => {
  const { stdout } = await run(["version"]);
  for (const flag of ["--version", "-v", "-V"]) assert.deepEqual(await run([flag]), { code: 0, stdout, stderr: "" });
  assert.deepEqual(
    JSON.parse((await run(["-v", "--json"])).stdout),
    JSON.parse((await run(["version", "--json"])).stdout),
  );
  assert.equal((await run(["--timeout=5s", "--version"])).stdout, stdout);
});

test("--version, -v and -V beside a command are unknown flags, and exit 1", async () => {
  for (const line of ["-v sign image", "--version sign", "sign -v image", "verify --version image", "-- -v", "-V x"]) {
    const refused = await run(line.split(" "));
    assert.equal(refused.code, 1, line);
    assert.equal(refused.stdout, "", line);
    assert.match(refused.stderr, /unknown (shorthand )?flag|unknown command/, line);
  }
  assert.match((await run(["verify", "-v", "image"])).stderr, /^hint: run `tsign version` for the version/m);
});

test("several near commands are proposed, hidden and deprecated ones never", async () => {
  assert.match((await run(["sgin", "image"])).stderr, /^hint: did you mean `tsign sign` or `tsign login`\?$/m);
  for (const word of ["cpoy", "triangulat", "generate-fig-spek", "dockerfil", "atach", "uplaod", "manifes", "debgu"]) {
    const refused = await run([word, "x"]);
    assert.equal(refused.code, 1);
    assert.doesNotMatch(
      refused.stderr,
      /copy|triangulate`|fig-spec|dockerfile`|attach`|upload`|manifest`|debug`/,
      word,
    );
  }
  assert.match((await run(["hlep"])).stderr, /did you mean `tsign help`\?/);
  const flag = await run(["verify", "--certifcate", "x", "image"]);
  assert.doesNotMatch(flag.stderr, /--certificate[ ?,]/, "deprecated");
});

test("a value that is not among a flag's choices is refused with the list and the nearest choice", async () => {
  const cases: readonly (readonly [line: string, flag: string, near?: string])[] = [
    ["verify --key k.pub -o jsno x", "-o, --output", "json"],
    ["verify --key k.pub -o yaml x", "-o, --output"],
    ["verify --key k.pub -o JSON x", "-o, --output", "json"],
    ["sign --fulcio-auth-flow devcie x", "--fulcio-auth-flow", "device"],
    ["sign --oidc-provider github x", "--oidc-provider", "github-actions"],
    ["sign --sk --slot signatrue x", "--slot", "signature"],
    ["sign --format bundel x", "--format", "bundle"],
    ["clean --type sigs x", "--type"],
    ["clean --type sobm x", "--type", "sbom"],
    ["copy --only sig,attt a b", "--only", "att"],
    ["triangulate --type atestation x", "--type", "attestation"],
    ["attach sbom --type spxd --sbom f x", "--type", "spdx"],
    ["attach sbom --input-format jsn --sbom f x", "--input-format", "json"],
    ["key test -o jason k", "-o, --output", "json"],
  ];
  for (const [line, flag, near] of cases) {
    const refused = await run(line.split(" "));
    assert.equal(refused.code, 1, line);
    assert.match(
      refused.stderr,
      new RegExp(`^Error: invalid argument "[^"]+" for "${flag}" flag: must be one of "`, "m"),
      line,
    );
    if (near) assert.match(refused.stderr, new RegExp(`^hint: did you mean ${near}`, "m"), line);
    else assert.doesNotMatch(refused.stderr, /did you mean/, line);
  }
  for (const line of ["triangulate --type= x", "attach sbom --type= --sbom package.json x"]) {
    const empty = await run(line.split(" "), { cwd: process.cwd() });
    assert.equal(empty.code, 1, line);
    assert.equal(empty.stdout, "", line);
    assert.match(empty.stderr, /^Error: unknown (?:attachment|SBOM) type ""\nhint: use --type \w+/m, line);
  }
  const variable = await run(["sign", "x"], { env: { COSIGN_OIDC_PROVIDER: "githb-actions" } });
  assert.match(variable.stderr, /"COSIGN_OIDC_PROVIDER": must be one of .*\nhint: did you mean github-actions\?/);
  const type = await run("attest --key k.key --type slsaprovenence1 --predicate p x".split(" "));
  assert.match(type.stderr, /invalid predicate type: slsaprovenence1\nhint: did you mean slsaprovenance1/);
  assert.match((await run(["completion", "fihs"])).stderr, /"fihs" for "tsign completion"\nhint: did you mean fish\?/);
  assert.match((await run(["completion", "tcsh2000"])).stderr, /\nhint: use one of bash, zsh, fish, powershell\n/);
});

test("two flags that exclude one another -> cobra's message, and a hint that names both", async () => {
  const refused = await run("verify --ca-roots a --certificate-chain b --key k image".split(" "));
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /^Error: if any flags in the group \[ca-roots certificate-chain\] are set/m);
  assert.match(refused.stderr, /^hint: set only one of --ca-roots and --certificate-chain$/m);
});

test("--quiet: warnings and notes are left out, errors stay; --verbose beside it is refused", async () => {
  const ignored = ["triangulate", "--quiet", "--registry-password", "secret-0", "nowhere.invalid/a:b"];
  const loud = await run(ignored.filter((word) => word !== "--quiet"));
  assert.match(loud.stderr, /^Command "triangulate" is deprecated.*^WARNING: .*^Error: /ms);
  const quiet = await run(ignored);
  assert.equal(quiet.code, loud.code);
  assert.match(quiet.stderr, /^Error: [^\n]*\n(?:hint: [^\n]*\n)?$/);
  const both = await run(["version", "-q", "-d"]);
  assert.equal(both.code, 1);
  assert.match(both.stderr, /^Error: --quiet and --verbose cannot be used together\n/);
});
