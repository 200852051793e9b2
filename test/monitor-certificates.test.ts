import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { parseFault } from "../src/sandbox/server/faults.ts";
import { auditOf, factory, linesOf, MINUTES } from "./support/monitor-factory.ts";
import { FOUND, MISBEHAVED, only, UNREAD, WELL } from "./support/monitor-workshop.ts";
import { certify, keyOf } from "./support/sandbox-client.ts";

/** Subject of the job's tokens: what Fulcio wants signed as a proof of possession. */
const SUBJECT = "repo:acme/widget:ref:refs/heads/main";

/** A factory whose monitor also watches the CT log. */
async function watchingCertificates(t: TestContext) {
  const shop = await factory(t);
  const configure = (more: object = {}) => shop.configure({ images: [shop.repository], certificates: true, ...more });
  configure();
  const later = (minutes: number) => {
    shop.clock.now = new Date(shop.clock.now.getTime() + minutes * MINUTES);
  };
  /** Gets a certificate for the job, or for somebody else. */
  const request = (email?: string) => {
    const who =
      email === undefined
        ? { token: shop.sigstore.mintJob(), subject: SUBJECT }
        : { token: shop.sigstore.mint(email), subject: email };
    return certify(shop.sigstore, keyOf("P-256"), who);
  };
  const outcomeOf = (lines: Record<string, unknown>[]) =>
    only(lines, "log").find(({ api }) => api === "ct")?.["outcome"];
  return { ...shop, configure, later, request, outcomeOf };
}

test("monitor: certificates of our signatures -> explained; one that no signature uses -> finding", async (t) => {
  const shop = await watchingCertificates(t);
  const { as, ok, push, look, later, request } = shop;
  for (const [index, form] of [["--format=legacy"], [], ["--format=both"]].entries()) {
    await ok("sign", ...as("rekor1"), ...form, await push(`v${index}`));
  }
  await ok("sign", ...as("rekor2"), await push("v3"));
  await request("mallory@example.com");
  later(11);
  const well = await look();
  assert.deepEqual(
    [well.code, only(linesOf(well), "finding"), shop.outcomeOf(linesOf(well))],
    [WELL, [], "consistent"],
  );
  await request();
  const waiting = await look();
  assert.deepEqual([waiting.code, only(linesOf(waiting), "finding")], [WELL, []], "it may still be used");
  later(11);
  const found = await look();
  assert.equal(found.code, FOUND, found.stdout);
  const [finding = assert.fail(), ...others] = only(linesOf(found), "finding");
  assert.deepEqual([finding["api"], finding["kind"], finding["by"], others], ["ct", "certificate", "identity", []]);
  assert.match(String(finding["signer"]), /release\.yml@refs\/heads\/main/);
  assert.match(String(finding["certificate"]), /^[0-9a-f]{64}$/);
  assert.equal(auditOf(found)["missing"], 0);
});

test("monitor init: the CT log from an index -> the certificates from there", async (t) => {
  const shop = await watchingCertificates(t);
  for (let each = 0; each < 3; each++) await shop.request();
  for (const [from, count] of [
    ["0", 3],
    ["1", 2],
    ["2", 1],
    ["now", 0],
  ] as const) {
    shop.configure({ grace: "1m", logs: [] });
    const state = `--state=${from}.json`;
    await shop.ok("monitor", "init", state, "--config=config.json", `--from=${from}`);
    const look = ["monitor", "--once", "--format=json-lines", state, "--config=config.json"];
    await shop.tsign(...look);
    shop.later(2);
    assert.equal(only(linesOf(await shop.tsign(...look)), "finding").length, count, from);
  }
});

