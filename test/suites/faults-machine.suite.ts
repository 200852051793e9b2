import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { reason, setting, startSandbox, timed, token } from "./faults-kit.ts";
import { COSIGN, folder, must, NO_LOG, OFFLINE, pushImage, registries, run, TSIGN } from "./support.ts";

/** Most seconds of any one command here, on a busy machine. */
const LIMIT = 60;

/** Runs a shell line in a mount namespace of its own, where `full` and `readonly` are small file systems of that kind. */
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

test("a full disk and a read-only home: nothing half-written, nothing lost, or it works", {
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

/** Signers at once, a fifth of them on each registry, every other one the real cosign. */
const SIGNERS = 60;

test(`${SIGNERS} signers at once on five registries, tsign and cosign mixed: none of tsign's signatures is lost`, {
  timeout: 600_000,
}, async (t) => {
  const cwd = folder(t);
  const sandbox = await startSandbox(t);
  const { ref, plain } = await registries(t);
  const login = { username: "TSIGN_SANDBOX_REGISTRY_USER", password: "TSIGN_SANDBOX_REGISTRY_PASSWORD" };
  const servers = [
    { name: "referrers API", address: ref },
    { name: "fallback tag", address: plain },
    { name: "sandbox", address: setting(sandbox, "TSIGN_SANDBOX") },
    { name: "sandbox, fallback tag", address: setting(sandbox, "TSIGN_SANDBOX_REGISTRY_PLAIN") },
    { name: "sandbox, login", address: setting(sandbox, "TSIGN_SANDBOX_REGISTRY_BASIC") },
  ];
  const auth = Buffer.from(`${setting(sandbox, login.username)}:${setting(sandbox, login.password)}`).toString(
    "base64",
  );
  writeFileSync(join(cwd, "config.json"), JSON.stringify({ auths: { [servers[4]?.address ?? ""]: { auth } } }));
  const env = { DOCKER_CONFIG: cwd };
  const each = SIGNERS / servers.length;
  const keys = Array.from({ length: each }, (_, index) => `k${index}`);
  for (const key of keys) await must(TSIGN, ["generate-key-pair", "--output-key-prefix", key], { cwd });
  const signed = await Promise.all(
    servers.map(async (server) => {
      const image = await pushImage(server.address, `crowd/app`, cwd).catch(async () => {
        writeFileSync(join(cwd, "config"), "{}");
        const pushed = await must(TSIGN, ["sandbox", "push", "crowd/app:v1"], {
          cwd,
          env: { ...env, TSIGN_SANDBOX: server.address },
        });
        return pushed.stdout.trim();
      });
      const results = await Promise.all(
        keys.map((key, index) =>
          run(index % 2 === 0 ? TSIGN : COSIGN, ["sign", "--key", `${key}.key`, ...OFFLINE, image], { cwd, env }),
        ),
      );
      return { server, image, results };
    }),
  );
  for (const { server, image, results } of signed) {
    await t.test(server.name, async () => {
      const lost = { tsign: 0, cosign: 0, refused: 0 };
      for (const [index, key] of keys.entries()) {
        const who = index % 2 === 0 ? "tsign" : "cosign";
        if (results[index]?.code !== 0) {
          if (who === "tsign") assert.fail(results[index]?.stderr);
          lost.refused++;
          continue;
        }
        const verified = await run(TSIGN, ["verify", "--key", `${key}.pub`, NO_LOG, image], { cwd, env });
        if (verified.code !== 0) lost[who]++;
      }
      console.log(
        `${server.name.padEnd(22)} ${each} signers: tsign lost ${lost.tsign}, cosign lost ${lost.cosign}, cosign failed ${lost.refused}`,
      );
      assert.equal(lost.tsign, 0);
    });
  }
});
