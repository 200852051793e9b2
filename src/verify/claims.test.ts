import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { evidenceOf } from "../../test/support/evidence.ts";
import { TsignError } from "../errors.ts";
import { type Digest, digestOf, messageOf, messageOfDigests } from "../format/digest.ts";
import { refuseFileSignature, verifyClaims, verifyStatedDigest } from "./claims.ts";
import { CheckFailed, type ClaimsPolicy, type Subject } from "./model.ts";

const ARTIFACT = Buffer.from("artifact");
const DIGEST = digestOf(Buffer.from("an image"));
const IMAGE: Subject = { kind: "image", digest: DIGEST };
const BLOB: Subject = { kind: "blob", message: messageOf(ARTIFACT) };
const TYPE = "https://example.com/t";
const ANY: ClaimsPolicy = { annotations: {}, predicateTypes: undefined };
const hex = (algorithm: string, bytes: Uint8Array = ARTIFACT) => createHash(algorithm).update(bytes).digest("hex");

const signature = Buffer.from("s");
const simple = (digest: string, change: { type?: string; optional?: unknown } = {}) => {
  const { type = "cosign container image signature", optional = null } = change;
  const critical = { identity: { "docker-reference": "r" }, image: { "docker-manifest-digest": digest }, type };
  return evidenceOf({
    kind: "simple-signing",
    payload: Buffer.from(JSON.stringify({ critical, optional })),
    signature,
  });
};
const statement = (...subject: object[]) => {
  const value = { _type: "https://in-toto.io/Statement/v1", subject, predicateType: TYPE, predicate: {} };
  return evidenceOf({
    kind: "dsse",
    payloadType: "application/vnd.in-toto+json",
    payload: Buffer.from(JSON.stringify(value)),
    signature,
  });
};

function refused(run: () => unknown, reason: RegExp): void {
  assert.throws(
    run,
    (error) => error instanceof CheckFailed && error.check === "claims" && reason.test(error.message),
    String(reason),
  );
}

test("verifyStatedDigest: a stated digest that is not the artifact's, or whose hash is not known -> refused", () => {
  const stated = (algorithm: "sha256" | "sha384", digest: Uint8Array) =>
    ({ kind: "blob", signature, stated: { algorithm, digest } }) as const;
  const message = messageOf(ARTIFACT);
  const sha256 = createHash("sha256").update(ARTIFACT).digest();
  verifyStatedDigest(stated("sha256", sha256), message);
  verifyStatedDigest({ kind: "blob", signature }, message);
  verifyStatedDigest({ kind: "dsse", payloadType: "t", payload: ARTIFACT, signature }, message);
  refused(() => verifyStatedDigest(stated("sha256", Buffer.alloc(32)), message), /artifact digest mismatch/);
  const known = messageOfDigests(new Map([["sha256", sha256]]));
  refused(() => verifyStatedDigest(stated("sha384", Buffer.alloc(48)), known), /states a sha384 digest, but only/);
  const two = messageOfDigests(
    new Map([
      ["sha256", sha256],
      ["sha512", Buffer.alloc(64)],
    ]),
  );
  refused(() => verifyStatedDigest(stated("sha384", Buffer.alloc(48)), two), /\bsha256, sha512\b/);
});

test("refuseFileSignature: a signature over a file's bytes for an image -> refused", () => {
  const blob = { kind: "blob", signature } as const;
  refused(() => refuseFileSignature(blob, IMAGE), /signature of a file/);
  refuseFileSignature(blob, BLOB);
  refuseFileSignature(simple(DIGEST).content, IMAGE);
  refuseFileSignature(statement().content, IMAGE);
});

