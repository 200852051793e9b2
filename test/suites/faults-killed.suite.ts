import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type Sandbox, setting, startSandbox, type Tap, tap, throughTap, timed, token } from "./faults-kit.ts";
import { folder, LEGACY, must, NO_LOG, OFFLINE, pushImage, registries, run, TSIGN } from "./support.ts";

/** Time limit of a command that waits to be killed. Seconds. */
const LIMIT = 60;

interface Killed {
  readonly name: string;
  /** `host:port` of the registry. */
  readonly registry: string;
  /** In front of the registry, and of the services if the command uses any. */
  readonly tapped: Tap;
  /** The form of the existing signature. */
  readonly form: readonly string[];
  /** The command that is killed. */
  line(image: string): string[];
  /** Verifies the result of the command. */
  verify(image: string): string[];
  /** Prints one line for each thing that the command stores once, however often it is run. */
  stored?(image: string): string[];
}

/** A folder with keys, and a sandbox for the services. */
interface Bench {
  readonly cwd: string;
  readonly env: Sandbox;
}

const key = (name: string) => ["--key", `${name}.key`, ...OFFLINE];
const byKey = (name: string) => ["--key", `${name}.pub`, NO_LOG];

/** An image with a signature of the first key: where it is, and its reference through the tap. */
async function signedImage({ cwd, env }: Bench, { registry, tapped, form }: Killed) {
  const direct = await pushImage(registry, `kill/${Math.random().toString(36).slice(2)}`, cwd);
  await must(TSIGN, ["sign", ...key("first"), ...form, direct], { cwd, env });
  return { direct, through: direct.replace(/^[^/]+/, tapped.address) };
}

/**
 * Runs a command once for each request it makes, killed with SIGKILL when the registry or service has done that request and
 * before it answers; and once before the first request.
 */
async function killAtEveryStep(t: TestContext, bench: Bench, killed: Killed): Promise<void> {
  const { cwd, env } = bench;
  const { name, tapped, line, verify, stored } = killed;
  const whole = await signedImage(bench, killed);
  tapped.arm();
  await must(TSIGN, line(whole.through), { cwd, env });
  const steps = tapped.seen.length;
  assert.ok(steps > 2, "the command makes requests");
  for (let step = 0; step <= steps; step++) {
    await t.test(`${name}, killed after request ${step} of ${steps}`, async () => {
      const { direct, through } = await signedImage(bench, killed);
      const before = readdirSync(cwd);
      const started = (kill: () => void) => tapped.arm(step, kill);
      const ended = await timed(TSIGN, line(through), { cwd, env, limit: LIMIT, started });
      const request = (step === 0 ? "(none)" : tapped.seen[step - 1]) ?? "";
      tapped.arm();
      assert.notEqual(ended.code, 0, `it was not killed: ${ended.stderr}`);
      assert.deepEqual(readdirSync(cwd), before, "something was left in the folder");
      await must(TSIGN, ["verify", ...byKey("first"), direct], { cwd, env });
      const half = await run(TSIGN, verify(direct), { cwd, env });
      assert.ok([0, 1, 10, 11, 12].includes(half.code), half.stderr);
      assert.doesNotMatch(half.stderr, /internal error|unexpected/);
      await must(TSIGN, line(through), { cwd, env });
      await must(TSIGN, verify(direct), { cwd, env });
      if (stored) {
        const printed = await must(TSIGN, stored(direct), { cwd, env });
        assert.equal(printed.stdout.trim().split("\n").length, 1, "stored twice");
      }
      const left = half.code === 0 ? "all of it" : "nothing that verifies";
      console.log(`${name.padEnd(18)} ${request.slice(0, 70).padEnd(70)} left: ${left}`);
    });
  }
}

