import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { reason, type Sandbox, setting, startSandbox, timed, token } from "./faults-kit.ts";
import { folder, must, pushImage, TSIGN } from "./support.ts";

/** Seconds of --timeout, and how long after them a command may take to end, including its start on a loaded machine. */
const TIMEOUT = 4;
const GRACE = 10;

/** How a service answers that is down, cut off, slow or wrong. */
const BROKEN = ["status=500", "status=404", "rate-limit=60", "slow=60000", "torn", "cut", "garbage"];

interface Row {
  readonly service: string;
  /** How a message names it. */
  readonly name: RegExp;
  readonly faults: readonly string[];
  /** The command line that needs the service. */
  readonly operations: readonly Operation[];
}

type Operation = keyof typeof OPERATIONS;

/** The operations that run during the fault. Each stores its result in `out.json` or in the registry. */
const OPERATIONS = {
  "sign-blob, Rekor 1": (at: Stage) => ["sign-blob", ...at.rekor1, "--bundle", "out.json", "blob"],
  "sign-blob, Rekor 2": (at: Stage) => ["sign-blob", ...at.rekor2, "--bundle", "out.json", "blob"],
  "sign image, Rekor 1": (at: Stage) => ["sign", ...at.rekor1, at.image],
  "sign image, Rekor 2": (at: Stage) => ["sign", ...at.rekor2, at.image],
  "sign image, legacy": (at: Stage) => ["sign", ...at.legacy, at.image],
  attest: (at: Stage) => ["attest", ...at.rekor2, "--type", "custom", "--predicate", "predicate", at.image],
  "sign-blob, login": (at: Stage) => [
    ...["sign-blob", "-y", "--oidc-provider", "github-actions", ...at.config2, "--bundle", "out.json", "blob"],
  ],
  "sign-blob, TUF": (at: Stage) => ["sign-blob", "-y", "--identity-token", at.token, "--bundle", "out.json", "blob"],
} as const;

interface Stage {
  readonly cwd: string;
  readonly sandbox: Sandbox;
  readonly token: string;
  readonly image: string;
  readonly config2: readonly string[];
  readonly legacy: readonly string[];
  readonly rekor1: readonly string[];
  readonly rekor2: readonly string[];
}

const SIGNING: readonly Operation[] = ["sign-blob, Rekor 1", "sign-blob, Rekor 2", "sign image, Rekor 2"];
const LIES_OF_LOGS = ["bad-proof", "stale-checkpoint", "bad-checkpoint"];

const ROWS: readonly Row[] = [
  {
    service: "fulcio",
    name: /fulcio|certificate/i,
    faults: [...BROKEN, "bad-sct", "other-key"],
    operations: SIGNING,
  },
  {
    service: "rekor1",
    name: /rekor|log|SET|checkpoint|inclusion/i,
    faults: [...BROKEN, "bad-set", ...LIES_OF_LOGS],
    operations: ["sign-blob, Rekor 1", "sign image, Rekor 1", "sign image, legacy"],
  },
  {
    service: "rekor2",
    name: /rekor|log|checkpoint|inclusion/i,
    faults: [...BROKEN, ...LIES_OF_LOGS],
    operations: ["sign-blob, Rekor 2", "sign image, Rekor 2", "attest"],
  },
  {
    service: "tsa",
    name: /timestamp/i,
    faults: [...BROKEN, "wrong-imprint", "wrong-nonce", "rejected"],
    operations: ["sign-blob, Rekor 2", "sign image, Rekor 2", "attest"],
  },
  {
    service: "registry",
    name: /localhost|registry/i,
    faults: BROKEN,
    operations: ["sign image, Rekor 2", "sign image, legacy", "attest"],
  },
  {
    service: "oidc",
    name: /github|token|issuer|oidc|identity/i,
    faults: BROKEN.filter((fault) => fault !== "status=404"),
    operations: ["sign-blob, login"],
  },
  { service: "tuf", name: /tuf|mirror|trust/i, faults: BROKEN, operations: ["sign-blob, TUF"] },
];

