import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { auditOf, factory, linesOf, MINUTES } from "./support/monitor-factory.ts";
import { FOUND, MISBEHAVED, only, UNREAD, WELL } from "./support/monitor-workshop.ts";

test("monitor: signatures in files, and a registry or a file that cannot be read -> known, and exit code 5", async (t) => {
  const shop = await factory(t);
  const { as, ok, look, clock, repository } = shop;
  mkdirSync(join(shop.cwd, "records"));
  shop.write("file", "content");
  await ok("sign-blob", ...as("rekor2"), "--bundle=records/file.json", "file");
  shop.configure({ bundles: ["records"], grace: "1m" });
  clock.now = new Date(clock.now.getTime() + 2 * MINUTES);
  const pages = () => ["page.html", "summary.md"].map((name) => readFileSync(join(shop.cwd, name), "utf8"));
  const known = await look([], "--dashboard=page.html", "--summary=summary.md");
  assert.deepEqual([known.code, auditOf(known)["signatures"]], [WELL, 1], known.stdout);
  assert.match(pages()[0] ?? "", /<h1>All logs are well, nothing is open<\/h1>/);
  await ok("sign-blob", ...as("rekor2"), "--bundle=other.json", "file");
  shop.configure({ bundles: ["records", "absent.json"], images: [`${repository}:absent`], grace: "1m" });
  const waiting = await look([], "--dashboard=page.html", "--summary=summary.md");
  assert.equal(waiting.code, UNREAD);
  for (const page of pages()) {
    assert.match(page, /absent\.json/);
    assert.doesNotMatch(page, /All logs are well/);
  }
  assert.deepEqual(
    (auditOf(waiting)["unread"] as { where: string }[]).map(({ where }) => where),
    [`${repository}:absent`, "absent.json"],
  );
  clock.now = new Date(clock.now.getTime() + 2 * MINUTES);
  assert.equal((await look()).code, FOUND, "told although a place cannot be read");
});

for (const [fault, reason] of [
  ["hidden-entry", /does not return/],
  ["changed-entry", /returns another entry/],
] as const) {
  test(`monitor: a stored signature whose log has ${fault} -> alarm missing with the evidence; well again -> audited`, async (t) => {
    const shop = await factory(t);
    const { as, ok, push, look } = shop;
    const image = await push("v1");
    for (const config of ["rekor1", "rekor2"]) await ok("sign", ...as(config), image);
    // The logs are not searched: only the audit asks for entries.
    const { tlogs } = JSON.parse(shop.sigstore.trustedRoot);
    const logs = [...new Set(tlogs.map(({ baseUrl }: { baseUrl: string }) => baseUrl))].map((url) => ({
      url,
      search: false,
    }));
    shop.configure({ images: [shop.repository], logs });
    const bad = await look([`rekor1:${fault}=0`, `rekor2:${fault}=0`]);
    assert.equal(bad.code, MISBEHAVED, bad.stderr + bad.stdout);
    const alarms = only(linesOf(bad), "alarm");
    assert.deepEqual(
      alarms.map(({ kind, api }) => [kind, api]),
      [
        ["missing", 1],
        ["missing", 2],
      ],
    );
    for (const { reason: text, evidence } of alarms) {
      assert.match(String(text), reason);
      const { stored } = JSON.parse(readFileSync(join(shop.cwd, String(evidence)), "utf8"));
      assert.match(stored.where, /acme\/widget@sha256:/);
      assert.ok(Buffer.from(stored.body, "base64").length > 0);
    }
    assert.equal(auditOf(bad)["missing"], 2);
    const again = await look([`rekor1:${fault}=0`, `rekor2:${fault}=0`]);
    assert.deepEqual([again.code, only(linesOf(again), "alarm")], [MISBEHAVED, []], "told once");
    for (const { id } of alarms) await ok("monitor", "ack", String(id), "--state=state.json", "--why=seen");
    const well = await look();
    assert.deepEqual([well.code, auditOf(well)["missing"]], [WELL, 0], well.stdout);
  });
}

test("monitor: a stored signature with a proof of another log, or an invalid one -> counted, not known", async (t) => {
  const shop = await factory(t);
  const { as, ok, look, clock } = shop;
  shop.write("file", "content");
  await ok("sign-blob", ...as("rekor2"), "--bundle=thief.json", "file");
  const bundle = JSON.parse(readFileSync(join(shop.cwd, "thief.json"), "utf8"));
  const [entry] = bundle.verificationMaterial.tlogEntries;
  const { checkpoint } = entry.inclusionProof;
  // Another hint of the log's key, whatever it was.
  checkpoint.envelope = checkpoint.envelope.replace(
    /(\u2014 \S+ ....)(.)/,
    (_: string, start: string, next: string) => `${start}${next === "A" ? "B" : "A"}`,
  );
  shop.write("thief.json", JSON.stringify(bundle));
  shop.configure({ bundles: ["thief.json"], grace: "1m" });
  clock.now = new Date(clock.now.getTime() + 2 * MINUTES);
  const waiting = await look();
  clock.now = new Date(clock.now.getTime() + 2 * MINUTES);
  const outcome = await look();
  assert.deepEqual([auditOf(waiting)["unproven"], auditOf(waiting)["signatures"]], [1, 0]);
  assert.equal(outcome.code, FOUND, outcome.stdout);
});

test("monitor: extensions of an identity -> only certificates with them; unknown names -> refused", async (t) => {
  const shop = await factory(t);
  const { as, ok, look, sigstore, configure } = shop;
  const watching = (extensions: object) =>
    configure({ identities: [{ identityRegexp: ".*", issuer: sigstore.at.ciIssuer, extensions }] });
  for (const [extensions, count] of [
    [{ sourceRepositoryURI: "https://github.com/acme/other" }, 0],
    [{ sourceRepositoryURI: "https://github.com/acme/widget" }, 1],
    [{ "1.3.6.1.4.1.57264.1.12": "https://github.com/acme/widget", sourceRepositoryRef: "refs/heads/main" }, 1],
    [{ sourceRepositoryURI: "https://github.com/acme/widget", sourceRepositoryRef: "refs/heads/dev" }, 0],
  ] as const) {
    watching(extensions);
    writeFileSync(join(shop.cwd, "file"), "content");
    await ok("sign-blob", ...as("rekor2"), "--bundle=b.json", "file");
    assert.equal(only(linesOf(await look()), "finding").length, count, JSON.stringify(extensions));
  }
  watching({ sourceRepositoryUrl: "x" });
  assert.match((await look()).stderr, /identities: unknown extension sourceRepositoryUrl\nhint: write one of/);
});

test("monitor: commits -> their jobs are expected, in Rekor and in CT logs; others are found; a file of something else -> refused", async (t) => {
  const shop = await factory(t);
  const { as, ok, look, write, configure } = shop;
  const commit = "a".repeat(40); // of the sandbox's job
  for (const [commits, count] of [
    [`${"b".repeat(40)}\n`, 2],
    [`${"b".repeat(40)}\n${commit}\n`, 0],
  ] as const) {
    write("commits.txt", commits);
    configure({ commits: "commits.txt", certificates: true });
    write("file", "content");
    await ok("sign-blob", ...as("rekor1"), "--bundle=b.json", "file");
    assert.equal(only(linesOf(await look()), "finding").length, count);
  }
  write("commits.txt", `${commit}\nHEAD\n`);
  assert.match((await look()).stderr, /read commits "commits\.txt": line 2 is not the ID of a commit/);
});
