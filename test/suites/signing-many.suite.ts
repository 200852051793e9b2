import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setting, startSandbox, tap, throughTap, timed, token } from "./faults-kit.ts";
import { COSIGN, folder, must, pushImage, run, TSIGN } from "./support.ts";

const COUNT = 30;
/** Images signed at a time: what was logged and not yet stored when the program was killed. */
const AT_A_TIME = 4;
/** Seconds. */
const LIMIT = 120;

test("a build of thirty images, signed in CI, killed in the middle and completed by a second run", {
  timeout: 600_000,
}, async (t) => {
  const env = await startSandbox(t);
  const cwd = folder(t);
  const registry = setting(env, "TSIGN_SANDBOX");
  const services = await tap(t, registry);
  const config = throughTap(setting(env, "TSIGN_SANDBOX_SIGNING_CONFIG"), env, services, cwd);
  const root = setting(env, "TSIGN_SANDBOX_TRUSTED_ROOT");
  const images: string[] = [];
  for (let index = 0; index < COUNT; index++) {
    images.push(await pushImage(registry, `build/app${index}`, cwd));
  }
  const through = images.map((image) => image.replace(/^[^/]+/, services.address));
  writeFileSync(join(cwd, "images.txt"), `# the images of a build\n${through.join("\n")}\n`);
  const who = ["--identity-token", await token(env, cwd), "--trusted-root", root, "--signing-config", config];
  const line = ["sign", "--yes", ...who, "--skip-signed", "--from", "images.txt"];
  const logged = () => services.seen.filter((each) => /^POST .*\/log\/entries$/.test(each)).length;
  const issued = () => services.seen.filter((each) => /^POST .*signingCert$/.test(each)).length;

  // Killed at the request in the middle of the work.
  const started = (kill: () => void) => services.arm(COUNT * 5, kill);
  const killed = await timed(TSIGN, line, { cwd, env, limit: LIMIT, started });
  const before = logged();
  assert.notEqual(killed.code, 0, "it was killed");
  assert.ok(before > 0 && before < COUNT, `killed in the middle: ${before} logged`);
  services.arm();

  const second = await timed(TSIGN, [...line, "--json"], { cwd, env, limit: LIMIT });
  assert.equal(second.code, 0, second.stderr);
  assert.equal(issued(), 1, "one certificate");
  const states = JSON.parse(second.stdout).result.images.map(({ state }: { state: string }) => state);
  assert.equal(states.length, COUNT);
  const skipped = states.filter((state: string) => state === "already signed").length;
  assert.equal(logged(), COUNT - skipped, "nothing that is stored is logged again");
  assert.ok(before - skipped <= AT_A_TIME, `${before} logged and ${skipped} stored before it was killed`);

  // Each image has one signature, and a third run does nothing.
  const by = [
    "--certificate-identity",
    "alice@example.com",
    "--certificate-oidc-issuer",
    setting(env, "TSIGN_SANDBOX_ISSUER"),
  ];
  const verified = await must(TSIGN, ["verify", "--trusted-root", root, ...by, ...images], { cwd, env });
  const counts = verified.stdout
    .trim()
    .split(/\n+/)
    .map((text) => JSON.parse(text).length);
  assert.deepEqual(counts, Array(COUNT).fill(1));
  services.arm();
  const third = await run(TSIGN, line, { cwd, env });
  assert.equal(third.code, 0, third.stderr);
  assert.match(third.stderr, /^0 of 30 images signed, 30 already signed$/m);
  assert.equal(logged(), 0);
  console.log(`killed after ${before} entries, ${skipped} stored; second run: ${COUNT - skipped} signed`);
});

test("thirty images signed with a key: beside cosign", { timeout: 600_000 }, async (t) => {
  const env = await startSandbox(t);
  const cwd = folder(t);
  const registry = setting(env, "TSIGN_SANDBOX");
  await must(TSIGN, ["generate-key-pair"], { cwd });
  const images: string[] = [];
  for (let index = 0; index < COUNT; index++) images.push(await pushImage(registry, `key/app${index}`, cwd));
  const services = ["--trusted-root", setting(env, "TSIGN_SANDBOX_TRUSTED_ROOT")];
  const config = ["--signing-config", setting(env, "TSIGN_SANDBOX_SIGNING_CONFIG")];
  const line = ["sign", "--yes", "--key", "cosign.key", ...services, ...config, ...images];
  const ours = await timed(TSIGN, line, { cwd, env, limit: LIMIT });
  assert.equal(ours.code, 0, ours.stderr);
  const theirs = await timed(COSIGN, line, { cwd, env, limit: LIMIT });
  assert.equal(theirs.code, 0, theirs.stderr);
  const verify = ["verify", "--key", "cosign.pub", "--trusted-root", services[1] ?? "", ...images];
  const verified = await must(TSIGN, verify, { cwd, env });
  for (const text of verified.stdout.trim().split(/\n+/)) assert.equal(JSON.parse(text).length, 2);
  console.log(`thirty images: tsign ${ours.seconds.toFixed(1)} s, cosign ${theirs.seconds.toFixed(1)} s`);
});
