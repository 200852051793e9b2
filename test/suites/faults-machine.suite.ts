import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { PERSONALITIES } from "../zoo/personalities.ts";
import { zooRegistry } from "../zoo/registry.ts";
import { reason, setting, startSandbox, timed, token } from "./faults-kit.ts";
import { COSIGN, folder, must, NO_LOG, OFFLINE, pushImage, run, TSIGN } from "./support.ts";

/** Time limit of each command on a busy machine. Seconds. */
const LIMIT = 60;

/** Runs a shell line in its own mount namespace, with small file systems at `full` and `readonly` that are what they are called. */
function mounted(line: string, cwd: string, env: Record<string, string>) {
  const script = `
    set -e
    mkdir -p full readonly
    mount -t tmpfs -o size=64k tmpfs full
    mount -t tmpfs -o size=64k tmpfs readonly
    printf old >full/kept.json
    dd if=/dev/zero of=full/filler bs=1k count=1000 2>/dev/null || true
    mount -o remount,ro readonly
    set +e
    before=$(ls -A full); ${line}
    code=$?
    [ "$(ls -A full)" = "$before" ] || { echo "LEFT: $(ls -A full)" >&2; exit 99; }
    [ "$(cat full/kept.json)" = old ] || { echo "LOST: kept.json" >&2; exit 98; }
    exit $code`;
  return timed("unshare", ["-m", "bash", "-c", script], { cwd, env, limit: LIMIT });
}

test("full disk, read-only home -> success, or failure without partial files", {
  timeout: 300_000,
}, async (t) => {
  const cwd = folder(t);
  const sandbox = await startSandbox(t);
  const identity = await token(sandbox, cwd);
  const image = await pushImage(setting(sandbox, "TSIGN_SANDBOX"), "disk/app", cwd);
  writeFileSync(join(cwd, "blob"), "content");
  await must(TSIGN, ["generate-key-pair"], { cwd });
  const who = `--certificate-identity alice@example.com --certificate-oidc-issuer ${setting(sandbox, "TSIGN_SANDBOX_ISSUER")}`;
  const sign = `${TSIGN} sign-blob -y --identity-token ${identity} --bundle`;
  await must("bash", ["-c", `${sign} good.json blob`], { cwd, env: sandbox });
  const env = { ...sandbox, TUF_ROOT: join(cwd, "own-tuf") };
  const fails = { works: false };
  const cases = [
    { name: "generate-key-pair", line: `(cd full && ${TSIGN} generate-key-pair)`, ...fails },
    { name: "sign-blob --bundle, new file", line: `${sign} full/new.json blob`, ...fails },
    { name: "sign-blob --bundle, over a file", line: `${sign} full/kept.json blob`, ...fails },
    { name: "save", line: `${TSIGN} save --dir full/saved ${image}; c=$?; rm -rf full/saved; (exit $c)`, ...fails },
    { name: "verify-blob --output-file", line: `${TSIGN} env --output-file full/out.txt`, ...fails },
    { name: "stdout on a full disk", line: `${TSIGN} env >/dev/full`, ...fails },
    {
      name: "initialize",
      line: `TUF_ROOT=full/tuf ${TSIGN} initialize --mirror $TUF_MIRROR --root $TUF_ROOT_JSON; c=$?; rm -rf full/tuf; (exit $c)`,
      ...fails,
    },
    {
      name: "verify-blob, the TUF cache on a full disk",
      line: `TUF_ROOT=full/tuf ${TSIGN} verify-blob ${who} --bundle good.json blob; c=$?; rm -rf full/tuf; (exit $c)`,
      works: true,
    },
    {
      name: "sign-blob, read-only home",
      line: `HOME=readonly TUF_ROOT=readonly/tuf ${sign} out.json blob`,
      works: true,
    },
    {
      name: "verify-blob, read-only home",
      line: `HOME=readonly TUF_ROOT=readonly/tuf ${TSIGN} verify-blob ${who} --bundle good.json blob`,
      works: true,
    },
    {
      name: "sign-blob --key, read-only home",
      line: `HOME=readonly ${TSIGN} sign-blob ${OFFLINE.join(" ")} --key cosign.key --bundle key.json blob`,
      works: true,
    },
    { name: "sign-blob --bundle, read-only folder", line: `${sign} readonly/new.json blob`, ...fails },
    {
      name: "login, read-only home",
      line: `HOME=readonly DOCKER_CONFIG=readonly ${TSIGN} login -u sandbox -p sandbox ${setting(sandbox, "TSIGN_SANDBOX_REGISTRY_BASIC")}`,
      ...fails,
    },
  ];
  for (const { name, line, works } of cases) {
    await t.test(name, async () => {
      const result = await mounted(line, cwd, env);
      console.log(`${name.padEnd(42)} exit ${result.code} ${reason(result.stderr)}`);
      assert.ok(result.code < 90, result.stderr);
      assert.equal(result.code === 0, works, result.stderr);
      assert.doesNotMatch(result.stderr, /unexpected|defect|\n\s+at /);
      if (!works) assert.match(result.stderr, /^Error: .*(space|read-only|disk|written|write)/im);
    });
  }
});

