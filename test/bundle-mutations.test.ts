import assert from "node:assert/strict";
import { test } from "node:test";
import { TsignError } from "../src/errors.ts";
import { readBundle } from "../src/evidence/bundle/read.ts";
import { messageOf } from "../src/format/digest.ts";
import { defaultHashes, publicKeyFromObject } from "../src/keys/index.ts";
import { readTrustedRoot } from "../src/trust/trusted-root.ts";
import type { Policy } from "../src/verify/model.ts";
import { exactly } from "../src/verify/patterns.ts";
import { verify } from "../src/verify/verify.ts";
import { byteMutations, type Json, mutations, textMutations } from "./support/document-mutations.ts";
import { EVERY, some } from "./support/mutation-share.ts";
import { type TestSigstore, testSigstore } from "./support/sandbox.ts";
import { ALICE } from "./support/sandbox-client.ts";
import {
  ARTIFACT,
  type BundleKind,
  PREDICATE_TYPE,
  type SignedBundle,
  signedBundle,
} from "./support/signed-bundles.ts";

// Mutates every field of every kind of bundle in every way: only the original verifies.
const base = { version: "0.3", dsse: false, signer: "certificate", promise: false, timestamp: false } as const;
const KINDS: Readonly<Record<string, BundleKind>> = {
  "v0.1, hashedrekord, promise": { ...base, version: "0.1", entry: "hashedrekord 0.0.1", promise: true },
  "v0.2, intoto, promise and timestamp": {
    ...base,
    version: "0.2",
    entry: "intoto 0.0.2",
    dsse: true,
    promise: true,
    timestamp: true,
  },
  "v0.3, hashedrekord, promise": { ...base, entry: "hashedrekord 0.0.1", promise: true },
  "v0.3, dsse, timestamp": { ...base, entry: "dsse 0.0.1", dsse: true, timestamp: true },
  "v0.3, Rekor v2, timestamp": { ...base, entry: "hashedrekord 0.0.2", timestamp: true },
  "v0.3, Rekor v2, envelope logged by its digest": {
    ...base,
    entry: "hashedrekord 0.0.2",
    dsse: true,
    timestamp: true,
  },
  "v0.3, Rekor v2, envelope": { ...base, entry: "dsse 0.0.2", dsse: true, timestamp: true },
  "v0.3, key, promise": { ...base, entry: "hashedrekord 0.0.1", signer: "key", promise: true },
  "v0.3, key, envelope": { ...base, entry: "dsse 0.0.1", dsse: true, signer: "key" },
  "v0.3, key, Rekor v2": { ...base, entry: "hashedrekord 0.0.2", signer: "key" },
};

type Outcome = "verified" | "refused" | { readonly failed: string };

/** How the mutations of a bundle are verified. The trusted root is parsed once, because that takes longer than verifying. */
interface Verifier {
  readonly sandbox: TestSigstore;
  readonly trusted: ReturnType<typeof readTrustedRoot>;
  readonly kind: BundleKind;
  readonly key: ReturnType<typeof publicKeyFromObject>;
}

/** Signs a bundle of a kind. */
async function signed(kind: BundleKind): Promise<{ json: SignedBundle["json"]; by: Verifier }> {
  const sandbox = await testSigstore();
  const { json, publicKey } = await signedBundle(sandbox, kind);
  const trusted = readTrustedRoot(Buffer.from(sandbox.trustedRoot), "root");
  return { json, by: { sandbox, trusted, kind, key: publicKeyFromObject(publicKey) } };
}

/** Parses and verifies a bundle like a command. Any exception but that for an unreadable bundle is a bug. */
async function judge(json: Json, { sandbox, trusted, kind, key }: Verifier): Promise<Outcome> {
  const identity = { subject: [exactly(ALICE)], issuer: [exactly(sandbox.at.issuer)], extensions: new Map() };
  const policy: Policy = {
    signer: kind.signer === "key" ? { kind: "key", key, hashes: defaultHashes(key) } : { kind: "identity", identity },
    claims: { annotations: {}, predicateTypes: kind.dsse ? [PREDICATE_TYPE] : undefined },
    log: "required",
    timestamp: kind.timestamp ? "required" : "optional",
    sct: { detached: undefined },
  };
  const trust = { ...trusted, now: sandbox.io.now() };
  let evidence: ReturnType<typeof readBundle>;
  try {
    evidence = readBundle(Buffer.from(JSON.stringify(json)), { kind: "file", where: "mutation" });
  } catch (error) {
    assert.ok(error instanceof TsignError && error.code === "bad-bundle", String(error));
    return "refused";
  }
  const verdict = await verify(evidence, { kind: "blob", message: messageOf(ARTIFACT) }, trust, policy);
  return verdict.ok ? "verified" : { failed: verdict.failed.detail };
}

