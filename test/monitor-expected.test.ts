import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { writePem } from "../src/format/pem.ts";
import { foundry } from "./support/authorities.ts";
import { factory, linesOf } from "./support/monitor-factory.ts";
import { FOUND, MISBEHAVED, only, outcomes, WELL } from "./support/monitor-workshop.ts";
import { run } from "./support/test-io.ts";

const REPOSITORY = "https://github.com/acme/widget";
const RELEASE = ".github/workflows/release.yml";

test("monitor: workflows that sign by our order -> no findings, in Rekor and CT logs; all others -> found", async (t) => {
  const shop = await factory(t);
  const { as, ok, look, sigstore, configure } = shop;
  const issuer = sigstore.at.ciIssuer;
  shop.write("file", "content");
  for (const [workflow, expected] of [
    [{ repository: REPOSITORY, issuer }, true],
    [{ repository: REPOSITORY, ref: "refs/heads/main", workflow: RELEASE, issuer }, true],
    [{ repository: REPOSITORY }, false], // GitHub's own issuer
    [{ repository: "https://github.com/acme/widge", issuer }, false],
    [{ repository: "https://github.com/acme/widget2", issuer }, false],
    [{ repository: REPOSITORY, ref: "refs/heads/dev", issuer }, false],
    [{ repository: REPOSITORY, workflow: ".github/workflows/release.y", issuer }, false],
    [{ repository: REPOSITORY, workflow: ".github/workflows/test.yml", issuer }, false],
  ] as const) {
    configure({ workflows: [workflow], certificates: true });
    await ok("sign-blob", ...as("rekor2"), "--bundle=b.json", "file");
    const found = only(linesOf(await look()), "finding").map(({ api }) => api);
    assert.deepEqual(found, expected ? [] : [2, "ct"], JSON.stringify(workflow));
  }
  configure({ workflows: [{ repository: "acme/widget" }] });
  assert.match((await look()).stderr, /invalid field at workflows\.0\.repository/);
});

test("monitor: a policy says who signs by our order -> its signers are expected, others with a watched name are found", async (t) => {
  const shop = await factory(t);
  const { as, ok, look, sigstore, configure } = shop;
  shop.write("file", "content");
  const watched = [{ identityRegexp: "^https://github\\.com/acme/", issuer: sigstore.at.ciIssuer }];
  configure({ identities: watched, expectedPolicy: "tsign.policy.yaml" });
  const policy = (identity: string) =>
    shop.write(
      "tsign.policy.yaml",
      `version: 1\nsigners:\n  ci: {identity: "${identity}", issuer: "${sigstore.at.ciIssuer}"}\nrules:\n  - {images: ["r.example/**"], signatures: {signers: ci}}\n`,
    );
  for (const [ref, count] of [
    ["refs/heads/main", 0],
    ["refs/tags/v1", 1],
  ] as const) {
    policy(`${REPOSITORY}/${RELEASE}@${ref}`);
    await ok("sign-blob", ...as("rekor1"), "--bundle=b.json", "file");
    assert.equal(only(linesOf(await look()), "finding").length, count, ref);
  }
});

test("monitor: authorities of our own -> read from files; without a root, or without a certificate -> refused", async (t) => {
  const shop = await factory(t);
  const { newKey, make } = foundry();
  const [root, middle] = [newKey(), newKey()];
  const rootPem = writePem("CERTIFICATE", make({ name: "Acme Root", key: root, issuer: "Acme Root", issuerKey: root }));
  const between = make({ name: "Acme CA", key: middle, issuer: "Acme Root", issuerKey: root });
  const middlePem = writePem("CERTIFICATE", between);
  shop.write("ca.pem", middlePem + rootPem);
  shop.write("middle.pem", middlePem);
  shop.write("none.pem", "none");
  shop.configure({ identities: [], authorities: ["ca.pem"] });
  assert.equal((await shop.look()).code, WELL);
  for (const file of ["middle.pem", "none.pem"]) {
    shop.configure({ authorities: [file] });
    assert.match((await shop.look()).stderr, /read authority ".+": there is no root certificate in it\nhint: /);
  }
});

