import assert from "node:assert/strict";
import { createHash, generateKeyPairSync, sign } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { TsignError } from "../src/errors.ts";
import type { Io } from "../src/io/io.ts";
import { parseFault } from "../src/sandbox/server/faults.ts";
import { jsonAnswer } from "./support/json-answer.ts";
import {
  ALICE,
  FOUND,
  MALLORY,
  MISBEHAVED,
  only,
  outcomes,
  stateOf,
  UNREAD,
  WELL,
  workshop,
} from "./support/monitor-workshop.ts";
import { testSigstore } from "./support/sandbox.ts";
import { type Outcome, run, testIo } from "./support/test-io.ts";

test("monitor: signatures in our name -> reported once, with exit code 3 until they are acknowledged", async (t) => {
  const shop = await workshop(t);
  const before = await shop.look();
  assert.deepEqual([before.code, outcomes(shop.lines(before))], [WELL, ["consistent", "consistent"]]);
  await shop.sign("rekor1", ALICE, 2);
  for (const who of [ALICE, MALLORY]) await shop.sign("rekor2", who);
  const found = await shop.look();
  assert.equal(found.code, FOUND);
  const findings = only(shop.lines(found), "finding");
  assert.deepEqual(
    findings.map(({ api, index, kind, by }) => [api, index, kind, by]),
    [
      [1, 5, "hashedrekord 0.0.1", "identity"],
      [1, 6, "dsse 0.0.1", "identity"],
      [2, 5, "hashedrekord 0.0.2", "identity"],
    ],
  );
  for (const { id, signer, digest } of findings) {
    assert.match(String(id), /^f-[0-9a-f]{16}$/);
    assert.match(`${signer} ${digest}`, /^alice@example\.com \(.+\) sha256:[0-9a-f]{64}$/);
  }
  const again = await shop.look();
  assert.deepEqual([again.code, only(shop.lines(again), "finding")], [FOUND, []], "reported once");
  for (const { id } of findings) {
    const { code } = await shop.monitor("ack", String(id), "--why=release 1.2", "--state=state.json");
    assert.equal(code, 0);
  }
  assert.equal((await shop.look()).code, WELL);
  assert.equal(stateOf(shop).state.findings[0].acknowledged.why, "release 1.2");
  const twice = await shop.monitor("ack", String(findings[0]?.["id"]), "--why=x", "--state=state.json");
  assert.match(twice.stderr, /it was acknowledged at/);
  const other = await shop.monitor("ack", "f-0000000000000000", "--why=x", "--state=state.json");
  assert.match(other.stderr, /there is no such finding or alarm/);
  const silent = await shop.monitor("ack", String(findings[0]?.["id"]), "--state=state.json");
  assert.match(silent.stderr, /--why is required/);
});

test("monitor: expected digest -> no finding; watched digest of another signer -> finding; other issuer -> none", async (t) => {
  const shop = await workshop(t, { entries: 1 });
  const hello = "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
  const configured = async (config: object) => {
    writeFileSync(join(shop.cwd, "config.json"), JSON.stringify({ version: 1, ...config }));
    return shop.monitor("--once", "--format=json-lines", "--state=state.json", "--config=config.json");
  };
  const { issuer } = shop.sigstore.at;
  const common = { trustedRoot: "root.json", logs: [{ url: shop.sigstore.at.rekor2 }] };
  const identities = [{ identity: ALICE, issuer }];
  await shop.sign("rekor2", ALICE);
  assert.equal((await configured({ ...common, identities, expected: [hello] })).code, WELL);
  await shop.sign("rekor2", ALICE);
  const elsewhere = [{ identity: ALICE, issuer: "https://elsewhere.example" }];
  const otherIssuer = await configured({ ...common, identities: elsewhere });
  assert.equal(otherIssuer.code, WELL);
  assert.match(otherIssuer.stderr, /have changed, and earlier entries are not searched again/);
  await shop.sign("rekor2", MALLORY);
  const byDigest = await configured({ ...common, digests: [hello] });
  assert.equal(byDigest.code, FOUND);
  assert.deepEqual(
    only(shop.lines(byDigest), "finding").map(({ by, signer }) => [by, String(signer).split(" ")[0]]),
    [["digest", MALLORY]],
  );
  const patterns = [{ identityRegexp: "^alice@", issuerRegexp: ".*" }];
  await shop.sign("rekor2", ALICE);
  assert.equal(only(shop.lines(await configured({ ...common, identities: patterns })), "finding").length, 1);
  const policy = (who: string) =>
    writeFileSync(
      join(shop.cwd, "policy.yaml"),
      `version: 1\nsigners:\n  a: {identity: ${who}, issuer: "${issuer}"}\nrules:\n  - {images: ["r.example/**"], signatures: {signers: a}}\n`,
    );
  for (const [who, count] of [
    [MALLORY, 0],
    [ALICE, 1],
  ] as const) {
    policy(who);
    await shop.sign("rekor2", ALICE);
    const found = only(shop.lines(await configured({ ...common, policy: "policy.yaml" })), "finding");
    assert.equal(found.length, count, who);
  }
});

