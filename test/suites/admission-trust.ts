import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import type { TestContext } from "node:test";
import { tlsAuthority } from "../support/tls-authorities.ts";
import { type Case, type Cluster, type Shop, startServing } from "./admission-kit.ts";
import { createPods, enforce } from "./admission-load.ts";
import { setting, startSandbox } from "./faults-kit.ts";
import { must, TSIGN } from "./support.ts";

const [MINUTE, YEAR] = [60_000, 365 * 24 * 60 * 60_000];
const SIGNERS = { release: "release@example.com", other: "mallory@example.com" };

/** Keyless signatures whose trust comes from a TUF repository, which ends while admission serves: a sandbox of our own. */
export async function trustCases(t: TestContext, of: { cwd: string; cluster: Cluster; shop: Shop }): Promise<Case[]> {
  const { cluster, shop } = of;
  const cwd = join(of.cwd, "trust");
  mkdirSync(cwd);
  copyFileSync(join(of.cwd, "a.pub"), join(cwd, "a.pub"));
  const sandbox = await startSandbox(t);
  const image = (name: string) => `${shop.registry}/trust/${name}:1`;
  const sign = async (name: string, who: string, form: "legacy" | "bundle" | "both") => {
    await shop.push(`trust/${name}`);
    const token = await must(TSIGN, ["sandbox", "token", "--email", who], { cwd, env: sandbox });
    const config = form === "bundle" ? "TSIGN_SANDBOX_SIGNING_CONFIG" : "TSIGN_SANDBOX_SIGNING_CONFIG_REKOR1";
    const services = ["--signing-config", setting(sandbox, config)];
    const root = ["--trusted-root", setting(sandbox, "TSIGN_SANDBOX_TRUSTED_ROOT")];
    const flags = ["--yes", "--identity-token", token.stdout.trim(), ...services, ...root, "--format", form];
    await must(TSIGN, ["sign", ...flags, image(name)], { cwd });
  };
  const tuf = ["--mirror", setting(sandbox, "TUF_MIRROR"), "--root", setting(sandbox, "TUF_ROOT_JSON")];
  await Promise.all([
    sign("legacy", SIGNERS.release, "legacy"),
    sign("bundle", SIGNERS.release, "bundle"),
    sign("other", SIGNERS.other, "both"),
    ...["unsigned", "unkeyed"].map((name) => shop.push(`trust/${name}`)),
    shop.push("trust/keyed").then(() => shop.sign(image("keyed"), "a")),
    must(TSIGN, ["initialize", ...tuf], { cwd }),
  ]);
  const issuer = setting(sandbox, "TSIGN_SANDBOX_ISSUER");
  const policy = {
    version: 1,
    signers: { release: { identity: SIGNERS.release, issuer }, a: { key: "a.pub" } },
    rules: [
      { name: "keyed", images: [image("keyed"), image("unkeyed")], signatures: { signers: "a", log: "insecure-skip" } },
      { name: "keyless", images: `${shop.registry}/trust/**`, signatures: { signers: "release" } },
    ],
  };
  writeFileSync(join(cwd, "policy.yaml"), JSON.stringify(policy));
  const authority = tlsAuthority("trust");
  const { cert, key } = authority.issue(["127.0.0.1"]);
  writeFileSync(join(cwd, "tls.crt"), cert);
  writeFileSync(join(cwd, "tls.key"), key, { mode: 0o600 });
  const ahead = (milliseconds: number) => writeFileSync(join(cwd, "ahead"), String(milliseconds));
  ahead(0);
  const program = [process.execPath, join(import.meta.dirname, "later.ts"), "ahead"] as const;
  const files = ["--trust-policy=policy.yaml", "--tls-cert=tls.crt", "--tls-key=tls.key"];
  const command = ["admission", "serve", "--listen=127.0.0.1:0", "--reload-interval=200ms", ...files];
  const served = await startServing(t, [...program, ...command], {
    cwd,
    env: { PATH: process.env["PATH"], HOME: cwd },
  });
  const ca = authority.cert;
  await enforce(cluster, { label: "trust", url: served.url, ca, unsigned: image("unsigned") });
  /** What the API server answers for a Pod of an image. */
  const outcome = async (name: string) => {
    const images = [image(name)];
    const { answers } = await createPods(cluster, {
      namespace: "trust",
      images,
      atOnce: 1,
      goesOn: (done) => done < 1,
    });
    const { status = 0, body } = answers[0]?.answer ?? {};
    return { status, message: body?.message ?? "" };
  };
  const expected = async (outcomes: Readonly<Record<string, readonly [number, RegExp]>>, what: string) => {
    for (const [name, [code, pattern]] of Object.entries(outcomes)) {
      const { status, message } = await outcome(name);
      assert.equal(status, code, `${what}, ${name}: ${message}\n${served.log()}`);
      assert.match(message, pattern, `${what}, ${name}`);
    }
  };
  const keyed = { keyed: [201, /^$/], unkeyed: [403, /unkeyed:1" is refused by rule "keyed"/] } as const;
  const trusted = {
    legacy: [201, /^$/],
    bundle: [201, /^$/],
    ...keyed,
    unsigned: [403, /unsigned:1" is refused by rule "keyless"/],
    other: [403, /other:1" is refused by rule "keyless"[\s\S]*nearest: /],
  } as const;
  return [
    [
      "trust of a TUF repository: keyless in both forms -> created; unsigned, another identity -> 403",
      () => expected(trusted, "TUF is up"),
    ],
    [
      "TUF is gone -> what was trusted decides as before; expired -> 503 with the reason, not 403; other rules go on",
      async () => {
        await must(TSIGN, ["sandbox", "down"], { cwd, env: sandbox });
        ahead(11 * MINUTE);
        await served.logged(/policy refreshed/);
        await expected(trusted, "TUF is gone");
        ahead(30 * YEAR);
        await served.logged(/the policy stays as it was: [^"]*expired/);
        const unchecked = [503, /could not be checked[\s\S]*expired/] as const;
        await expected({ legacy: unchecked, bundle: unchecked, unsigned: unchecked, other: unchecked }, "expired");
        await expected(keyed, "expired");
      },
    ],
  ];
}
