import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { COSIGN, folder, must, pushImage, registries, run, TSIGN } from "./support.ts";

/** Prints what the script proposes for a line that bash has split; options it sets are printed as `option:NAME`. */
const SIMULATION = `
source <(tsign completion bash)
compopt() { echo "option:$2"; }
COMP_LINE=$1 COMP_POINT=\${#1} COMP_WORDS=("\${@:2}") COMP_CWORD=$(($# - 2))
_tsign
printf '%s\\n' "\${COMPREPLY[@]}"
`;

/** Splits like readline: at blanks, and at = and :, which are separate words. */
function split(line: string): string[] {
  const words = line.match(/[=:]+|[^\s=:]+/g) ?? [];
  return line.endsWith(" ") ? [...words, ""] : words;
}

test("bash: completes commands, flags, values, keys, images and files, and replaces only the current word", async (t) => {
  const cwd = folder(t);
  const { ref } = await registries(t);
  await pushImage(ref, "app", cwd);
  writeFileSync(join(cwd, "cosign.key"), "");
  writeFileSync(join(cwd, "cosign.pub"), "");
  mkdirSync(join(cwd, "keys"));
  mkdirSync(join(cwd, "docker"));
  writeFileSync(join(cwd, "docker/config.json"), '{"auths":{"registry.example:5000":{}}}');
  const env = {
    PATH: `${dirname(TSIGN)}:${process.env["PATH"]}`,
    DOCKER_CONFIG: join(cwd, "docker"),
    RELEASE_KEY: "-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----",
  };
  const bash = async (line: string) => {
    const { stdout, stderr } = await run("bash", ["-c", SIMULATION, "bash", line, ...split(line)], { cwd, env });
    assert.equal(stderr, "", line);
    return stdout.split("\n").filter((each) => each !== "");
  };
  assert.deepEqual(await bash("tsign verify-blob-"), ["verify-blob-attestation"]);
  assert.deepEqual(await bash("tsign --timeout 5s download sig"), ["signature"]);
  assert.deepEqual(await bash("tsign clean --type=sig"), ["signature"]);
  assert.deepEqual(await bash("tsign clean --type="), ["signature", "attestation", "referrer", "sbom", "all"]);
  assert.deepEqual(await bash("tsign sign --key co"), ["option:filenames", "cosign.key"]);
  assert.deepEqual(await bash("tsign verify --key=co"), ["option:filenames", "cosign.pub"]);
  assert.deepEqual(await bash("tsign sign --key aw"), ["option:nospace", "awskms://"]);
  assert.deepEqual(await bash("tsign sign --key env://R"), ["//RELEASE_KEY"]);
  assert.deepEqual(await bash("tsign verify reg"), ["option:nospace", "registry.example:5000/"]);
  assert.deepEqual(await bash("tsign verify registry.example:5"), ["option:nospace", "5000/"]);
  assert.deepEqual(await bash(`tsign verify ${ref}/app:`), ["v1"]);
  assert.deepEqual(await bash(`tsign verify ${ref}/app:x`), []);
  assert.deepEqual(await bash("tsign load --dir k"), ["option:filenames", "keys"]);
  assert.deepEqual(await bash("tsign sign-blob x"), ["option:default"]);
  assert.deepEqual(await bash("tsign verify --max-workers "), []);
});

test("completion scripts: no syntax errors in their shells", async (t) => {
  const cwd = folder(t);
  for (const shell of ["bash", "zsh", "fish"]) {
    if (spawnSync(shell, ["-c", "true"]).error) {
      t.diagnostic(`no ${shell} here`);
      continue;
    }
    writeFileSync(join(cwd, shell), (await must(TSIGN, ["completion", shell], { cwd })).stdout);
    await must(shell, ["-n", join(cwd, shell)], { cwd });
  }
});

test("completion: tsign proposes everything that cosign proposes", async (t) => {
  const cwd = folder(t);
  const lines = [
    ["ver"],
    ["help", "ver"],
    ["download", ""],
    ["bundle", ""],
    ["completion", ""],
    ["verify", "--key", ""],
    ["verify", "--key="],
    ["verify-blob", "--signature", ""],
    ["verify-attestation", "--policy", ""],
    ["verify", "--trusted-root", ""],
    ["verify", "-o", ""],
    ["verify", "--certificate-i"],
    ["verify", "--offl"],
    ["sign", "--key", ""],
    ["sign", "--certificate", ""],
    ["sign", "--registry-client-key", ""],
    ["sign-blob", "--bundle", ""],
    ["attest-blob", "--hash", ""],
    ["load", "--dir", ""],
    ["public-key", "--outfile", ""],
    ["triang"],
  ];
  for (const line of lines) {
    const [theirs, ours] = await Promise.all(
      [COSIGN, TSIGN].map(async (program) => {
        const { stdout } = await must(program, ["__completeNoDesc", ...line], { cwd });
        return stdout.trim().split("\n");
      }),
    );
    const missing = theirs!.filter((each) => !ours!.includes(each));
    assert.deepEqual(missing, [], `${line.join(" ")}: ${ours!.join(" ")}`);
  }
});
