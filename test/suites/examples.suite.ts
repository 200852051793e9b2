import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { resolve } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { stackVariables, token } from "./ecosystem-kit.ts";
import { COSIGN, folder, folderWithKeys, must, pushImage, run, TSIGN } from "./support.ts";

/** The programs of examples/ on a real Sigstore: they verify signatures of tsign and cosign, and cosign verifies theirs. */
const EXAMPLES = resolve(import.meta.dirname, "../../examples");
const HOOK = pathToFileURL(resolve(import.meta.dirname, "../support/own-package.mjs")).href;
const RELEASE = "release@example.com";

function node(example: string): string[] {
  return ["--import", HOOK, resolve(EXAMPLES, example)];
}

/** The address that the server prints once it listens. */
async function addressOf({ stdout, stderr }: ChildProcess): Promise<string> {
  if (!stdout || !stderr) return assert.fail("the server has no output");
  let said = "";
  stderr.on("data", (text) => {
    said += text;
  });
  const [line] = await Promise.race([once(stdout, "data"), once(stderr, "close").then(() => assert.fail(said))]);
  return String(line).trim();
}

test("verify-server.ts: signed with tsign or cosign by the signer -> allowed; anything else -> denied", async (context) => {
  const stack = await stackVariables();
  const cwd = folder(context);
  const config = ["--signing-config", stack("SIGNING_CONFIG"), "--trusted-root", stack("TRUSTED_ROOT")];
  const signedBy = async (program: string, email: string) => {
    const image = await pushImage(stack("REGISTRY"), `examples/${email.replace(/@.*/, "")}`, cwd);
    const identity = ["--identity-token", await token(stack("ISSUER"), email)];
    await must(program, ["sign", "--yes", ...identity, ...config, image], { cwd });
    return image;
  };
  const env = { TRUSTED_ROOT: stack("TRUSTED_ROOT"), SIGNER: RELEASE, ISSUER: stack("ISSUER"), PORT: "0" };
  const server = spawn(process.execPath, node("verify-server.ts"), { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
  context.after(() => server.kill());
  const address = await addressOf(server);
  const ask = async (image: string) => {
    const answer = await fetch(`${address}/?image=${encodeURIComponent(image)}`);
    const { deploy, code, check } = (await answer.json()) as Record<string, unknown>;
    return { status: answer.status, deploy, code, check };
  };
  for (const program of [TSIGN, COSIGN]) {
    const image = await signedBy(program, RELEASE);
    assert.deepEqual(await ask(image), { status: 200, deploy: image, code: undefined, check: undefined });
  }
  const foreign = await ask(await signedBy(COSIGN, "mallory@example.com"));
  assert.deepEqual([foreign.status, foreign.code, foreign.check], [403, "no-match-bundle", "identity"]);
  const unsigned = await ask(await pushImage(stack("REGISTRY"), "examples/unsigned", cwd));
  assert.deepEqual([unsigned.status, unsigned.code], [403, "no-signatures"]);
});

test("sign-build.ts: signs with real logs; cosign verifies with the key only", async (context) => {
  const stack = await stackVariables();
  const cwd = await folderWithKeys(context, "build", "other");
  const image = await pushImage(stack("REGISTRY"), "examples/built", cwd);
  const env = { SIGNING_CONFIG: stack("SIGNING_CONFIG") };
  const built = await must(process.execPath, [...node("sign-build.ts"), "build.key", image], { cwd, env });
  assert.match(built.stderr, /will be public at /);
  for (const program of [TSIGN, COSIGN]) {
    const verify = (key: string) =>
      run(program, ["verify", "--key", key, "--trusted-root", stack("TRUSTED_ROOT"), image], { cwd });
    const good = await verify("build.pub");
    assert.equal(good.code, 0, `${program}: ${good.stderr}`);
    assert.notEqual((await verify("other.pub")).code, 0, program);
  }
});

test("sandbox.test.ts passes unchanged", async (context) => {
  const { code, stdout } = await run(process.execPath, ["--test", ...node("sandbox.test.ts")], {
    cwd: folder(context),
  });
  assert.equal(code, 0, stdout);
  assert.match(stdout, /pass 2\b/);
});