/** Every misbehaviour: the faults of the log, what is signed before the look, and the kind of the alarm of v1 and v2. */
const MISBEHAVIOURS: [name: string, faults: string[], signed: number, kind: string][] = [
  ["signs a smaller tree", ["head=3"], 0, "shrunk"],
  ["signs another tree of the same size", ["forked=2"], 0, "forked"],
  ["signs a larger tree with an earlier entry changed", ["forked=2"], 2, "rewritten"],
  ["shows another entry than the signed one", ["changed-entry=5"], 2, "changed"],
  ["hides an entry", ["hidden-entry=5"], 2, "withheld"],
  ["returns a head without its signature", ["bad-checkpoint"], 1, "unsigned"],
];

for (const [name, faults, signed, kind] of MISBEHAVIOURS) {
  test(`monitor: a log that ${name} -> alarm ${kind}, exit code 4, evidence; and well again -> nothing was skipped`, async (t) => {
    const shop = await workshop(t);
    for (const rekor of ["rekor1", "rekor2"] as const) if (signed > 0) await shop.sign(rekor, ALICE, signed);
    const both = faults.flatMap((fault) => [`rekor1:${fault}`, `rekor2:${fault}`]);
    const bad = await shop.lookWith(both);
    assert.deepEqual([bad.code, outcomes(shop.lines(bad))], [MISBEHAVED, ["misbehaved", "misbehaved"]], bad.stdout);
    const alarms = only(shop.lines(bad), "alarm");
    assert.deepEqual(
      alarms.map((each) => each["kind"]),
      [kind, kind],
    );
    assert.deepEqual(only(shop.lines(bad), "finding"), [], "entries of a log that misbehaves are not believed");
    for (const alarm of alarms) {
      const evidence = JSON.parse(readFileSync(join(shop.cwd, String(alarm["evidence"])), "utf8"));
      assert.deepEqual([evidence.id, evidence.kind], [alarm["id"], kind]);
      assert.match(evidence.known, /^127\.0\.0\.1.*\n\d+\n/);
      assert.match(evidence.log.keys[0], /BEGIN PUBLIC KEY/);
    }
    assert.deepEqual(only(shop.lines(await shop.lookWith(both)), "alarm"), [], "raised once");
    const after = await shop.look();
    assert.deepEqual(outcomes(shop.lines(after)), ["consistent", "consistent"]);
    assert.equal(only(shop.lines(after), "finding").length, 2 * signed, "every entry was searched later");
    assert.equal(after.code, MISBEHAVED, "until the alarms are acknowledged");
    for (const { id } of [...alarms, ...only(shop.lines(after), "finding")])
      await shop.monitor("ack", String(id), "--why=seen", "--state=state.json");
    assert.equal((await shop.look()).code, WELL);
    if (signed > 0) return; // the state is ahead of the fault now
    assert.equal((await shop.lookWith(both)).code, MISBEHAVED, "acknowledged, but it still misbehaves");
  });
}

test("monitor: head that does not change for too long -> alarm frozen; a quiet log within the time -> well", async (t) => {
  const shop = await workshop(t);
  await shop.sign("rekor1", MALLORY);
  const hour = 3600_000;
  shop.clock.now = new Date(shop.clock.now.getTime() + 2 * hour);
  assert.equal((await shop.lookWith(["rekor1:head=5"], "--frozen-after=3h")).code, WELL, "quiet");
  assert.equal((await shop.lookWith(["rekor1:head=5"], "--frozen-after=0s")).code, WELL, "no limit");
  shop.clock.now = new Date(shop.clock.now.getTime() + 2 * hour);
  shop.clock.now = new Date(shop.clock.now.getTime() + hour);
  const frozen = await shop.lookWith(["rekor1:head=5"], "--frozen-after=3h");
  assert.equal(frozen.code, MISBEHAVED);
  assert.deepEqual(
    only(shop.lines(frozen), "alarm").map(({ kind, api }) => [kind, api]),
    [
      ["frozen", 1],
      ["frozen", 2],
    ],
    "nothing was recorded in the second",
  );
  const grown = await shop.look("--frozen-after=3h");
  assert.deepEqual(outcomes(shop.lines(grown)), ["consistent", "misbehaved"]);
});

