import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type CommandName, TABLE } from "../src/cli/table.ts";
import { loadCommand } from "../src/commands.ts";
import { run, temporaryFolder, testRegistry } from "./support/test-io.ts";

/** Commands whose examples run in sequence, with a registry as the only service. */
const SEQUENCE = [
  "generate-key-pair",
  "import-key-pair",
  "public-key",
  "sign",
  "attach sbom",
  "verify",
  "tree",
  "download sbom",
  "download signature",
  "triangulate",
  "save",
  "load",
  "copy",
  "sign-blob",
  "verify-blob",
  "bundle inspect",
  "upload blob",
  "upload wasm",
  "signing-config create",
  "debug providers",
  "env",
  "version",
  "logout",
  "clean",
] as const satisfies readonly CommandName[];

/** Examples that require a network service, a browser, a key service or a shell. */
const ELSEWHERE =
  /kms|k8s:|https:|--platform|--recursive|--with-default|\||<\(|jq|^source|^complete|> ~|--password-stdin|clean registry|^tsign (sign|sign-blob|verify|verify-blob)(?!.*(no-services|ignore-tlog))/;

async function examplesOf(name: CommandName): Promise<readonly string[]> {
  const entry = TABLE.find((each) => each.name === name) ?? assert.fail(name);
  return (await loadCommand(entry)).examples.filter((line) => !line.startsWith("#") && !ELSEWHERE.test(line));
}

test("examples of help: run as they are, without deprecated flags", async (t) => {
  const cwd = temporaryFolder(t);
  const registry = await testRegistry(t);
  const env: Record<string, string> = { COSIGN_PASSWORD: "pw", TSIGN_SANDBOX: registry, HOME: cwd };
  for (const name of ["app", "web"]) {
    assert.equal((await run(["sandbox", "push", `${name}:v1`], { cwd, env })).code, 0);
  }
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  writeFileSync(join(cwd, "openssl.pem"), privateKey.export({ type: "pkcs8", format: "pem" }));
  for (const file of ["app.tar.gz", "app.spdx", "app-linux", "app-mac", "app.conf", "module.wasm"]) {
    writeFileSync(join(cwd, file), file);
  }
  const containers = ["app", "web"].map((name) => `  - image: ${registry}/${name}:v1`);
  writeFileSync(
    join(cwd, "deployment.yaml"),
    ["apiVersion: v1", "kind: Pod", "spec:", "  containers:", ...containers].join("\n"),
  );
  writeFileSync(
    join(cwd, "tsign.policy.yaml"),
    'version: 1\nsigners: {a: {key: cosign.pub}}\nrules: [{images: "**", signatures: {signers: a, log: insecure-skip}}]\n',
  );
  const tried = new Set<string>();
  const digest = (await run(["triangulate", "--type", "digest", `${registry}/app:v1`], { cwd, env })).stdout.trim();
  for (const name of SEQUENCE) {
    for (const example of await examplesOf(name)) {
      const [line = "", to] = example.split(/ > /);
      const words = line
        .replaceAll("registry.example/app@sha256:…", digest)
        .replaceAll(/(registry|mirror)\.example/g, registry)
        .replace("-f app ", "-f app.tar.gz ")
        .replace(/^(\w+=\S+ )*tsign /, "")
        .split(" ");
      const { code, stderr, stdout } = await run(words, { cwd, env });
      assert.equal(code, 0, `${example}: ${stderr}`);
      assert.doesNotMatch(stderr, /^Flag .* deprecated/m, example);
      if (to) writeFileSync(join(cwd, to), stdout);
      tried.add(name);
    }
  }
  assert.deepEqual(
    SEQUENCE.filter((name) => !tried.has(name)),
    [],
  );
});
