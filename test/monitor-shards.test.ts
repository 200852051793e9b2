import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Io } from "../src/io/io.ts";
import { parseFault } from "../src/sandbox/server/faults.ts";
import { ALICE, FOUND, MALLORY, MISBEHAVED, only, outcomes, WELL, workshop } from "./support/monitor-workshop.ts";
import { testSigstore } from "./support/sandbox.ts";
import { bundleOf } from "./support/sandbox-client.ts";
import { run } from "./support/test-io.ts";

const DAY = 86_400_000;

/** Two logs of Rekor v2: the shard of this year, and that of the next, which the trusted root does not list yet. */
async function shards(t: TestContext) {
  const shop = await workshop(t, { entries: 1 });
  const { cwd, clock, sigstore } = shop;
  const next = await testSigstore({ clock: () => clock.now, base: "http://localhost:2" });
  const root = JSON.parse(sigstore.trustedRoot);
  const newer = JSON.parse(next.trustedRoot);
  const [, old] = root.tlogs;
  const write = (tlogs: object[]) => {
    const certificateAuthorities = [...root.certificateAuthorities, ...newer.certificateAuthorities];
    writeFileSync(join(cwd, "root.json"), JSON.stringify({ ...root, certificateAuthorities, tlogs }));
  };
  const [v1] = root.tlogs;
  const closed = () => ({
    ...old,
    publicKey: { ...old.publicKey, validFor: { ...old.publicKey.validFor, end: clock.now.toISOString() } },
  });
  const http: Io["http"] = (request) =>
    request.url.host === "localhost:2" ? next.io.http(request) : sigstore.io.http(request);
  const identities = [sigstore, next].map(({ at }) => ({ identity: ALICE, issuer: at.issuer }));
  const common = { version: 1, trustedRoot: "root.json", identities };
  // Only the shards of v2: v1 is not what this is about.
  const configure = (...urls: string[]) =>
    writeFileSync(join(cwd, "c.json"), JSON.stringify({ ...common, logs: urls.map((url) => ({ url, api: 2 })) }));
  const look = (...faults: string[]) => {
    for (const fault of faults) sigstore.faults.add(parseFault(fault));
    const argv = ["monitor", "--once", "--format=json-lines", "--state=state.json", "--config=c.json"];
    return run(argv, { cwd, io: { ...sigstore.io, http } }).finally(() => sigstore.faults.clear());
  };
  const signNext = (who: string) =>
    bundleOf(next, { rekor: "rekor2", dsse: false, tsa: false, token: next.mint(who), subject: who });
  return { ...shop, next, old, newer: newer.tlogs[1], v1, write, closed, configure, look, signNext };
}

test("monitor: Rekor v2 turns to another shard -> the old one is not frozen, the new one is searched from its first entry", async (t) => {
  const shop = await shards(t);
  const { clock, old, newer, v1, write, closed, configure, look, sign, signNext, lines } = shop;
  configure(old.baseUrl);
  assert.equal((await look()).code, WELL);
  await sign("rekor2", ALICE); // after the last look, before the turn
  await signNext(MALLORY);
  await signNext(ALICE);
  clock.now = new Date(clock.now.getTime() + 2000);
  write([v1, closed(), newer]);
  configure(old.baseUrl, newer.baseUrl);
  const turned = await look();
  assert.deepEqual([turned.code, outcomes(lines(turned))], [FOUND, ["consistent", "consistent"]], turned.stdout);
  assert.deepEqual(
    only(lines(turned), "finding").map(({ log, index }) => [log, index]),
    [
      [old.baseUrl, 1],
      [newer.baseUrl, 1],
    ],
  );
  for (const { id } of only(lines(turned), "finding")) {
    await shop.monitor("ack", String(id), "--state=state.json", "--why=seen");
  }
  clock.now = new Date(clock.now.getTime() + 3 * DAY);
  await signNext(MALLORY);
  const later = await look();
  assert.deepEqual([later.code, outcomes(lines(later))], [WELL, ["consistent", "consistent"]], "it need not grow");
  // The new one must.
  clock.now = new Date(clock.now.getTime() + 3 * DAY);
  const frozen = await look();
  assert.deepEqual([frozen.code, outcomes(lines(frozen))], [MISBEHAVED, ["consistent", "misbehaved"]]);
  assert.deepEqual(
    only(lines(frozen), "alarm").map(({ kind, log }) => [kind, log]),
    [["frozen", newer.baseUrl]],
  );
});

test("monitor: a shard of Rekor v2 that was turned over shrinks, or is another -> alarm", async (t) => {
  const shop = await shards(t);
  const { clock, old, newer, v1, write, closed, configure, look, sign, lines } = shop;
  await sign("rekor2", MALLORY, 3);
  configure(old.baseUrl, newer.baseUrl);
  clock.now = new Date(clock.now.getTime() + 2000);
  write([v1, closed(), newer]);
  assert.equal((await look()).code, WELL);
  for (const [fault, kind] of [
    ["rekor2:head=2", "shrunk"],
    ["rekor2:forked=1", "forked"],
  ] as const) {
    const bad = await look(fault);
    assert.deepEqual([bad.code, outcomes(lines(bad))], [MISBEHAVED, ["misbehaved", "consistent"]], fault);
    const [alarm] = only(lines(bad), "alarm");
    assert.equal(alarm?.["kind"], kind);
    await shop.monitor("ack", String(alarm?.["id"]), "--state=state.json", "--why=seen");
  }
  assert.equal((await look()).code, WELL);
});

test("monitor: witnesses of the sandbox cosign a head -> well with enough of them, alarm without", async (t) => {
  const shop = await workshop(t, { entries: 1 });
  const { at, files } = shop.sigstore;
  const witnesses = files["witnesses.txt"].trim().split("\n");
  assert.equal(witnesses.length, 2);
  const configure = (quorum?: number) => {
    const logs = [{ url: at.rekor2, api: 2, witnesses, ...(quorum === undefined ? {} : { quorum }) }];
    const identities = [{ identity: ALICE, issuer: at.issuer }];
    writeFileSync(join(shop.cwd, "c.json"), JSON.stringify({ version: 1, trustedRoot: "root.json", identities, logs }));
  };
  const look = async (...faults: string[]) => {
    await shop.sign("rekor2", MALLORY);
    for (const fault of faults) shop.sigstore.faults.add(parseFault(fault));
    const outcome = await shop.monitor("--once", "--format=json-lines", "--state=state.json", "--config=c.json");
    shop.sigstore.faults.clear();
    for (const { id } of only(shop.lines(outcome), "alarm"))
      await shop.monitor("ack", String(id), "--state=state.json", "--why=seen");
    return only(shop.lines(outcome), "alarm").map(({ kind }) => kind);
  };
  configure();
  assert.deepEqual(await look("rekor2:cosigned=2"), []);
  assert.deepEqual(await look("rekor2:cosigned=1"), ["unwitnessed"]);
  assert.deepEqual(await look(), ["unwitnessed"]);
  configure(1);
  assert.deepEqual(await look("rekor2:cosigned"), []);
  assert.deepEqual(await look("rekor2:bad-checkpoint", "rekor2:cosigned=2"), ["unsigned"], "witnesses are not the log");
});
