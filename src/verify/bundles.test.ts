import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { testSigstore } from "../../test/support/sandbox.ts";
import { ALICE } from "../../test/support/sandbox-client.ts";
import {
  ARTIFACT,
  type BundleKind,
  PREDICATE_TYPE,
  signedBundle,
  statementOf,
} from "../../test/support/signed-bundles.ts";
import { readBundle } from "../evidence/bundle/read.ts";
import type { Evidence } from "../evidence/model.ts";
import { messageOf } from "../format/digest.ts";
import { defaultHashes, publicKeyFromObject } from "../keys/index.ts";
import { readTrustedRoot } from "../trust/trusted-root.ts";
import type { Policy, Subject, TrustMaterial } from "./model.ts";
import { exactly } from "./patterns.ts";
import { type Verdict, verify } from "./verify.ts";

const base = { version: "0.3", dsse: false, signer: "certificate", promise: false, timestamp: false } as const;
const KINDS = {
  promised: { ...base, entry: "hashedrekord 0.0.1", promise: true },
  dated: { ...base, entry: "dsse 0.0.1", dsse: true, timestamp: true },
  both: { ...base, version: "0.2", entry: "intoto 0.0.2", dsse: true, promise: true, timestamp: true },
  v2: { ...base, entry: "hashedrekord 0.0.2", timestamp: true },
  envelope: { ...base, entry: "dsse 0.0.2", dsse: true, timestamp: true },
  key: { ...base, entry: "hashedrekord 0.0.1", signer: "key", promise: true },
} as const satisfies Record<string, BundleKind>;
type Name = keyof typeof KINDS;

const SUBJECT: Subject = { kind: "blob", message: messageOf(ARTIFACT) };
const sandbox = await testSigstore();
const TRUST: TrustMaterial = { ...readTrustedRoot(Buffer.from(sandbox.trustedRoot), "root"), now: sandbox.io.now() };
const ISSUER = sandbox.at.issuer;

const made = new Map<Name, Promise<{ evidence: Evidence; policy: Policy }>>();

/** A bundle of the kind, created once, and a policy that it satisfies. */
function good(name: Name): Promise<{ evidence: Evidence; policy: Policy }> {
  const known = made.get(name) ?? make(KINDS[name]);
  made.set(name, known);
  return known;
}

async function make(kind: BundleKind) {
  const { json, publicKey } = await signedBundle(sandbox, kind);
  const key = publicKeyFromObject(publicKey);
  const identity = { subject: [exactly(ALICE)], issuer: [exactly(ISSUER)], extensions: new Map() };
  const policy: Policy = {
    signer: kind.signer === "key" ? { kind: "key", key, hashes: defaultHashes(key) } : { kind: "identity", identity },
    claims: { annotations: {}, predicateTypes: kind.dsse ? [PREDICATE_TYPE] : undefined },
    log: "required",
    timestamp: kind.timestamp ? "required" : "optional",
    sct: { detached: undefined },
  };
  return { evidence: readBundle(Buffer.from(JSON.stringify(json)), { kind: "file", where: "f" }), policy };
}

async function judge(
  name: Name,
  change: {
    evidence?: Partial<Evidence>;
    policy?: Partial<Policy>;
    trust?: Partial<TrustMaterial>;
    subject?: Subject;
  } = {},
): Promise<Verdict> {
  const { evidence, policy } = await good(name);
  const trust = { ...TRUST, now: sandbox.io.now(), ...change.trust };
  return verify({ ...evidence, ...change.evidence }, change.subject ?? SUBJECT, trust, { ...policy, ...change.policy });
}

async function refused(name: Name, check: string, reason: RegExp, change: Parameters<typeof judge>[1]): Promise<void> {
  const verdict = await judge(name, change);
  assert.ok(!verdict.ok, `${name} verifies: ${JSON.stringify(Object.keys(change ?? {}))}`);
  assert.equal(verdict.failed.name, check, verdict.failed.detail);
  assert.match(verdict.failed.detail, reason);
  assert.equal(verdict.checks.at(-1), verdict.failed);
}

