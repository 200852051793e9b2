import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { run, temporaryFolder, testIo, testRegistry } from "../../../test/support/test-io.ts";
import { loadCommand } from "../../commands.ts";
import { GLOBAL_FLAGS } from "../parser/global-flags.ts";
import { formatCompletion } from "./answer.ts";
import { complete } from "./completion.ts";

const COMMANDS = { global: GLOBAL_FLAGS, load: loadCommand };

async function words(...line: string[]): Promise<{ words: string[]; directive: number }> {
  const { candidates, directive } = await complete(line, COMMANDS, testIo());
  return { words: candidates.map(({ word }) => word), directive };
}

test("completion: commands, groups and help, without hidden ones", async () => {
  assert.deepEqual((await words("ver")).words, [
    "verify",
    "verify-attestation",
    "verify-blob",
    "verify-blob-attestation",
    "version",
  ]);
  assert.deepEqual((await words("triang")).words, []);
  assert.ok((await words("")).words.includes("help"));
  assert.deepEqual((await words("download", "")).words, ["attestation", "sbom", "signature"]);
  assert.deepEqual((await words("help", "download", "")).words, ["attestation", "sbom", "signature"]);
  assert.deepEqual((await words("help", "ver")).words, [
    "verify",
    "verify-attestation",
    "verify-blob",
    "verify-blob-attestation",
    "version",
  ]);
  assert.deepEqual((await words("bogus", "")).words, []);
});

test("completion: flags before the command are skipped with their values", async () => {
  for (const before of [["--timeout", "5s"], ["-t", "5s"], ["--timeout=5s"], ["--verbose"]]) {
    assert.deepEqual((await words(...before, "vers")).words, ["version"], before.join(" "));
  }
  assert.deepEqual(await words("--timeout", "ver"), { words: [], directive: 4 });
});

test("completion: names of flags, without deprecated ones, none after --", async () => {
  assert.deepEqual((await words("--")).words, [
    "--help",
    "--json",
    "--output-file",
    "--quiet",
    "--timeout",
    "--verbose",
    "--version",
  ]);
  assert.deepEqual((await words("verify", "--ke")).words, ["--key"]);
  assert.deepEqual((await words("verify", "--vers")).words, []);
  assert.deepEqual((await words("verify-blob", "--offl")).words, []);
  assert.deepEqual((await words("verify", "--", "--ke")).words, []);
});

test("completion: known values of flags; no files for a flag whose value is not a file", async () => {
  assert.deepEqual(await words("clean", "--type", "s"), { words: ["signature", "sbom"], directive: 4 });
  assert.deepEqual((await words("clean", "--type=s")).words, ["signature", "sbom"]);
  assert.deepEqual((await words("verify", "-o", "")).words, ["json", "text"]);
  assert.deepEqual((await words("copy", "--only", "sig,a")).words, ["sig,att"]);
  assert.deepEqual((await words("completion", "")).words, ["bash", "zsh", "fish", "powershell"]);
  assert.deepEqual(await words("completion", "bash", ""), { words: [], directive: 4 });
  assert.deepEqual((await words("verify", "--check-claims=")).words, ["true", "false"]);
  for (const flag of ["--max-workers", "--certificate-identity", "--rekor-url"]) {
    assert.deepEqual(await words("verify", flag, ""), { words: [], directive: 4 }, flag);
  }
  assert.deepEqual(await words("verify", "--bogus", ""), { words: [], directive: 0 });
});

test("completion returns file name extensions for file flags and arguments", async () => {
  const endings = ["sigstore.json", "bundle", "json"];
  assert.deepEqual(await words("sign-blob", "--bundle", ""), { words: endings, directive: 8 });
  assert.deepEqual(await words("bundle", "inspect", ""), { words: endings, directive: 8 });
  assert.deepEqual(await words("verify-attestation", "--policy", "x"), { words: ["cue", "rego"], directive: 8 });
  assert.deepEqual(await words("load", "--dir", ""), { words: [], directive: 16 });
  assert.deepEqual(await words("verify", "--local-image", ""), { words: [], directive: 16 });
  for (const line of [["sign-blob"], ["verify-blob", "--sct"], ["manifest", "verify"], ["--output-file"]]) {
    assert.deepEqual(await words(...line, ""), { words: [], directive: 0 }, line.join(" "));
  }
});

