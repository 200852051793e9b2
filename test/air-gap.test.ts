import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { type TestContext, test } from "node:test";
import { pathToFileURL } from "node:url";
import { openRegistry } from "../src/oci/open.ts";
import { parseReference } from "../src/oci/ref.ts";
import { pushImage } from "../src/sandbox/registry/push.ts";
import { BEFORE, ENVIRONMENT, PROGRAM } from "./support/program.ts";
import { testSigstore } from "./support/sandbox.ts";
import { ALICE } from "./support/sandbox-client.ts";
import { PLAIN_REGISTRY, run, temporaryFolder, testIo } from "./support/test-io.ts";

const MAIN = resolve(import.meta.dirname, "../bin/main.ts");
const HOOK = pathToFileURL(resolve(import.meta.dirname, "support/count-sockets.mjs")).href;
const SCRIPT = resolve(import.meta.dirname, "support/air-gap.sh");
const COUNT = 10;

/** A folder with `all.tar`: ten images with keyless signatures, and the trusted root. */
async function archiveOfTen(t: TestContext) {
  const sigstore = await testSigstore();
  const cwd = temporaryFolder(t);
  const io = sigstore.io;
  writeFileSync(join(cwd, "root.json"), sigstore.trustedRoot);
  writeFileSync(join(cwd, "config.json"), sigstore.signingConfig.rekor1Tsa);
  const images: string[] = [];
  const digests: string[] = [];
  for (let number = 1; number <= COUNT; number++) {
    const name = `${sigstore.registry}/team/app${number}:v1`;
    const store = await openRegistry(testIo({ cwd, io }), parseReference(name), PLAIN_REGISTRY);
    digests.push((await pushImage(store, { file: "name", content: Buffer.from(name), tag: "v1" })).digest);
    images.push(name);
  }
  const tsign = async (...argv: string[]) => {
    const outcome = await run(argv, { cwd, io });
    assert.equal(outcome.code, 0, outcome.stderr);
  };
  const token = ["--yes", "--identity-token", sigstore.mint(ALICE)];
  const root = ["--trusted-root", "root.json"];
  await tsign("sign", ...token, "--signing-config", "config.json", ...root, ...images);
  await tsign("save", "--dir", "all.tar", ...root, ...images);
  const who = ["--certificate-identity", ALICE, "--certificate-oidc-issuer", sigstore.at.issuer];
  return { cwd, who, digests };
}

function digestsIn(text: string): string[] {
  return [...text.matchAll(/"docker-manifest-digest":"(sha256:[0-9a-f]{64})"/g)].map(([, digest = ""]) => digest);
}

test("air gap: an archive of ten images -> verified without a socket, and carried into an enclave's registry", async (t) => {
  const { cwd, who, digests } = await archiveOfTen(t);

  await t.test("the process opens no socket; a command that does is counted", () => {
    const env = { ...ENVIRONMENT, HOME: cwd, COUNT_SOCKETS: join(cwd, "count") };
    const node = (...args: string[]) =>
      spawnSync(process.execPath, ["--import", HOOK, MAIN, ...args], { cwd, env, encoding: "utf8" });
    const counted = () => readFileSync(join(cwd, "count"), "utf8");
    const verified = node("verify", ...who, "--trusted-root", "all.tar", "--local-image", "all.tar");
    assert.equal(verified.status, 0, verified.stderr);
    assert.deepEqual(digestsIn(verified.stdout), digests);
    assert.equal(counted(), "");
    assert.notEqual(node("tree", "localhost:1/app:v1").status, 0);
    assert.match(counted(), /connect/);
  });

  await t.test("in an empty network namespace", (inner) => {
    const tool = (...args: string[]) => spawnSync("unshare", ["-rn", ...args], { cwd, encoding: "utf8" });
    if (tool("ip", "link", "set", "lo", "up").status !== 0) {
      inner.skip("this machine has no unshare, no ip, or does not allow network namespaces");
      return;
    }
    const env = { ...ENVIRONMENT, HOME: cwd, TSIGN: [PROGRAM, ...BEFORE].join(" "), WHO: who.join(" ") };
    const script = spawnSync("unshare", ["-rn", "sh", SCRIPT], { cwd, env, encoding: "utf8", timeout: 120_000 });
    assert.equal(script.status, 0, script.stderr);
    for (const file of ["verified-archive", "verified-registry"]) {
      assert.deepEqual(digestsIn(readFileSync(join(cwd, file), "utf8")), digests, file);
    }
    assert.match(script.stderr, /no such image: \S+app11:v1/);
  });
});