test("verifyClaims: a defect -> thrown, not a failed check", () => {
  const annotations = new Proxy({}, { ownKeys: () => assert.fail("a defect") });
  assert.throws(() => verifyClaims(simple(DIGEST), IMAGE, { ...ANY, annotations }), /a defect/);
  const stopped = new TsignError("cancelled", "stopped");
  const interrupted = new Proxy(
    {},
    {
      ownKeys: () => {
        throw stopped;
      },
    },
  );
  assert.throws(
    () => verifyClaims(simple(DIGEST), IMAGE, { ...ANY, annotations: interrupted }),
    (error) => error === stopped,
  );
});

test("verifyClaims: annotations are required and the signature covers the artifact only -> refused", () => {
  const blob = evidenceOf({ kind: "blob", signature });
  const { report, content } = verifyClaims(blob, BLOB, ANY);
  assert.deepEqual([report, content], ["signature covers the artifact itself", { kind: "artifact" }]);
  refused(() => verifyClaims(blob, BLOB, { ...ANY, annotations: { a: ["b"] } }), /carries no annotations/);
  assert.ok(verifyClaims(blob, BLOB, { ...ANY, annotations: { a: ["b"] }, subject: "insecureSkip" }));
});

test("verifyClaims: a simple-signing payload of another type, for another image or without the annotations -> refused", () => {
  const optional = { env: "prod", n: 1 };
  const { report, content } = verifyClaims(simple(DIGEST, { optional }), IMAGE, {
    ...ANY,
    annotations: { env: ["prod"] },
  });
  assert.equal(report, `payload is for ${DIGEST}`);
  assert.ok(content.kind === "simple-signing");
  assert.equal(content.claims?.manifestDigest, DIGEST);
  assert.ok(content.payload.length > 0);
  const demand = (wanted: Record<string, string>) => () => {
    const annotations = Object.fromEntries(Object.entries(wanted).map(([key, value]) => [key, [value]]));
    return verifyClaims(simple(DIGEST, { optional }), IMAGE, { ...ANY, annotations });
  };
  assert.throws(() =>
    verifyClaims(simple(DIGEST, { optional }), IMAGE, { ...ANY, annotations: { env: ["prod", "test"] } }),
  );
  refused(demand({ env: "test" }), /annotation env: got "prod", want "test"/);
  refused(demand({ other: "x" }), /annotation other: not signed, want "x"/);
  refused(demand({ n: "1" }), /annotation n: got 1, want "1"/);
  refused(demand({ toString: "x" }), /annotation toString: not signed/);
  refused(() => verifyClaims(simple(DIGEST), IMAGE, { ...ANY, annotations: { a: ["b"] } }), /annotation a: not signed/);
  refused(
    () => verifyClaims(simple(DIGEST, { type: "atomic container signature" }), IMAGE, ANY),
    /payload type mismatch: got "atomic container signature"/,
  );
  refused(() => verifyClaims(simple(digestOf(Buffer.from("other"))), IMAGE, ANY), /image digest mismatch/);
  refused(() => verifyClaims(simple(DIGEST), BLOB, ANY), /payload is for image .*, not for a file/);
  const text = evidenceOf({ kind: "simple-signing", payload: Buffer.from("text"), signature });
  refused(() => verifyClaims(text, IMAGE, ANY), /not valid JSON/);
  const skipped = verifyClaims(text, IMAGE, { ...ANY, subject: "insecureSkip" });
  assert.equal(skipped.report, "payload not checked");
  assert.deepEqual(skipped.content, { kind: "simple-signing", payload: Buffer.from("text"), claims: undefined });
});

test("verifyClaims: a payload about an image where a file is verified -> no digest was expected", () => {
  const compared = (subject: Subject) => {
    try {
      verifyClaims(simple(digestOf(Buffer.from("other"))), subject, ANY);
    } catch (error) {
      if (error instanceof CheckFailed) return error.compared;
    }
    return assert.fail("accepted");
  };
  const actual = digestOf(Buffer.from("other"));
  assert.deepEqual(compared(IMAGE), { expected: DIGEST, actual });
  assert.deepEqual(compared(BLOB), { actual });
});