async function accepted(name: Name, change?: Parameters<typeof judge>[1]) {
  const verdict = await judge(name, change);
  assert.ok(verdict.ok, verdict.ok ? "" : `${name}: ${verdict.failed.name}: ${verdict.failed.detail}`);
  return verdict;
}

test("verify: a valid bundle of every kind -> accepted, with the verified parts in the verdict", async () => {
  const identified = [
    "log passed",
    "signature passed",
    "time passed",
    "key passed",
    "sct passed",
    "claims passed",
    "identity passed",
  ];
  for (const name of Object.keys(KINDS) as Name[]) {
    const kind: BundleKind = KINDS[name];
    const { evidence } = await good(name);
    const verdict = await accepted(name);
    const outcomes = verdict.checks.map((check) => `${check.name} ${check.outcome}`);
    assert.deepEqual(
      outcomes,
      kind.signer === "key"
        ? ["log passed", "signature passed", "time passed", "key passed", "claims passed"]
        : identified,
      name,
    );
    const [entry, ...more] = verdict.entries;
    assert.equal(more.length, 0);
    assert.equal(`${entry?.kind} ${entry?.version}`, kind.entry);
    assert.equal(entry?.logIndex, evidence.log[0]?.logIndex);
    assert.equal(entry?.logId, Buffer.from(evidence.log[0]?.logId.keyId ?? "").toString("hex"));
    assert.equal(entry?.integratedTime !== undefined, kind.promise);
    assert.equal(entry?.fetched, false);
    assert.equal(verdict.timestamps.length, kind.timestamp ? 1 : 0);
    assert.deepEqual(verdict.timestamps[0]?.response, evidence.timestamps[0]);
    assert.equal(verdict.signer.kind, kind.signer);
    if (verdict.signer.kind === "certificate") {
      assert.deepEqual([verdict.signer.name, verdict.signer.issuer], [ALICE, ISSUER]);
      assert.equal(verdict.signer.extensions.get("1.3.6.1.4.1.57264.1.1"), ISSUER);
    }
    if (verdict.content.kind === "statement") {
      assert.deepEqual(Buffer.from(verdict.content.payload), statementOf(ARTIFACT));
      assert.equal(verdict.content.predicateType, PREDICATE_TYPE);
      assert.equal(verdict.content.subject?.name, "artifact");
    } else assert.deepEqual([verdict.content.kind, kind.dsse], ["artifact", false]);
    assert.match(
      verdict.checks.find((check) => check.name === "signature")?.detail ?? "",
      /valid for an ECDSA P-256 key/,
    );
  }
  assert.equal((await accepted("promised", { evidence: { logFetched: true } })).entries[0]?.fetched, true);
});

test("verify: a bundle with the artifact, signature or log entry of another one of its kind -> refused", async () => {
  const other: Subject = { kind: "blob", message: messageOf(Buffer.from("another")) };
  const image: Subject = { kind: "image", digest: `sha256:${createHash("sha256").update("image").digest("hex")}` };
  for (const name of Object.keys(KINDS) as Name[]) {
    const { evidence } = await good(name);
    const kind: BundleKind = KINDS[name];
    await refused(name, "claims", /./, { subject: other });
    const { ok } = await judge(name, { subject: image });
    assert.equal(ok, false, name);
    const another = await make(kind);
    const [entry] = evidence.log;
    const [foreign] = another.evidence.log;
    assert.ok(entry && foreign);
    await refused(name, "log", /for a different/, { evidence: { log: another.evidence.log } });
    await refused(name, "log", /for a different/, { evidence: { log: [entry, foreign] } });
    const signature = Buffer.from(evidence.content.signature);
    signature[10] = (signature[10] ?? 0) ^ 1;
    const content = { ...evidence.content, signature } as Evidence["content"];
    await refused(name, "log", /signature mismatch|for a different/, { evidence: { content } });
    await refused(name, "signature", /./, { evidence: { content, timestamps: [] }, policy: { log: "insecureSkip" } });
    await refused(name, "log", /no transparency log entry/, { evidence: { log: [] } });
    await refused(name, "log", /from a trusted/, { trust: { logs: [] } });
    if (kind.timestamp) {
      await refused(name, "time", /./, { evidence: { timestamps: another.evidence.timestamps } });
      await refused(name, "time", /no signed timestamp found/, { evidence: { timestamps: [] } });
      await refused(name, "time", /from a trusted authority/, { trust: { timestampAuthorities: [] } });
    }
    if (kind.signer === "certificate") {
      await refused(name, "key", /no certificate authority/, { trust: { authorities: [] } });
      await refused(name, "sct", /from a trusted/, { trust: { ctLogs: [] } });
    }
  }
});