test("monitor: log that cannot be read -> exit code 5, and the next look continues", async (t) => {
  const shop = await workshop(t);
  await shop.sign("rekor1", ALICE);
  for (const fault of ["rekor1:status=404", "rekor1:garbage", "rekor2:garbage", "rekor2:status=403"]) {
    const outcome = await shop.lookWith([fault]);
    const [first, second] = fault.startsWith("rekor1") ? ["unavailable", "consistent"] : ["consistent", "unavailable"];
    assert.deepEqual(outcomes(shop.lines(outcome)), [first, second], fault);
    const isFound = stateOf(shop).state.findings.length > 0;
    assert.equal(outcome.code, isFound ? FOUND : UNREAD, fault);
    assert.deepEqual(only(shop.lines(outcome), "alarm"), []);
  }
  assert.equal(stateOf(shop).state.findings.length, 1);
});

test("monitor: Rekor v1 begins a new tree -> followed, no entry twice or never; the old one lost -> alarm replaced", async (t) => {
  const shop = await workshop(t, { entries: 3 });
  await shop.sign("rekor1", ALICE, 5);
  const turned = ["rekor1:shard=5"];
  const first = await shop.lookWith(turned);
  assert.deepEqual(outcomes(shop.lines(first)), ["consistent", "consistent"], first.stdout);
  assert.deepEqual(
    only(shop.lines(first), "finding").map(({ index }) => index),
    [3, 4, 5, 6, 7],
  );
  await shop.sign("rekor1", ALICE);
  const second = await shop.lookWith(turned);
  assert.deepEqual(
    only(shop.lines(second), "finding").map(({ index }) => index),
    [8],
  );
  assert.equal(stateOf(shop).state.logs[0].offset, 5);
  const lost = await shop.look();
  assert.deepEqual(
    only(shop.lines(lost), "alarm").map(({ kind }) => kind),
    ["replaced"],
  );
});

test("monitor: new tree whose predecessor ends before what was seen, or was changed -> alarm", async (t) => {
  const shop = await workshop(t, { entries: 6 });
  const kindsOf = (outcome: Outcome) => only(shop.lines(outcome), "alarm").map(({ kind }) => kind);
  assert.deepEqual(kindsOf(await shop.lookWith(["rekor1:shard=4"])), ["shrunk"]);
  assert.deepEqual(kindsOf(await shop.lookWith(["rekor1:shard=6", "rekor1:forked=1"])), ["forked"]);
  await shop.sign("rekor1", MALLORY, 2);
  await shop.lookWith(["rekor1:shard=7"]);
  assert.deepEqual(kindsOf(await shop.lookWith(["rekor1:shard=7", "rekor1:forked=1"])), ["rewritten"]);
});

test("monitor: state missing, cut or changed -> error, never a new start; init refuses to replace it", async (t) => {
  const shop = await workshop(t, { entries: 1 });
  const path = join(shop.cwd, "state.json");
  const whole = readFileSync(path, "utf8");
  const init = await shop.monitor("init", "--state=state.json", "--trusted-root=root.json", "--key=none.pub");
  assert.match(init.stderr, /create state "state\.json": the file exists/);
  const spoilt = [
    "",
    "{}",
    whole.slice(0, -20),
    whole.replace('"next":1', '"next":0'),
    whole.replace('"version":1', '"version":2'),
  ];
  for (const text of spoilt) {
    writeFileSync(path, text);
    const { code, stderr, stdout } = await shop.look();
    assert.deepEqual([code, stdout], [1, ""], text);
    assert.match(stderr, /Error: read state "state\.json": .+\nhint: /);
    assert.equal(readFileSync(path, "utf8"), text, "left as it is");
  }
  const { code, stderr } = await shop.monitor("--once", "--state=none.json", "--trusted-root=root.json", "--key=k.pub");
  assert.deepEqual([code, existsSync(join(shop.cwd, "none.json"))], [1, false]);
  assert.match(stderr, /read state "none\.json": no such file\nhint: create it with `tsign monitor init`/);
  writeFileSync(path, whole);
  assert.equal((await shop.look()).code, WELL);
});

