import assert from "node:assert/strict";
import { createPrivateKey, generateKeyPairSync, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { TsignError } from "../src/errors.ts";
import { readBundle } from "../src/evidence/bundle/read.ts";
import { writeBundle } from "../src/evidence/bundle/write.ts";
import { readSignatureLayer } from "../src/evidence/legacy/read.ts";
import { signatureLayer } from "../src/evidence/legacy/write.ts";
import type { Evidence } from "../src/evidence/model.ts";
import { readLegacyBlobBundle } from "../src/evidence/read-files.ts";
import { digestOf } from "../src/format/digest.ts";
import { defaultHashes, publicKeyFromObject, signerFromKey } from "../src/keys/index.ts";
import { readManifest } from "../src/oci/manifest.ts";
import { signStatement, simpleSigningPayload } from "../src/sign/payload.ts";
import { signInTotoStatement, signPayload } from "../src/sign/sign.ts";
import { ALWAYS, NO_TRUST } from "../src/trust/material.ts";
import type { Policy } from "../src/verify/model.ts";
import { verify } from "../src/verify/verify.ts";

const ORIGIN = { kind: "file", where: "mutation" } as const;
const DIGEST = digestOf(Buffer.from("image"));
const key = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
const by = { signer: signerFromKey(key) };
const publicKey = publicKeyFromObject(key);
const POLICY: Policy = {
  signer: { kind: "key", key: publicKey, hashes: defaultHashes(publicKey) },
  claims: { annotations: {}, predicateTypes: ["https://sigstore.dev/cosign/sign/v1"] },
  log: "insecureSkip",
  timestamp: "optional",
  sct: "insecureSkip",
};
const TRUST = { ...NO_TRUST, now: new Date() };

/** Reproducible random numbers (a linear congruential generator with the constants of Numerical Recipes). */
function numbers(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const SPLICES = ["", "null", "[]", "{}", '"', "\\u0000", "-1", "1e999", "=", "\u0000", '"__proto__":1,', ",,", "🔑"];

/** One mutation: a byte flipped, a piece removed, or a strange value inserted. */
function mutate(bytes: Uint8Array, pick: (below: number) => number): Buffer {
  const at = pick(bytes.length);
  const head = bytes.subarray(0, at);
  switch (pick(3)) {
    case 0:
      return Buffer.concat([head, Buffer.from([(bytes[at] ?? 0) ^ (1 << pick(8))]), bytes.subarray(at + 1)]);
    case 1:
      return Buffer.concat([head, bytes.subarray(at + 1 + pick(40))]);
    default:
      return Buffer.concat([head, Buffer.from(SPLICES[pick(SPLICES.length)] ?? ""), bytes.subarray(at + pick(3))]);
  }
}

/** Checks that mutated bytes are parsed, or refused with the one expected error class. */
async function judge(read: () => Evidence): Promise<{ ok: boolean; evidence: Evidence } | undefined> {
  let evidence: Evidence;
  try {
    evidence = read();
  } catch (error) {
    assert.ok(error instanceof TsignError && error.code === "bad-bundle", String(error));
    return undefined;
  }
  const { ok } = await verify(evidence, { kind: "image", digest: DIGEST }, TRUST, POLICY);
  return { ok, evidence };
}

test("mutated bundle -> refused, or content unchanged", async () => {
  const signed = await signInTotoStatement(by, signStatement({ digest: DIGEST, annotations: { a: "b" } }));
  const { content } = signed;
  assert.ok(content.kind === "dsse");
  const bundle = Buffer.from(writeBundle(signed));
  assert.equal((await judge(() => readBundle(bundle, ORIGIN)))?.ok, true);
  const pick = numbers(1);
  let refused = 0;
  for (let round = 0; round < 1500; round++) {
    const verdict = await judge(() => readBundle(mutate(bundle, pick), ORIGIN));
    if (!verdict?.ok) refused++;
    else {
      assert.ok(verdict.evidence.content.kind === "dsse");
      assert.deepEqual(Buffer.from(verdict.evidence.content.payload), Buffer.from(content.payload));
    }
  }
  assert.ok(refused > 1000, `${refused} of 1500`);
});

test("mutated legacy signature -> refused, or content unchanged", async () => {
  const payload = simpleSigningPayload({ digest: DIGEST, annotations: {}, dockerReference: "r.example/app" });
  const layer = signatureLayer(await signPayload(by, payload));
  const annotations = layer.annotations ?? {};
  const pick = numbers(2);
  for (let round = 0; round < 500; round++) {
    const changed = mutate(payload, pick);
    const verdict = await judge(() => readSignatureLayer({ payload: changed, annotations, origin: ORIGIN }));
    assert.equal(verdict?.ok ?? false, changed.equals(payload));
    const name = Object.keys(annotations)[pick(Object.keys(annotations).length)] ?? "";
    const poor = { ...annotations, [name]: mutate(Buffer.from(annotations[name] ?? ""), pick).toString("latin1") };
    await judge(() => readSignatureLayer({ payload, annotations: poor, origin: ORIGIN }));
  }
});

test("mutated certificate, legacy bundle or manifest -> no crash", async () => {
  const read = (name: string) => readFileSync(new URL(`../fixtures/certs/${name}`, import.meta.url));
  const leaf = new X509Certificate(read("leaf.pem")).raw;
  const signer = signerFromKey(createPrivateKey(read("leaf.key")));
  const signed = await signInTotoStatement(
    { signer, certificate: { leaf, chain: [] } },
    signStatement({ digest: DIGEST, annotations: {} }),
  );
  const identity = {
    subject: [{ text: "", matches: () => true }],
    issuer: [{ text: "", matches: () => true }],
    extensions: new Map(),
  };
  const policy: Policy = { ...POLICY, signer: { kind: "identity", identity } };
  const authority = {
    roots: [read("root.pem"), read("intermediate.pem")].map((pem) => new X509Certificate(pem).raw),
    intermediates: [],
    validFor: ALWAYS,
  };
  const trust = { ...NO_TRUST, authorities: [authority], now: new X509Certificate(leaf).validFromDate };
  const subject = { kind: "image", digest: DIGEST } as const;
  assert.ok((await verify(signed, subject, trust, policy)).ok);
  const pick = numbers(3);
  for (let round = 0; round < 500; round++) {
    const changed = mutate(leaf, pick);
    const verdict = await verify(
      { ...signed, key: { kind: "certificate", leaf: changed, chain: [], binding: true } },
      subject,
      trust,
      policy,
    );
    assert.ok(!verdict.ok || changed.equals(leaf), "an altered certificate is nobody's");
    const legacy = mutate(
      Buffer.from(JSON.stringify({ base64Signature: "AAAA", cert: read("leaf.pem").toString("base64") })),
      pick,
    );
    await judge(() => readLegacyBlobBundle(legacy, "mutation").evidence);
    const manifest = mutate(
      Buffer.from(JSON.stringify({ schemaVersion: 2, layers: [{ mediaType: "x", digest: DIGEST, size: 1 }] })),
      pick,
    );
    try {
      readManifest(manifest, { servedType: "", where: "mutation" });
    } catch (error) {
      assert.ok(error instanceof TsignError && error.code === "registry", String(error));
    }
  }
});