test("verify: a log entry with a changed proof, SET, index or body -> refused", async () => {
  for (const name of ["promised", "dated", "v2", "envelope", "key"] as const) {
    const { evidence } = await good(name);
    const [entry] = evidence.log;
    const proof = entry?.inclusionProof;
    assert.ok(entry && proof);
    const changed = (more: object) => ({ evidence: { log: [{ ...entry, ...more }] as Evidence["log"] } });
    await refused(
      name,
      "log",
      /different trees/,
      changed({ inclusionProof: { ...proof, treeSize: `${Number(proof.treeSize) + 1}` } }),
    );
    await refused(
      name,
      "log",
      /different trees/,
      changed({ inclusionProof: { ...proof, rootHash: Buffer.alloc(32) } }),
    );
    await refused(
      name,
      "log",
      /./,
      changed({ inclusionProof: { ...proof, hashes: [...proof.hashes, Buffer.alloc(32)] } }),
    );
    await refused(name, "log", /no checkpoint/, changed({ inclusionProof: { ...proof, checkpoint: undefined } }));
    await refused(name, "log", /./, changed({ inclusionProof: undefined, inclusionPromise: undefined }));
    const body = Buffer.concat([entry.canonicalizedBody, Buffer.from(" ")]);
    await refused(name, "log", /./, changed({ canonicalizedBody: body }));
    await refused(name, "log", /./, changed({ kindVersion: { kind: "other", version: "0.0.1" } }));
    if (!entry.inclusionPromise) continue;
    const signedEntryTimestamp = Buffer.from(entry.inclusionPromise.signedEntryTimestamp);
    signedEntryTimestamp[10] = (signedEntryTimestamp[10] ?? 0) ^ 1;
    await refused(name, "log", /./, changed({ inclusionPromise: { signedEntryTimestamp } }));
    await refused(name, "log", /./, changed({ integratedTime: `${Number(entry.integratedTime) + 1}` }));
  }
});

test("verify: a time outside the period of the log, the CA or the timestamp authority -> refused", async () => {
  const past = { start: new Date(0), end: new Date(1000) };
  const ended = <T extends { validFor: object }>(list: readonly T[]) =>
    list.map((each) => ({ ...each, validFor: past }));
  await refused("promised", "log", /is not trusted at/, { trust: { logs: ended(TRUST.logs) } });
  await refused("v2", "log", /is not trusted at/, { trust: { logs: ended(TRUST.logs) } });
  await refused("promised", "key", /no certificate authority is trusted at/, {
    trust: { authorities: ended(TRUST.authorities) },
  });
  await refused("v2", "key", /no certificate authority is trusted at/, {
    trust: { authorities: ended(TRUST.authorities) },
  });
  await refused("v2", "time", /./, { trust: { timestampAuthorities: ended(TRUST.timestampAuthorities) } });
  await refused("promised", "sct", /not trusted at/, { trust: { ctLogs: ended(TRUST.ctLogs) } });
  const later = new Date(TRUST.now.getTime() + 3_600_000);
  await accepted("promised", { trust: { now: later } });
  const unlogged = { policy: { log: "insecureSkip", timestamp: "optional" } as const, evidence: { timestamps: [] } };
  await accepted("promised", unlogged);
  await refused("promised", "key", /./, { ...unlogged, trust: { now: later } });
  await refused("dated", "time", /no trusted time/, {
    policy: { timestamp: "optional" },
    evidence: { timestamps: [] },
  });
});