for (const [name, fault, requested, kind] of [
  ["signs a smaller tree", "head=1", 0, "shrunk"],
  ["signs another tree of the same size", "forked=1", 0, "forked"],
  ["signs a larger tree with an earlier entry changed", "forked=1", 1, "rewritten"],
  ["shows another entry than the signed one", "changed-entry=3", 2, "changed"],
  ["hides an entry", "hidden-entry=3", 2, "withheld"],
  ["returns a head without its signature", "bad-checkpoint", 1, "unsigned"],
] as const) {
  test(`monitor: a CT log that ${name} -> alarm ${kind}, once, and well again`, async (t) => {
    const shop = await watchingCertificates(t);
    for (let each = 0; each < 3; each++) await shop.request("mallory@example.com");
    assert.equal((await shop.look()).code, WELL);
    for (let each = 0; each < requested; each++) await shop.request("mallory@example.com");
    for (const isFirst of [true, false]) {
      const bad = await shop.look([`ct:${fault}`]);
      assert.deepEqual([bad.code, shop.outcomeOf(linesOf(bad))], [MISBEHAVED, "misbehaved"], bad.stdout);
      assert.deepEqual(
        only(linesOf(bad), "alarm").map((alarm) => [alarm["kind"], alarm["api"]]),
        isFirst ? [[kind, "ct"]] : [],
      );
      const [alarm] = only(linesOf(bad), "alarm");
      if (!alarm) continue;
      const evidence = JSON.parse(readFileSync(join(shop.cwd, String(alarm["evidence"])), "utf8"));
      assert.match(evidence.known, /^\d+\n\S+\n\n\{.*"tree_head_signature"/s);
      await shop.ok("monitor", "ack", String(alarm["id"]), "--state=state.json", "--why=seen");
    }
    const well = await shop.look();
    assert.deepEqual([well.code, shop.outcomeOf(linesOf(well))], [WELL, "consistent"]);
  });
}

test("monitor: a CT log that cannot be read -> exit 5, and the error names a CT log", async (t) => {
  const shop = await watchingCertificates(t);
  shop.sigstore.faults.add(parseFault("ct:status=500"));
  const { code, stdout } = await shop.tsign(
    "monitor",
    "--once",
    "--json",
    "--state=state.json",
    "--config=config.json",
  );
  assert.equal(code, UNREAD, stdout);
  assert.equal(JSON.parse(stdout).error.fields.service, "ct", stdout);
});

test("monitor: a CT log that does not grow for too long -> alarm frozen; one that does -> well", async (t) => {
  const shop = await watchingCertificates(t);
  const { url } = { url: String(JSON.parse(shop.sigstore.trustedRoot).ctlogs[0].baseUrl) };
  shop.configure({ logs: [{ url, frozenAfter: "3h" }] });
  const frozenIn = async () => {
    const lines = linesOf(await shop.look());
    for (const { id } of only(lines, "alarm"))
      await shop.ok("monitor", "ack", String(id), "--state=state.json", "--why=seen");
    return only(lines, "alarm").flatMap(({ api, kind }) => (api === "ct" ? [kind] : []));
  };
  await shop.request("mallory@example.com");
  assert.deepEqual(await frozenIn(), []);
  shop.later(2 * 60);
  assert.deepEqual(await frozenIn(), [], "within the time");
  shop.later(2 * 60);
  assert.deepEqual(await frozenIn(), ["frozen"]);
  await shop.request("mallory@example.com");
  assert.deepEqual(await frozenIn(), []);
});

test("monitor: CT log of another key, and a certificate of an unknown authority -> alarm, and counted", async (t) => {
  const shop = await watchingCertificates(t);
  await shop.request();
  const root = JSON.parse(shop.sigstore.trustedRoot);
  const [ca] = root.certificateAuthorities;
  // The time authority's root in place of Fulcio's.
  const other = { ...ca, certChain: root.timestampAuthorities[0].certChain };
  writeFileSync(join(shop.cwd, "root.json"), JSON.stringify({ ...root, certificateAuthorities: [other] }));
  const outcome = await shop.look();
  const [ct] = only(linesOf(outcome), "log").filter(({ api }) => api === "ct");
  assert.deepEqual([ct?.["untrusted"], only(linesOf(outcome), "finding")], [1, []], outcome.stdout + outcome.stderr);
  const [log] = root.ctlogs;
  const foreign = { ...log, publicKey: { ...log.publicKey, rawBytes: root.tlogs[0].publicKey.rawBytes } };
  writeFileSync(join(shop.cwd, "root.json"), JSON.stringify({ ...root, ctlogs: [foreign] }));
  await shop.request();
  const alarms = only(linesOf(await shop.look()), "alarm");
  assert.deepEqual(
    alarms.map(({ kind }) => kind),
    ["unsigned"],
  );
});
