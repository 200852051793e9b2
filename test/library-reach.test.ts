import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { testSigstore } from "./support/sandbox.ts";
import { ALICE } from "./support/sandbox-client.ts";
import { ARTIFACT, signedBundle } from "./support/signed-bundles.ts";
import { OFFLINE, run, temporaryFolder } from "./support/test-io.ts";

const support = (name: string) => pathToFileURL(resolve(import.meta.dirname, "support", name)).href;
const lines = (path: string) =>
  readFileSync(path, "utf8")
    .split("\n")
    .filter((each) => each !== "");

/** Variables that Node, the counter and minimatch (of @tufjs/models) read when they are loaded. */
const OTHERS = [
  "COUNT_SOCKETS",
  "FORCE_COLOR",
  "NODE_V8_COVERAGE",
  "WATCH_REPORT_DEPENDENCIES",
  "__MINIMATCH_TESTING_PLATFORM__",
];

/** Runs a separate program that imports "tsign". @returns its network and environment accesses */
function counted(cwd: string, program: string): { stderr: string; network: string[]; environment: string[] } {
  writeFileSync(join(cwd, "program.mjs"), program);
  const hooks = ["own-package.mjs", "count-sockets.mjs", "count-environment.mjs"].flatMap((name) => [
    "--import",
    support(name),
  ]);
  const [sockets, environment] = [join(cwd, "sockets"), join(cwd, "environment")];
  const env = {
    PATH: process.env["PATH"],
    HOME: cwd,
    COUNT_SOCKETS: sockets,
    COUNT_ENVIRONMENT: environment,
    VARIABLE: "x",
  };
  const { stderr } = spawnSync(process.execPath, [...hooks, "program.mjs"], { cwd, env, encoding: "utf8" });
  const read = lines(environment).filter((name) => !OTHERS.includes(name));
  return { stderr, network: lines(sockets), environment: read };
}

test("library: verifying and signing with local material opens no socket and reads no variable", async (t) => {
  const cwd = temporaryFolder(t);
  const sigstore = await testSigstore();
  const kind = { version: "0.3", signer: "certificate", promise: false, timestamp: true } as const;
  const bundle = await signedBundle(sigstore, { ...kind, entry: "hashedrekord 0.0.2", dsse: false });
  writeFileSync(join(cwd, "root.json"), sigstore.trustedRoot);
  writeFileSync(join(cwd, "artifact"), ARTIFACT);
  writeFileSync(join(cwd, "bundle.json"), JSON.stringify(bundle.json));
  const env = { COSIGN_PASSWORD: "pw" };
  assert.equal((await run(["generate-key-pair"], { cwd, env })).code, 0);
  const signed = await run(["sign-blob", "--key", "cosign.key", ...OFFLINE, "--bundle", "k.json", "artifact"], {
    cwd,
    env,
  });
  assert.equal(signed.code, 0, signed.stderr);
  const identity = JSON.stringify({ subject: ALICE, issuer: sigstore.at.issuer });
  const { stderr, network, environment } = counted(
    cwd,
    `import assert from "node:assert/strict";
     import { createReadStream } from "node:fs";
     import { readFile } from "node:fs/promises";
     import * as tsign from "tsign";
     const { createRegistry, createTransport, createVerifier, loadKey, openSession, verifyImage } = tsign;
     const verifier = await createVerifier({ trustedRoot: await readFile("root.json") });
     const identity = ${identity};
     await verifier.verify(await readFile("bundle.json"), { artifact: createReadStream("artifact"), identity });
     const key = await loadKey("cosign.key", { password: "pw" });
     const without = { key, insecureIgnoreTransparencyLog: true };
     await verifier.verify(await readFile("k.json"), { artifact: createReadStream("artifact"), ...without });
     const session = await openSession({ key });
     const artifact = Buffer.from("something");
     await verifier.verify(await session.signArtifact(artifact), { artifact, ...without });
     const registry = createRegistry({ transport: createTransport() });
     const refused = (code, promise) => assert.rejects(promise, { code });
     await refused("input", loadKey("env://VARIABLE"));
     await refused("usage", loadKey("hashivault://key"));
     await refused("usage", loadKey("https://example.com/key.pub"));
     await refused("usage", createVerifier({ trustedRoot: { tuf: {} } }));
     await refused("usage", verifyImage("localhost:1/app", { verifier, registry }));
     process.stderr.write("done");`,
  );
  assert.equal(stderr, "done");
  assert.deepEqual(network, []);
  assert.deepEqual(environment, []);
});

test("library: network and environment uses are counted where they are requested", async (t) => {
  const cwd = temporaryFolder(t);
  const { stderr, network, environment } = counted(
    cwd,
    `import { createRegistry, createTransport, loadKey } from "tsign";
     const registry = createRegistry({ transport: createTransport(), env: process.env });
     await registry.resolve("localhost:1/app:v1").catch(({ code }) => process.stderr.write(code + " "));
     await loadKey("env://VARIABLE", { env: process.env }).catch(({ code }) => process.stderr.write(code));`,
  );
  assert.equal(stderr, "network input");
  assert.ok(network.includes("connect"), "the counter counts nothing");
  assert.ok(environment.length > 0, "the counter counts nothing");
});