test("completion: a key is a key file, a key service, or a variable that contains a key", async () => {
  const keys = (line: string[], env = {}) => complete(line, COMMANDS, testIo({ env }));
  const signing = await keys(["sign", "--key", ""]);
  assert.equal(signing.directive, 8);
  const proposed = signing.candidates.map(({ word }) => word);
  for (const word of ["key", "awskms://", "env://", "k8s://", "pkcs11:"]) assert.ok(proposed.includes(word), word);
  assert.ok(!proposed.includes("pub"));
  assert.equal((await keys(["verify", "--key", ""])).candidates[0]?.word, "pub");
  assert.equal((await keys(["key", "test", ""])).candidates[0]?.word, "key");
  const azure = (await keys(["sign", "--key", "az"])).candidates.map(({ word }) => word);
  assert.deepEqual(azure, ["key", "azurekms://"]);
  const env = { MY_KEY: "-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----", HOME: "/", MY_PASSWORD: "secret" };
  const { candidates, directive } = await keys(["sign", "--key", "env://"], env);
  assert.deepEqual(candidates, [{ word: "env://MY_KEY", about: "" }]);
  assert.equal(directive, 4);
  assert.deepEqual(await keys(["sign", "--key", "awskms://"]), { candidates: [], directive: 4 });
  const places = (await keys(["generate-key-pair", ""])).candidates.map(({ word }) => word);
  assert.deepEqual(places, ["k8s://", "gitlab://", "github://"]);
});

test("formatCompletion: one line per candidate, then the directive", async () => {
  const completion = await complete(["vers"], COMMANDS, testIo());
  assert.equal(formatCompletion(completion, { descriptions: true }), "version\tPrint the version\n:4\n");
  assert.equal(formatCompletion(completion, { descriptions: false }), "version\n:4\n");
});

test("completion: registries from docker's configuration, tags from registries with credentials", async (t) => {
  const registry = await testRegistry(t);
  const pushed = await run(["sandbox", "push", "app:v1"], { env: { TSIGN_SANDBOX: registry } });
  assert.equal(pushed.code, 0, pushed.stderr);
  const folder = temporaryFolder(t);
  const auths = { [registry]: { auth: "YTpi" }, "https://index.docker.io/v1/": {}, "x;reboot": {} };
  writeFileSync(join(folder, "config.json"), JSON.stringify({ auths, credHelpers: { "cloud.example": "cloud" } }));
  const requests: string[] = [];
  const plain = testIo();
  const io = testIo({
    env: { DOCKER_CONFIG: folder },
    io: {
      http: (request) => {
        requests.push(request.url.host);
        return plain.http(request);
      },
      spawn: () => assert.fail("a credential helper may prompt"),
    },
  });
  const answer = async (...line: string[]) => {
    const { candidates, directive } = await complete(line, COMMANDS, io);
    return { words: candidates.map(({ word }) => word), directive };
  };
  const hosts = ["cloud.example", "docker.io", registry].sort();
  assert.deepEqual(await answer("verify", ""), { words: hosts.map((host) => `${host}/`), directive: 6 });
  assert.deepEqual((await answer("login", "")).words, hosts);
  assert.deepEqual(requests, []);
  assert.deepEqual(await answer("copy", "x", `${registry}/app:v`), { words: [`${registry}/app:v1`], directive: 4 });
  assert.deepEqual((await answer("verify", `${registry}/app:w`)).words, []);
  assert.deepEqual((await answer("verify", `${registry}/none:`)).words, []);
  requests.length = 0;
  for (const unknown of ["cloud.example/app:", "docker.io/app:", "other.example/app:", `${registry}/app@sha256:`]) {
    assert.deepEqual(await answer("verify", unknown), { words: [], directive: 4 }, unknown);
  }
  assert.deepEqual(requests, [], "no requests without credentials, or with those of a helper only");
  assert.equal(io.err(), "");
});

test("completion: times out after one second without an answer, and ignores a malformed docker configuration", async (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, "config.json"), "{");
  const waited: number[] = [];
  const io = testIo({
    env: { DOCKER_CONFIG: folder },
    io: {
      http: () => new Promise(() => {}),
      sleep: async (time) => void waited.push(time),
    },
  });
  const slow = await complete(["verify", "localhost:1/app:"], COMMANDS, io);
  assert.deepEqual(slow, { candidates: [], directive: 4 });
  assert.deepEqual(waited, [1000]);
  assert.deepEqual(await complete(["verify", ""], COMMANDS, io), { candidates: [], directive: 6 });
  assert.equal(io.err(), "");
});