async function stage(context: TestContext): Promise<Stage> {
  const cwd = folder(context);
  const sandbox = await startSandbox(context);
  writeFileSync(join(cwd, "blob"), "content");
  writeFileSync(join(cwd, "predicate"), '{"tested":true}');
  const identity = ["-y", "--identity-token", await token(sandbox, cwd)];
  const trust = ["--trusted-root", setting(sandbox, "TSIGN_SANDBOX_TRUSTED_ROOT")];
  const config = (name: string) => ["--signing-config", setting(sandbox, name), ...trust];
  return {
    cwd,
    sandbox,
    token: identity.at(-1) ?? "",
    image: await pushImage(setting(sandbox, "TSIGN_SANDBOX"), "faults/app", cwd),
    config2: config("TSIGN_SANDBOX_SIGNING_CONFIG"),
    legacy: [
      ...[...identity, ...trust, "--use-signing-config=false", "--new-bundle-format=false"],
      ...["--fulcio-url", setting(sandbox, "TSIGN_SANDBOX_FULCIO")],
      ...["--rekor-url", setting(sandbox, "TSIGN_SANDBOX_REKOR")],
    ],
    rekor1: [...identity, ...config("TSIGN_SANDBOX_SIGNING_CONFIG_REKOR1")],
    rekor2: [...identity, ...config("TSIGN_SANDBOX_SIGNING_CONFIG")],
  };
}

/** Reports whether a signature that verifies was stored, as a bundle in the folder or in the registry. */
async function verifies(at: Stage, operation: Operation): Promise<boolean> {
  const identity = ["--certificate-identity-regexp", ".+", "--certificate-oidc-issuer-regexp", ".+"];
  const trust = ["--trusted-root", setting(at.sandbox, "TSIGN_SANDBOX_TRUSTED_ROOT"), ...identity];
  const lines = operation.startsWith("sign-blob")
    ? [["verify-blob", ...trust, "--bundle", "out.json", "blob"]]
    : [
        ["verify", ...trust, at.image],
        ["verify-attestation", "--type", "custom", ...trust, at.image],
      ];
  for (const line of lines) {
    if (line.includes("out.json") && !existsSync(join(at.cwd, "out.json"))) continue;
    const result = await timed(TSIGN, line, { cwd: at.cwd, env: at.sandbox, limit: 60 });
    if (result.code === 0) return true;
  }
  return false;
}

/** The variables of a GitHub Actions job, from which the operation that logs in gets its token. */
const job = (sandbox: Sandbox) => ({
  GITHUB_ACTIONS: "true",
  ACTIONS_ID_TOKEN_REQUEST_URL: setting(sandbox, "TSIGN_SANDBOX_GITHUB_TOKEN_URL"),
  ACTIONS_ID_TOKEN_REQUEST_TOKEN: "x",
});

test("every service down, slow, cut off or wrong, at each kind of signing", {
  timeout: 1_200_000,
  concurrency: 4,
}, async (t) => {
  let situations = 0;
  /** A worker with its own sandbox, so that its faults do not affect the others. */
  const work = async (rows: readonly Row[]) => {
    const at = await stage(t);
    const fault = (...args: string[]) =>
      must(TSIGN, ["sandbox", "fault", "--clear", ...args], { cwd: at.cwd, env: at.sandbox });
    for (const { service, name, faults, operations } of rows) {
      for (const operation of operations) {
        for (const kind of faults) {
          await t.test(`${service} ${kind}: ${operation}`, async (context) => {
            situations++;
            const image = operation.includes("blob")
              ? at.image
              : await pushImage(setting(at.sandbox, "TSIGN_SANDBOX"), `faults/${situations}`, at.cwd);
            const here = { ...at, image };
            rmSync(join(at.cwd, "out.json"), { force: true });
            const before = readdirSync(at.cwd);
            const home = folder(context);
            const env = { ...at.sandbox, ...job(at.sandbox), HOME: home, TUF_ROOT: join(home, "tuf") };
            await fault(`${service}:${kind}`);
            const line = [...OPERATIONS[operation](here), "--timeout", `${TIMEOUT}s`];
            const result = await timed(TSIGN, line, { cwd: at.cwd, env, limit: TIMEOUT + 20 });
            await fault();
            const good = await verifies(here, operation);
            console.log(
              `${service.padEnd(8)} ${kind.padEnd(16)} ${operation.padEnd(20)} exit ${result.code} ` +
                `${result.seconds.toFixed(1).padStart(4)} s ${good ? "verifies" : "nothing "} ${reason(result.stderr)}`,
            );
            assert.ok(result.seconds < TIMEOUT + GRACE, `took ${result.seconds} s`);
            assert.equal(result.code === 0, good, "what was stored verifies if and only if the command succeeded");
            if (result.code === 0) return;
            assert.equal(result.code, 1, result.stderr);
            assert.match(reason(result.stderr), name, `the message does not name the service: ${result.stderr}`);
            assert.equal(result.stderr.match(/^Error: /gm)?.length, 1, result.stderr);
            assert.doesNotMatch(result.stderr, /unexpected|defect|\n\s+at /);
            assert.deepEqual(readdirSync(at.cwd), before, "something was left in the folder");
          });
        }
      }
    }
  };
  // Most of the time is spent waiting for a timeout or for the next attempt.
  await Promise.all([0, 1, 2, 3].map((part) => work(ROWS.filter((_, index) => index % 4 === part))));
  console.log(`${situations} situations`);
});