/** Number of simultaneous signers: a fifth of them on each registry, every other one the real cosign. */
const SIGNERS = 60;
/** Registries of the zoo that differ for simultaneous signers, and on which cosign can sign. */
const CROWDED: readonly { name: string; referrers?: boolean }[] = [
  { name: "slow", referrers: false },
  { name: "gitlab" },
  { name: "patch-only" },
  { name: "busy" },
  { name: "tokens-for-three" },
];

/** The registries, and a docker configuration for all of them in `cwd`. */
async function crowdedRegistries(context: TestContext, cwd: string) {
  const auths = {};
  const places = [];
  for (const { name, referrers } of CROWDED) {
    const known = PERSONALITIES.find((each) => each.name === name) ?? assert.fail(name);
    const personality = { ...known, referrers: referrers ?? known.referrers };
    const registry = await zooRegistry(context, personality);
    Object.assign(auths, (personality.docker?.(registry.quirky) as { auths?: object } | undefined)?.auths);
    const pushed = await pushImage(registry.honest, "crowd/app", cwd);
    const shown = `${name}, ${personality.referrers ? "referrers API" : "fallback tag"}`;
    places.push({ name: shown, image: pushed.replace(registry.honest, registry.quirky) });
  }
  writeFileSync(join(cwd, "config.json"), JSON.stringify({ auths }));
  return places;
}

test(`${SIGNERS} parallel signers, tsign and cosign, on five registries of the zoo: tsign loses no signature, and a second run completes`, {
  timeout: 900_000,
}, async (t) => {
  const cwd = folder(t);
  const places = await crowdedRegistries(t, cwd);
  const env = { DOCKER_CONFIG: cwd };
  const each = SIGNERS / places.length;
  const signers = Array.from({ length: each }, (_, index) => ({
    key: `k${index}`,
    who: index % 2 === 0 ? ("tsign" as const) : ("cosign" as const),
  }));
  for (const { key } of signers) await must(TSIGN, ["generate-key-pair", "--output-key-prefix", key], { cwd });
  const sign = ({ key, who }: (typeof signers)[number], image: string) =>
    run(who === "tsign" ? TSIGN : COSIGN, ["sign", "--key", `${key}.key`, ...OFFLINE, image], { cwd, env });
  const isThere = async (key: string, image: string) =>
    (await run(TSIGN, ["verify", "--key", `${key}.pub`, NO_LOG, image], { cwd, env })).code === 0;
  const signed = await Promise.all(
    places.map(async (place) => ({
      ...place,
      results: await Promise.all(signers.map((signer) => sign(signer, place.image))),
    })),
  );
  for (const { name, image, results } of signed) {
    await t.test(name, async () => {
      const count = { tsign: 0, cosign: 0, failed: 0 };
      const again: typeof signers = [];
      for (const [index, signer] of signers.entries()) {
        const result = results[index] ?? assert.fail();
        if (signer.who === "tsign") assert.equal(result.code, 0, result.stderr);
        if (result.code === 0 && (await isThere(signer.key, image))) continue;
        if (result.code === 0) count[signer.who]++;
        else count.failed++;
        again.push(signer);
      }
      for (const signer of again) {
        const { code, stderr } = await sign(signer, image);
        assert.equal(code, 0, `${signer.who}, a second time: ${stderr}`);
      }
      const missing = [];
      for (const { key } of signers) if (!(await isThere(key, image))) missing.push(key);
      console.log(
        `${name.padEnd(34)} ${each} signers: tsign lost ${count.tsign}, cosign lost ${count.cosign}, cosign failed ${count.failed}; ` +
          `after a second run of ${again.length}: ${signers.length - missing.length} there`,
      );
      assert.equal(count.tsign, 0);
      assert.deepEqual(missing, []);
    });
  }
});