/** Mutations that do not change the meaning, with the reason. */
function isHarmless(
  path: string,
  change: string,
  { version, promise, timestamp, signer }: BundleKind,
  value: Json,
): boolean {
  const field = path.split(".").at(-1) ?? "";
  // ProtoJSON accepts base64 without padding and in the URL-safe alphabet, and counts as numbers.
  if (["other alphabet", "without padding", "other spelling", "as a number"].includes(change)) return true;
  if (value === "0" && ["deleted", "null"].includes(change)) return true; // absent means 0, or an empty list
  if (field === "hashes" && value.length === 0) return ["deleted", "null"].includes(change);
  if (path.endsWith("publicKey.hint") || path.endsWith("publicKey")) return true; // the user chooses the key
  // The chain only helps to find a path, and the trusted root already contains one.
  if (path.includes("x509CertificateChain") && !path.endsWith("certificates.0.rawBytes")) return true;
  // Without a SET the log only proves the place in its tree, and states no time.
  if (!promise && path.endsWith("tlogEntries.0.logIndex")) return true;
  // Rekor v1 proves inclusion by SET or by proof; the bundle version determines which one is required.
  if (version === "0.1" && path.endsWith("inclusionProof")) return ["deleted", "null"].includes(change);
  // The time is that of the timestamp, or none is required, and the proof is present.
  if (version !== "0.1" && (timestamp || signer === "key") && field === "inclusionPromise") {
    return ["deleted", "null"].includes(change);
  }
  return field === "rfc3161Timestamps" && change === "twice"; // a repeated timestamp counts once
}

for (const [turn, [name, kind]] of Object.entries(KINDS).entries()) {
  test(`${name}: any change -> refused`, async () => {
    const { json, by } = await signed(kind);
    assert.equal(await judge(json, by), "verified");
    let tried = 0;
    const wrong: string[] = [];
    for (const { path, change, changed, value } of some(mutations(json), turn)) {
      tried++;
      const outcome = await judge(changed, by);
      if (outcome === "verified" && !isHarmless(path, change, kind, value)) wrong.push(`${path}: ${change}`);
      if (typeof outcome === "object" && outcome.failed.includes("cannot be judged")) wrong.push(outcome.failed);
    }
    assert.deepEqual(wrong, []);
    assert.ok(tried > 400 / EVERY, `${tried} changes`);
  });
}

/** Fields that contain signed bytes or text. */
const PLACES: Readonly<Record<string, { at: readonly (string | number)[]; of: keyof typeof KINDS }>> = {
  timestamp: {
    at: ["verificationMaterial", "timestampVerificationData", "rfc3161Timestamps", 0, "signedTimestamp"],
    of: "v0.3, Rekor v2, timestamp",
  },
  certificate: { at: ["verificationMaterial", "certificate", "rawBytes"], of: "v0.3, Rekor v2, timestamp" },
  signature: { at: ["messageSignature", "signature"], of: "v0.3, hashedrekord, promise" },
  promise: {
    at: ["verificationMaterial", "tlogEntries", 0, "inclusionPromise", "signedEntryTimestamp"],
    of: "v0.3, hashedrekord, promise",
  },
};

for (const [name, { at, of }] of Object.entries(PLACES)) {
  test(`${name}: any byte changed -> refused`, async () => {
    const kind = KINDS[of] ?? assert.fail();
    const { json, by } = await signed(kind);
    for (const { change, changed } of some(byteMutations(json, at))) {
      const outcome = await judge(changed, by);
      assert.notEqual(outcome, "verified", change);
      if (typeof outcome === "object") assert.doesNotMatch(outcome.failed, /cannot be judged/, change);
    }
  });
}

for (const name of ["v0.3, hashedrekord, promise", "v0.3, Rekor v2, timestamp"]) {
  test(`checkpoint of ${name}: any character changed -> refused`, async () => {
    const kind = KINDS[name] ?? assert.fail();
    const { json, by } = await signed(kind);
    const at = ["verificationMaterial", "tlogEntries", 0, "inclusionProof", "checkpoint", "envelope"];
    for (const { change, changed } of some(textMutations(json, at))) {
      assert.notEqual(await judge(changed, by), "verified", change);
    }
    const witness = "\u2014 witness.example AAAAAAAA\n";
    const cosigned = structuredClone(json);
    cosigned.verificationMaterial.tlogEntries[0].inclusionProof.checkpoint.envelope += witness;
    const outcome = await judge(cosigned, by);
    assert.equal(outcome === "verified", name.includes("Rekor v2"), "a witness of v2's is passed over, v1 has none");
  });
}