test("verify while services fail: evidence complete -> verified; otherwise -> error names the service", {
  timeout: 600_000,
}, async (t) => {
  const at = await stage(t);
  const identity = [
    "--certificate-identity",
    "alice@example.com",
    "--certificate-oidc-issuer",
    setting(at.sandbox, "TSIGN_SANDBOX_ISSUER"),
  ];
  await must(TSIGN, OPERATIONS["sign image, Rekor 2"](at) as string[], { cwd: at.cwd, env: at.sandbox });
  const fault = (...args: string[]) =>
    must(TSIGN, ["sandbox", "fault", "--clear", ...args], { cwd: at.cwd, env: at.sandbox });
  const cases = [
    // With a trusted root only the bundle is needed: a failing service is never called.
    ...["fulcio", "rekor1", "rekor2", "tsa", "oidc"].map((service) => ({ service, root: true, good: true })),
    { service: "registry", root: true, good: false },
    { service: "tuf", root: false, good: false },
  ];
  for (const { service, root, good } of cases) {
    for (const kind of BROKEN) {
      await t.test(`${service} ${kind}`, async (context) => {
        const home = folder(context);
        const env = { ...at.sandbox, HOME: home, TUF_ROOT: join(home, "tuf") };
        const trust = root ? ["--trusted-root", setting(at.sandbox, "TSIGN_SANDBOX_TRUSTED_ROOT")] : [];
        await fault(`${service}:${kind}`);
        const line = ["verify", ...identity, ...trust, at.image, "--timeout", `${TIMEOUT}s`];
        const result = await timed(TSIGN, line, { cwd: at.cwd, env, limit: TIMEOUT + 20 });
        await fault();
        console.log(
          `${service.padEnd(8)} ${kind.padEnd(16)} verify exit ${result.code} ${result.seconds.toFixed(1).padStart(4)} s ${reason(result.stderr)}`,
        );
        assert.ok(result.seconds < TIMEOUT + GRACE, `took ${result.seconds} s`);
        assert.equal(result.code === 0, good, result.stderr);
        if (good) return;
        // A listing that cannot be read is never "no signatures" (exit code 10).
        assert.notEqual(result.code, 10, result.stderr);
        assert.doesNotMatch(result.stderr, /unexpected|defect|no signatures found/);
      });
    }
  }
});

test("service fails once -> request repeated where that is safe", { timeout: 120_000 }, async (t) => {
  const at = await stage(t);
  for (const fault of ["fulcio:status=503*1", "rekor2:status=503*1", "tsa:status=503*1"]) {
    await t.test(fault, async () => {
      rmSync(join(at.cwd, "out.json"), { force: true });
      await must(TSIGN, ["sandbox", "fault", "--clear", fault], { cwd: at.cwd, env: at.sandbox });
      const result = await timed(TSIGN, OPERATIONS["sign-blob, Rekor 2"](at), {
        cwd: at.cwd,
        env: at.sandbox,
        limit: 60,
      });
      assert.equal(result.code, 0, result.stderr);
      assert.ok(JSON.parse(readFileSync(join(at.cwd, "out.json"), "utf8")));
      assert.ok(await verifies(at, "sign-blob, Rekor 2"));
    });
  }
});
