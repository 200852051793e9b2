import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Handler } from "../../src/io/io.ts";
import { systemIo } from "../../src/io/system.ts";
import { createRegistryHandler } from "../../src/sandbox/registry/registry.ts";
import { createFaults } from "../../src/sandbox/server/faults.ts";
import { createHandler } from "../../src/sandbox/server/server.ts";
import { openSigstore } from "../../src/sandbox/sigstore.ts";
import { auditOf, factory, linesOf, MINUTES } from "../support/monitor-factory.ts";
import { ALICE, FOUND, MALLORY, MISBEHAVED, only, WELL, workshop } from "../support/monitor-workshop.ts";
import { PASSWORD } from "../support/passwords.ts";
import { BEFORE, ENVIRONMENT, PROGRAM } from "../support/program.ts";
import { collector, mailServer } from "../support/receivers.ts";
import { keyOf } from "../support/sandbox-client.ts";
import { writeLogs } from "../support/sandbox-logs.ts";
import { run, temporaryFolder } from "../support/test-io.ts";

/** Five ranges of a search in v1, which have up to 2000 entries and 200 requests each, and one of v2. */
const ENTRIES = 9000;
/**
 * The requests at which the process is killed, and the milliseconds after the request. At four of them a range may end, so that v1
 * is not finished before the last moments.
 */
const MOMENTS: readonly (readonly [request: number, later: number])[] = [
  ...[1, 2, 3, 4, 5, 10, 20, 30, 50, 100, 201].map((request) => [request, 0] as const),
  ...([
    [202, 0],
    [203, 1],
    [204, 3],
    [205, 8],
  ] as const), // while a range is proven and stored
  ...([
    [60, 1],
    [90, 0],
    [99, 2],
    [30, 0],
    [16, 0],
  ] as const),
];

const NEVER = [Number.POSITIVE_INFINITY, 0] as const;
const real = systemIo();

test("monitor: kill -9 at twenty moments -> every entry searched once, every finding printed", async (t) => {
  const cwd = temporaryFolder(t);
  const ours = keyOf("P-256").publicKey;
  const others = keyOf("P-256").publicKey;
  writeFileSync(join(cwd, "ours.pub"), ours.export({ type: "spki", format: "pem" }));
  writeLogs(join(cwd, "sandbox"), ENTRIES, (index) => (index % 100 === 50 ? ours : others));
  let handler: Handler | undefined;
  let requests = 0;
  let killAt: readonly [request: number, later: number] = NEVER;
  let child: ChildProcess | undefined;
  const listening = await real.listen({ host: "127.0.0.1", port: 0 }, (request) => {
    const victim = child;
    if (++requests === killAt[0]) setTimeout(() => victim?.kill("SIGKILL"), killAt[1]);
    return handler?.(request) ?? Promise.reject(new Error("not open"));
  });
  t.after(() => listening.close());
  const base = `http://127.0.0.1:${listening.port}`;
  const sigstore = await openSigstore(real, { base, clock: real.now, folder: join(cwd, "sandbox") });
  const registry = createRegistryHandler({ referrers: true });
  handler = createHandler({ services: sigstore.services, registry, faults: createFaults(), sleep: real.sleep });
  writeFileSync(join(cwd, "root.json"), sigstore.files["trusted_root.json"]);

  let printed = "";
  const monitor = (...argv: string[]) =>
    new Promise<number | null>((done, fail) => {
      requests = 0;
      const common = ["--state=state.json", "--trusted-root=root.json", "--key=ours.pub"];
      child = spawn(PROGRAM, [...BEFORE, "monitor", ...argv, ...common], { cwd, env: { ...ENVIRONMENT, HOME: cwd } });
      child.stdout?.on("data", (text) => {
        printed += text;
      });
      child.stderr?.resume();
      child.on("error", fail);
      child.on("close", (code) => done(code));
    });
  assert.equal(await monitor("init", "--from=0"), 0);
  let kills = 0;
  for (const moment of MOMENTS) {
    killAt = moment;
    if ((await monitor("--once")) === null) kills++;
    JSON.parse(readFileSync(join(cwd, "state.json"), "utf8")); // whole after each kill
  }
  assert.equal(kills, MOMENTS.length, "every moment came before the end");
  killAt = NEVER;
  assert.equal(await monitor("--once"), 3);
  const { state } = JSON.parse(readFileSync(join(cwd, "state.json"), "utf8"));
  for (const log of state.logs)
    assert.deepEqual([log.next, log.counts.entries, log.counts.unparsed], [ENTRIES, ENTRIES, 0]);
  const expected = Array.from({ length: ENTRIES / 100 }, (_, each) => each * 100 + 50);
  for (const api of [1, 2]) {
    const found = state.findings.filter((each: { api: number }) => each.api === api);
    assert.deepEqual(
      found.map(({ index }: { index: number }) => index),
      expected,
    );
    for (const { id } of found) assert.ok(printed.includes(`found ${id}: `), id);
  }
});