test("sign, attest, copy, copy --attest-decision killed at every request -> nothing lost, and a second run completes", {
  timeout: 900_000,
  concurrency: 2,
}, async (t) => {
  const env = await startSandbox(t);
  const { ref, plain } = await registries(t);
  const open = setting(env, "TSIGN_SANDBOX");
  const bench = async (): Promise<Bench> => {
    const cwd = folder(t);
    writeFileSync(join(cwd, "predicate"), "{}");
    for (const name of ["first", "second"]) {
      await must(TSIGN, ["generate-key-pair", "--output-key-prefix", name], { cwd });
    }
    return { cwd, env };
  };
  const [left, right] = [await bench(), await bench()];
  const signing = { line: (image: string) => ["sign", ...key("second"), image], form: [] };
  const verify = (image: string) => ["verify", ...byKey("second"), image];
  const copied = (image: string) => `${image.replace(/@.*/, "")}-copy:v1`;
  const services = await tap(t, open);
  const config = throughTap(setting(env, "TSIGN_SANDBOX_SIGNING_CONFIG"), env, services, right.cwd);
  const trust = ["--trusted-root", setting(env, "TSIGN_SANDBOX_TRUSTED_ROOT")];
  const keyless = ["--yes", "--identity-token", await token(env, right.cwd), "--signing-config", config, ...trust];
  const issuer = ["--certificate-oidc-issuer", setting(env, "TSIGN_SANDBOX_ISSUER")];
  const type = ["--type", "custom"];
  const attest = ["attest", ...key("second"), "--replace", ...type, "--predicate", "predicate"];
  const ofLeft: Killed[] = [
    { name: "sign, fallback tag", registry: plain, tapped: await tap(t, plain), ...signing, verify },
    {
      name: "sign, legacy",
      registry: plain,
      tapped: await tap(t, plain),
      form: [LEGACY],
      line: (image) => ["sign", ...key("second"), LEGACY, image],
      verify,
    },
    {
      name: "copy",
      registry: plain,
      tapped: await tap(t, plain),
      form: [],
      line: (image) => ["copy", image.replace(/^[^/]+/, plain), copied(image)],
      verify: (image) => ["verify", ...byKey("first"), copied(image)],
    },
  ];
  const ofRight: Killed[] = [
    { name: "sign, referrers", registry: ref, tapped: await tap(t, ref), ...signing, verify },
    {
      name: "sign, keyless",
      registry: open,
      tapped: services,
      form: [],
      line: (image) => ["sign", ...keyless, image],
      verify: (image) => ["verify", ...trust, "--certificate-identity", "alice@example.com", ...issuer, image],
    },
    {
      name: "attest --replace",
      registry: plain,
      tapped: await tap(t, plain),
      form: [],
      line: (image) => [...attest, image],
      verify: (image) => ["verify-attestation", ...byKey("second"), ...type, image],
    },
  ];
  const summary = "https://slsa.dev/verification_summary/v1";
  const policy = (signer: string, demand: string) =>
    `version: 1\ntrust: {default: {trustedRoot: "${trust[1]}"}}\nsigners: {s: {key: ${signer}.pub}}\nrules: [{images: "**", ${demand}}]\n`;
  writeFileSync(join(right.cwd, "from.yaml"), policy("first", "signatures: {signers: s, log: insecure-skip}"));
  writeFileSync(
    join(right.cwd, "to.yaml"),
    policy("second", `attestations: [{type: "${summary}", signers: s, vsa: {verifier: "https://ci.example/kill"}}]`),
  );
  const deciding = ["--trust-policy", "from.yaml", "--attest-decision", "--verifier-id", "https://ci.example/kill"];
  const attesting = ["--policy-uri", "https://git.example/from.yaml", "--key", "second.key", "--yes"];
  ofRight.push({
    name: "copy, decision",
    registry: open,
    tapped: services,
    form: [],
    line: (image) => ["copy", ...deciding, ...attesting, "--signing-config", config, ...trust, image, copied(image)],
    verify: (image) => ["verify-attestation", "--trust-policy", "to.yaml", copied(image)],
    stored: (image) => ["download", "attestation", "--predicate-type", summary, copied(image)],
  });
  const inTurn = async (each: Bench, all: Killed[]) => {
    for (const killed of all) await killAtEveryStep(t, each, killed);
  };
  await Promise.all([inTurn(left, ofLeft), inTurn(right, ofRight)]);
});

test("sign-blob killed -> the existing file is unchanged", { timeout: 120_000 }, async (t) => {
  const cwd = folder(t);
  const env = await startSandbox(t);
  const services = await tap(t, setting(env, "TSIGN_SANDBOX"));
  const config = throughTap(setting(env, "TSIGN_SANDBOX_SIGNING_CONFIG"), env, services, cwd);
  writeFileSync(join(cwd, "blob"), "content");
  writeFileSync(join(cwd, "out.json"), "old");
  const identity = ["--identity-token", await token(env, cwd), "--signing-config", config];
  const trust = ["--trusted-root", setting(env, "TSIGN_SANDBOX_TRUSTED_ROOT")];
  const line = ["sign-blob", "--yes", ...identity, ...trust, "--bundle", "out.json", "blob"];
  for (const step of [0, 1, 2, 3]) {
    const before = readdirSync(cwd);
    const started = (kill: () => void) => services.arm(step, kill);
    const killed = await timed(TSIGN, line, { cwd, env, limit: LIMIT, started });
    services.arm();
    assert.notEqual(killed.code, 0);
    assert.deepEqual(readdirSync(cwd), before);
    assert.equal(readFileSync(join(cwd, "out.json"), "utf8"), "old");
  }
  await must(TSIGN, line, { cwd, env });
  assert.notEqual(readFileSync(join(cwd, "out.json"), "utf8"), "old");
});