test("monitor: flags and configurations that say nothing, or too much -> refused", async (t) => {
  const shop = await workshop(t, { entries: 1 });
  const at = ["--once", "--state=state.json", "--trusted-root=root.json"];
  const write = (config: object) => writeFileSync(join(shop.cwd, "c.json"), JSON.stringify(config));
  const refused = async (reason: RegExp, ...argv: string[]) => {
    const { code, stderr } = await shop.monitor(...argv);
    assert.equal(code, 1);
    assert.match(stderr, reason);
  };
  await refused(/one of --config, --certificate-identity and --key is required/, ...at);
  await refused(/--state is required/, "--once", "--key=k.pub");
  await refused(/--json requires --once/, "--state=state.json", "--key=k.pub", "--json");
  for (const [config, reason] of [
    [{}, /invalid field at version/],
    [{ version: 2 }, /invalid field at version/],
    [{ version: 1, keyz: [] }, /unknown field keyz at the top/],
    [{ version: 1, identities: [{ identity: "a" }] }, /identities\.0 requires identity and issuer/],
    [{ version: 1, digests: ["sha256:1"] }, /invalid field at digests\.0/],
    [
      { version: 1, digests: [`sha256:${"0".repeat(64)}`], logs: [{ url: "https://x" }] },
      /read configuration "c\.json": log https:\/\/x is not in the trusted root\nhint: write its key and api, or the URL of .+: http/,
    ],
    [{ version: 1, logs: [{ url: "https://x", frozenAfter: "1 day" }] }, /invalid field at logs\.0\.frozenAfter/],
  ] as const) {
    write(config);
    await refused(reason, ...at, "--config=c.json");
  }
});

test("monitor: log that is not in the trusted root any longer -> exit code 5; one that the configuration leaves out -> well", async (t) => {
  const shop = await workshop(t, { entries: 1 });
  const root = JSON.parse(readFileSync(join(shop.cwd, "root.json"), "utf8"));
  writeFileSync(join(shop.cwd, "root.json"), JSON.stringify({ ...root, tlogs: root.tlogs.slice(1) }));
  const lost = await shop.look();
  assert.deepEqual([lost.code, outcomes(shop.lines(lost))], [UNREAD, ["consistent", "unavailable"]]);
  const moved = { ...root.tlogs[0], baseUrl: "http://127.0.0.1:1/moved" };
  writeFileSync(join(shop.cwd, "root.json"), JSON.stringify({ ...root, tlogs: [...root.tlogs, moved] }));
  const added = await shop.look();
  assert.deepEqual(outcomes(shop.lines(added)), ["consistent", "consistent", "unavailable"], "the new log is asked");
  writeFileSync(join(shop.cwd, "c.json"), JSON.stringify({ version: 1, logs: [{ url: root.tlogs[0].baseUrl }] }));
  assert.equal((await shop.look("--config=c.json")).code, WELL);
});

test("monitor: certificate of an unknown authority with our name -> counted, no finding", async (t) => {
  const shop = await workshop(t, { entries: 1 });
  const root = JSON.parse(readFileSync(join(shop.cwd, "root.json"), "utf8"));
  const other = JSON.parse((await testSigstore()).trustedRoot);
  const { certificateAuthorities } = other;
  writeFileSync(join(shop.cwd, "root.json"), JSON.stringify({ ...root, certificateAuthorities }));
  await shop.sign("rekor1", ALICE);
  const outcome = await shop.look();
  assert.equal(outcome.code, WELL);
  assert.deepEqual(
    only(shop.lines(outcome), "log").map(({ untrusted }) => untrusted),
    [1, 0],
  );
});