test("verify: the report has every check, with what was found or that it was skipped", async () => {
  const details = async (name: Name, policy: Partial<Policy> = {}) =>
    Object.fromEntries((await accepted(name, { policy })).checks.map((each) => [each.name, each.detail]));
  const found = await details("both");
  const { times } = { times: (found["time"] ?? "").split(", ") };
  assert.equal(times.length, 2, "what the log promised and what the authority signed");
  for (const time of times) assert.equal(new Date(time).toISOString(), time);
  assert.deepEqual(
    { ...found, time: "" },
    {
      log: "included in a trusted transparency log",
      signature: "valid for an ECDSA P-256 key",
      time: "",
      key: "certificate has a path to a trusted root",
      sct: "signed certificate timestamp from a trusted log",
      claims: `statement of type ${PREDICATE_TYPE} with a matching subject`,
      identity: `${ALICE} (issuer ${ISSUER})`,
    },
  );
  const skipped = await details("both", { log: "insecureSkip", sct: "insecureSkip", claims: "insecureSkip" });
  assert.deepEqual(
    [skipped["log"], skipped["sct"], skipped["claims"]],
    ["transparency log not checked", "certificate transparency not checked", "signed claims not checked"],
  );
  assert.equal((await details("key"))["key"], "matches the given public key");
  const verdict = await accepted("key");
  assert.deepEqual(verdict.origin, { kind: "file", where: "f" });
  const refusal = await judge("key", { evidence: { log: [] } });
  assert.ok(!refusal.ok);
  assert.deepEqual([refusal.failed.outcome, refusal.origin], ["failed", { kind: "file", where: "f" }]);
});

test("verify: a check that the policy skips -> reported as skipped, the others as passed", async () => {
  const outcome = async (name: Name, policy: Partial<Policy>, check: string) =>
    (await accepted(name, { policy })).checks.find((each) => each.name === check)?.outcome;
  assert.equal(await outcome("both", { log: "insecureSkip" }, "log"), "skipped");
  assert.equal(await outcome("both", { sct: "insecureSkip" }, "sct"), "skipped");
  assert.equal(await outcome("both", { claims: "insecureSkip" }, "claims"), "skipped");
  const claims = { annotations: {}, predicateTypes: [PREDICATE_TYPE], subject: "insecureSkip" } as const;
  assert.equal(await outcome("both", { claims }, "claims"), "skipped");
  assert.deepEqual((await accepted("both", { policy: { log: "insecureSkip" } })).entries, []);
  assert.equal((await accepted("both", { policy: { claims: "insecureSkip" } })).content.kind, "artifact");
  await refused("both", "claims", /predicate type mismatch/, {
    policy: { claims: { ...claims, predicateTypes: ["https://other.example"] } },
  });
  await accepted("v2", { policy: { timestamp: "optional" } });
  await accepted("both", { policy: { timestamp: "optional" }, evidence: { timestamps: [] } });
});

test("verify: a policy with a key or a certificate identity -> only that key, or a certificate with that name and issuer, is accepted", async () => {
  const { policy } = await good("promised");
  const { policy: byKey } = await good("key");
  assert.ok(policy.signer.kind === "identity");
  const identity = (change: object) => ({
    policy: {
      signer: { kind: "identity", identity: { ...(policy.signer as { identity: object }).identity, ...change } },
    } as Partial<Policy>,
  });
  await refused("promised", "identity", /got alice@example\.com/, identity({ subject: [exactly("bob@example.com")] }));
  await refused("promised", "identity", /issuer mismatch/, identity({ issuer: [exactly("https://other.example")] }));
  await refused("promised", "identity", /requires no certificate identity/, identity({ subject: [] }));
  await refused("promised", "identity", /requires no certificate identity/, identity({ issuer: [] }));
  await refused(
    "promised",
    "identity",
    /workflow trigger mismatch/,
    identity({ extensions: new Map([["1.3.6.1.4.1.57264.1.2", "push"]]) }),
  );
  await accepted("promised", identity({ extensions: new Map([["1.3.6.1.4.1.57264.1.1", ISSUER]]) }));
  await refused(
    "promised",
    "identity",
    /want bob@example\.com and /,
    identity({ subject: [exactly("bob@example.com"), exactly(ALICE)] }),
  );
  await refused("promised", "key", /signed with a certificate, not with a key/, { policy: { signer: byKey.signer } });
  await refused("key", "key", /signed with a key, not with a certificate/, { policy: { signer: policy.signer } });
});