test("verifyClaims: a statement without a subject whose comparable digests are all the artifact's -> refused", () => {
  const verify = (subject: Subject, ...subjects: object[]) => verifyClaims(statement(...subjects), subject, ANY);
  const digests = { sha256: hex("sha256"), sha384: hex("sha384"), sha512: hex("sha512") };
  const hashed: Subject = { kind: "blob", message: messageOf(ARTIFACT) };
  const { report, content } = verify(
    hashed,
    { name: "other", digest: { sha256: "00" } },
    { name: "it", digest: digests },
  );
  assert.equal(report, `statement of type ${TYPE} with a matching subject`);
  assert.ok(content.kind === "statement");
  assert.deepEqual([content.subject?.name, content.first?.name, content.predicateType], ["it", "other", TYPE]);
  for (const algorithm of ["sha256", "sha384", "sha512"] as const) {
    assert.ok(verify(hashed, { digest: { [algorithm]: digests[algorithm], other: "x" } }), algorithm);
    refused(() => verify(hashed, { digest: { ...digests, [algorithm]: "00" } }), /no subject of the statement/);
  }
  refused(() => verify(hashed, { digest: {} }), /no subject of/);
  refused(() => verify(hashed, { digest: { sha1: "00" } }), /no subject of/);
  refused(() => verify(hashed), /no subject of.* artifact/);
  const image: Subject = { kind: "image", digest: `sha512:${hex("sha512")}` as Digest };
  assert.ok(verify(image, { digest: { sha512: hex("sha512") } }));
  assert.ok(verify(image, { digest: { sha512: hex("sha512"), sha256: "00" } }), "of which nothing is known here");
  refused(() => verify(image, { digest: { sha256: hex("sha512") } }), /no subject of.* image/);
  const known: Subject = {
    kind: "blob",
    message: messageOfDigests(new Map([["sha256", createHash("sha256").update(ARTIFACT).digest()]])),
  };
  assert.ok(verify(known, { digest: { sha256: hex("sha256"), sha384: "00" } }), "of which nothing is known here");
  refused(() => verify(known, { digest: { sha384: hex("sha384") } }), /no subject of/);
});

test("verifyClaims: another predicate type or annotation of a statement -> refused; the policy skips the subject -> accepted", () => {
  const subject = { name: "it", digest: { sha256: hex("sha256") }, annotations: { env: "prod" } };
  const judge = (policy: Partial<ClaimsPolicy>, ...subjects: object[]) =>
    verifyClaims(statement(...subjects), BLOB, { ...ANY, ...policy });
  assert.ok(judge({ predicateTypes: ["x", TYPE], annotations: { env: ["prod"] } }, subject));
  refused(
    () => judge({ predicateTypes: ["x"] }, subject),
    /predicate type mismatch: got https:\/\/example\.com\/t, want x/,
  );
  refused(() => judge({ annotations: { env: ["test"] } }, subject), /annotation env: got "prod"/);
  const other = { name: "other", digest: { sha256: "00" }, annotations: { env: "test" } };
  refused(() => judge({ annotations: { env: ["test"] } }, subject, other), /annotation env: got "prod"/);
  const skipped = judge({ subject: "insecureSkip" }, other);
  assert.equal(skipped.report, `statement of type ${TYPE}, subject not checked`);
  assert.ok(skipped.content.kind === "statement");
  assert.deepEqual([skipped.content.subject, skipped.content.first?.name], [undefined, "other"]);
  const both = judge({ subject: "insecureSkip" }, other, subject).content;
  assert.ok(both.kind === "statement");
  assert.deepEqual([both.subject?.name, both.first?.name], ["it", "other"]);
  refused(() => judge({ subject: "insecureSkip", predicateTypes: ["x"] }, other), /predicate type mismatch/);
  const broken = evidenceOf({ kind: "dsse", payloadType: "text/plain", payload: ARTIFACT, signature });
  refused(() => verifyClaims(broken, BLOB, ANY), /payload type/);
});