test("monitor without --once: looks again and again, and outlives a log that is away", async (t) => {
  const shop = await workshop(t, { entries: 1 });
  await shop.sign("rekor1", ALICE);
  for (const fault of ["rekor1:status=404*1"]) shop.sigstore.faults.add(parseFault(fault));
  const common = ["--state=state.json", "--trusted-root=root.json", `--certificate-identity=${ALICE}`];
  const issuer = `--certificate-oidc-issuer=${shop.sigstore.at.issuer}`;
  let pauses = 0;
  const { sleep: real } = testIo();
  const sleep = async (milliseconds: number, signal?: AbortSignal) => {
    if (milliseconds !== 7000) return real(milliseconds, signal);
    if (++pauses === 3) throw new TsignError("cancelled", "interrupted", { exitCode: 130 });
  };
  const io = { ...shop.sigstore.io, sleep };
  const argv = ["monitor", ...common, issuer, "--interval=7s"];
  const { code, stdout } = await run(argv, { cwd: shop.cwd, io });
  assert.equal(code, 130);
  assert.match(stdout, /unavailable.+found f-[0-9a-f]{16}: entry 1 of .+consistent.+consistent/s);
});

test("monitor --json: one document with what was found, and the error", async (t) => {
  const shop = await workshop(t, { entries: 1 });
  await shop.sign("rekor2", ALICE);
  const outcome = await shop.look("--json");
  const { document } = jsonAnswer(outcome, "monitor");
  const result = document.result as unknown as { findings: unknown[]; logs: unknown[]; open: object };
  assert.deepEqual([result.findings.length, result.logs.length, result.open], [1, 2, { findings: 1, alarms: 0 }]);
  assert.equal(outcome.code, FOUND);
});

test("monitor: heads of Rekor v2 without enough witnesses -> alarm unwitnessed, and the state stays; with them -> well", async (t) => {
  const shop = await workshop(t, { entries: 1 });
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const name = "witness.example";
  const bytes = Buffer.concat([Buffer.of(4), publicKey.export({ type: "spki", format: "der" }).subarray(-32)]);
  const hint = createHash("sha256").update(`${name}\n`).update(bytes).digest().subarray(0, 4);
  const config = (more: object, url = shop.sigstore.at.rekor2) => {
    const identities = [{ identity: ALICE, issuer: shop.sigstore.at.issuer }];
    const logs = [{ url, witnesses: [`${name}+${hint.toString("hex")}+${bytes.toString("base64")}`], ...more }];
    writeFileSync(join(shop.cwd, "c.json"), JSON.stringify({ version: 1, trustedRoot: "root.json", identities, logs }));
  };
  const look = (isCosigned: boolean) => {
    const http: Io["http"] = async (request) => {
      const response = await shop.sigstore.io.http(request);
      if (!isCosigned || !request.url.pathname.endsWith("/checkpoint")) return response;
      const pieces: Uint8Array[] = [];
      for await (const piece of response.body) pieces.push(piece);
      const note = Buffer.concat(pieces).toString();
      const time = Buffer.alloc(8);
      time.writeBigUInt64BE(1_700_000_000n);
      const text = note.slice(0, note.indexOf("\n\n") + 1);
      const signature = sign(null, Buffer.from(`cosignature/v1\ntime 1700000000\n${text}`), privateKey);
      const line = `\u2014 ${name} ${Buffer.concat([hint, time, signature]).toString("base64")}\n`;
      const cosigned = (async function* () {
        yield Buffer.from(note + line);
      })();
      return { ...response, body: cosigned };
    };
    const argv = ["monitor", "--once", "--format=json-lines", "--state=state.json", "--config=c.json"];
    return run(argv, { cwd: shop.cwd, io: { ...shop.sigstore.io, http } });
  };
  config({ quorum: 1 });
  await shop.sign("rekor2", ALICE);
  const alone = await look(false);
  assert.deepEqual([alone.code, outcomes(shop.lines(alone))], [MISBEHAVED, ["consistent", "misbehaved"]]);
  const [alarm] = only(shop.lines(alone), "alarm");
  assert.deepEqual([alarm?.["kind"], stateOf(shop).state.logs[1].head.size], ["unwitnessed", 1]);
  await shop.monitor("ack", String(alarm?.["id"]), "--state=state.json", "--why=seen");
  const cosigned = await look(true);
  assert.deepEqual([cosigned.code, outcomes(shop.lines(cosigned))], [FOUND, ["consistent", "consistent"]]);
  for (const [more, reason] of [
    [{ quorum: 2 }, /quorum 2 is more than its 1 witnesses/],
    [{ witnesses: [], quorum: 1 }, /quorum 1 is more than its 0 witnesses/],
    [{ witnesses: ["w+00000000+AAAA"] }, /expected a verifier key/],
    [{ quorum: 0 }, /invalid field at logs\.0\.quorum/],
  ] as const) {
    config(more);
    assert.match((await look(true)).stderr, reason);
  }
});