test("monitor: a log that is not in the trusted root, by its key -> watched; another key -> alarm; too little -> refused", async (t) => {
  const shop = await factory(t);
  const { as, ok, look, configure, sigstore } = shop;
  const root = JSON.parse(sigstore.trustedRoot);
  const keyPem = (log: { publicKey: { rawBytes: string } }) =>
    writePem("PUBLIC KEY", Buffer.from(log.publicKey.rawBytes, "base64"));
  shop.write("rekor1.pub", keyPem(root.tlogs[0]));
  shop.write("rekor2.pub", keyPem(root.tlogs[1]));
  shop.write("ct.pub", keyPem(root.ctlogs[0]));
  shop.write("root.json", JSON.stringify({ ...root, tlogs: [], ctlogs: [] }));
  const [v1, v2] = root.tlogs.map(({ baseUrl }: { baseUrl: string }) => baseUrl) as [string, string];
  const ct = String(root.ctlogs[0].baseUrl);
  const own = [
    { url: v1, api: 1, key: "rekor1.pub" },
    { url: v2, api: 2, key: "rekor2.pub" },
    { url: ct, api: "ct", key: "ct.pub" },
  ];
  shop.write("file", "content");
  shop.write("whole.json", sigstore.trustedRoot);
  const sign = (config: string) =>
    ok(
      "sign-blob",
      ...as(config).filter((each) => !each.includes("root.json")),
      "--trusted-root=whole.json",
      "--bundle=b.json",
      "file",
    );
  configure({ logs: own, certificates: true });
  for (const config of ["rekor1", "rekor2"]) await sign(config);
  const found = await look();
  assert.deepEqual([found.code, outcomes(linesOf(found))], [FOUND, ["consistent", "consistent", "consistent"]]);
  assert.deepEqual(
    only(linesOf(found), "finding").map(({ api }) => api),
    [1, 2, "ct", "ct"],
  );
  // Read where the tiles are, and where they are not.
  configure({ logs: [{ ...own[1], readAt: `${v2}/api/v2` }] });
  assert.deepEqual(only(linesOf(await look()), "log")[0]?.["outcome"], "consistent");
  configure({ logs: [{ ...own[1], readAt: `${v2}/elsewhere` }] });
  assert.deepEqual(only(linesOf(await look()), "log")[0]?.["outcome"], "unavailable");
  await sign("rekor1");
  configure({ logs: [{ url: v1, api: 1, key: "ct.pub" }] });
  const foreign = await look();
  assert.deepEqual([foreign.code, only(linesOf(foreign), "alarm")[0]?.["kind"]], [MISBEHAVED, "unsigned"]);
  for (const [log, reason] of [
    [{ url: v1, key: "rekor1.pub" }, /a log with a key requires a URL and api/],
    [{ url: "no URL", api: 1, key: "rekor1.pub" }, /a log with a key requires a URL and api/],
    [{ url: v1, api: 3, key: "rekor1.pub" }, /invalid field at logs\.0\.api/],
    [{ url: v1, api: 1, key: "root.json" }, /root\.json/],
    [{ url: v1, api: 1, key: "rekor1.pub", readAt: "nowhere" }, /invalid field at logs\.0\.readAt/],
  ] as const) {
    configure({ logs: [log] });
    const { code, stderr } = await look();
    assert.equal(code, 1, stderr);
    assert.match(stderr, reason);
  }
});

test("monitor: grace of no time -> what nothing explains is told at once, what is stored is not", async (t) => {
  const shop = await factory(t);
  const { as, ok, push, look, configure, repository } = shop;
  configure({ images: [repository], grace: "0m" });
  await ok("sign", ...as("rekor2"), await push("v1"));
  assert.equal((await look()).code, WELL);
  shop.write("file", "content");
  await ok("sign-blob", ...as("rekor2"), "--bundle=b.json", "file");
  assert.equal((await look()).code, FOUND);
});

test("monitor: an older copy of the state -> the same findings with the same IDs again, none left out", async (t) => {
  const shop = await factory(t);
  const { as, ok, look, configure, cwd } = shop;
  configure({});
  shop.write("file", "content");
  const path = join(cwd, "state.json");
  const sign = () => ok("sign-blob", ...as("rekor1"), "--bundle=b.json", "file");
  await sign();
  const older = readFileSync(path);
  const first = only(linesOf(await look()), "finding").map(({ id }) => id);
  await sign();
  const second = only(linesOf(await look()), "finding").map(({ id }) => id);
  writeFileSync(path, older);
  const again = only(linesOf(await look()), "finding").map(({ id }) => id);
  assert.deepEqual(again, [...first, ...second]);
  assert.equal(again.length, 2);
});

test("monitor: a log whose head is older at the second question of a look -> could not look, never well", async (t) => {
  const shop = await factory(t);
  const { as, ok, configure, sigstore } = shop;
  configure({});
  shop.write("file", "content");
  for (let each = 0; each < 2; each++) await ok("sign-blob", ...as("rekor1"), "--bundle=b.json", "file");
  await shop.look();
  await ok("sign-blob", ...as("rekor1"), "--bundle=b.json", "file");
  // The proof and the entries of a larger tree are refused, as by a replica that is behind.
  const http: typeof sigstore.io.http = async (request) => {
    const isAbout = /\/log\/(proof|entries)/.test(request.url.pathname);
    const response = await sigstore.io.http(request);
    return isAbout ? { ...response, status: 400 } : response;
  };
  const argv = ["monitor", "--once", "--format=json-lines", "--state=state.json", "--config=config.json"];
  const before = readFileSync(join(shop.cwd, "state.json"), "utf8");
  const outcome = await run(argv, { cwd: shop.cwd, io: { ...sigstore.io, http } });
  assert.deepEqual(only(linesOf(outcome), "log")[0]?.["outcome"], "unavailable");
  const heads = (text: string) => JSON.parse(text).state.logs.map(({ head }: { head: { size: number } }) => head.size);
  assert.deepEqual(heads(readFileSync(join(shop.cwd, "state.json"), "utf8")), heads(before), "the state stays");
  assert.equal(outcome.code, FOUND, "of the first two");
});