test("monitor: a day's work: CI signs ten images in every form, a thief signs one -> the report names the one", async (t) => {
  const shop = await factory(t);
  const { as, ok, push, clock, look, sigstore } = shop;
  const [hook, mail] = [await collector(t), await mailServer(t)];
  shop.write("secret", "text");
  const email = { server: mail.url, from: "monitor@acme.example", to: ["security@acme.example"] };
  shop.configure({
    images: [shop.repository],
    reports: { webhooks: [{ url: hook.url, secret: "secret" }], email: [email] },
  });
  const forms = [
    ["rekor1", ["--format=legacy"]],
    ["rekor1", []],
    ["rekor1Tsa", ["--format=both"]],
    ["rekor2", []],
  ] as const;
  for (let index = 0; index < 10; index++) {
    const image = await push(`v${index}`);
    const [config, form] = forms[index % forms.length] ?? assert.fail();
    await ok("sign", ...as(config), ...form, image);
    if (index % 3 !== 0) continue;
    shop.write("sbom.json", "{}");
    await ok("attest", ...as(config), ...(config === "rekor1Tsa" ? [] : form), "--predicate=sbom.json", image);
  }
  shop.write("malware", "evil");
  await ok("sign-blob", ...as("rekor1"), "--bundle=thief.json", "malware");
  const first = await look();
  assert.deepEqual([first.code, only(linesOf(first), "finding")], [WELL, []], "its signature may still be on its way");
  clock.now = new Date(clock.now.getTime() + 11 * MINUTES);
  const second = await look();
  assert.equal(second.code, FOUND, second.stderr);
  const [finding = assert.fail(), ...others] = only(linesOf(second), "finding");
  assert.deepEqual(others, []);
  const { tlogEntries } = JSON.parse(readFileSync(join(shop.cwd, "thief.json"), "utf8")).verificationMaterial;
  assert.deepEqual([finding["api"], finding["index"]], [1, Number(tlogEntries[0].logIndex)]);
  assert.match(String(finding["signer"]), /release\.yml@refs\/heads\/main/);
  const [report, ...more] = hook.received.map(({ text }) => JSON.parse(text));
  assert.deepEqual([report.findings.map(({ id }: { id: string }) => id), more], [[finding["id"]], []]);
  assert.equal(mail.mails.length, 1);
  assert.ok(mail.mails[0]?.text.replaceAll("=\r\n", "").includes(String(finding["id"])));
  const { signatures, missing, unproven, unread } = auditOf(second);
  assert.deepEqual([missing, unproven, unread], [0, 0, []]);
  assert.ok(Number(signatures) >= 14, String(signatures));
  const before = sigstore.requests.length;
  await look();
  const asked = sigstore.requests
    .slice(before)
    .filter((line) => line.includes("/log/entries") || line.includes("/tile/entries"));
  assert.deepEqual(asked, [], "entries are asked for once");
});

test("monitor: a key in either log -> found; another key -> not", async (t) => {
  const shop = await workshop(t, { entries: 1 });
  const options = { cwd: shop.cwd, env: PASSWORD, io: shop.sigstore.io };
  for (const name of ["ours", "other"]) await run(["generate-key-pair", `--output-key-prefix=${name}`], options);
  for (const [name, text] of Object.entries({ ...shop.sigstore.signingConfig, file: "content" }))
    writeFileSync(join(shop.cwd, name), text);
  const signing = ["sign-blob", "-y", "--trusted-root=root.json", "--bundle=b.json", "file"];
  for (const key of ["other", "ours"]) {
    for (const config of ["rekor1", "rekor2"]) {
      const { code, stderr } = await run([...signing, `--key=${key}.key`, `--signing-config=${config}`], options);
      assert.equal(code, 0, stderr);
    }
  }
  const found = await shop.look("--key=ours.pub");
  assert.deepEqual(
    only(shop.lines(found), "finding").map(({ api, index, by }) => [api, index, by]),
    [
      [1, 2, "key"],
      [2, 2, "key"],
    ],
  );
});

test("monitor: slow log, limited rate, head of a replica that is behind -> well", async (t) => {
  const shop = await workshop(t);
  await shop.sign("rekor1", MALLORY);
  await shop.sign("rekor2", MALLORY);
  await shop.look();
  for (const faults of [["slow=20"], ["rate-limit=0*1"], ["head=5*1"], ["head=5*2"]]) {
    const both = faults.flatMap((fault) => [`rekor1:${fault}`, `rekor2:${fault}`]);
    assert.equal((await shop.lookWith(both)).code, WELL, faults.join());
  }
  const behind = await shop.lookWith(["rekor1:head=5*3"]);
  assert.equal(behind.code, MISBEHAVED, "asked three times");
});

test("monitor init --from: from an index, 0 or now -> the entries from there; beyond the log -> refused", async (t) => {
  for (const [from, searched] of [
    ["now", 0],
    ["0", 5],
    ["3", 2],
    ["4", 1],
    ["5", 0],
  ] as const) {
    const shop = await workshop(t, { from });
    assert.equal(shop.lines(await shop.look())[0]?.["searched"], searched, from);
  }
  const shop = await workshop(t);
  const init = (...argv: string[]) =>
    shop.monitor(
      "init",
      "--state=other.json",
      "--trusted-root=root.json",
      `--certificate-identity=${ALICE}`,
      "--certificate-oidc-issuer=x",
      ...argv,
    );
  assert.match((await init("--from=6")).stderr, /start at entry 6 of .+: its active tree has entries 0 to 5/);
  assert.match((await init("--from=x")).stderr, /--from "x" is not an index/);
  assert.equal(existsSync(join(shop.cwd, "other.json")), false);
});
