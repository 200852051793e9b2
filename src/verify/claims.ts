import { TsignError } from "../errors.ts";
import { envelopeLine } from "../evidence/envelope.ts";
import { describePayload, readSimpleSigning } from "../evidence/legacy/read.ts";
import type { DsseContent, Evidence } from "../evidence/model.ts";
import { readStatement, type StatementSubject } from "../evidence/statement.ts";
import { sameBytes } from "../format/bytes.ts";
import { type HashName, type Message, parseDigest } from "../format/digest.ts";
import { CheckFailed, type ClaimsPolicy, type Subject, type VerifiedContent } from "./model.ts";

/** `critical.type` of cosign's simple-signing payloads (cosign's SIGNATURE_SPEC, "Critical header"). */
const SIMPLE_SIGNING_TYPE = "cosign container image signature";

/**
 * Checks that the artifact has the digest that its bundle states.
 *
 * @throws CheckFailed "claims"
 */
export function verifyStatedDigest(content: Evidence["content"], message: Message): void {
  if (content.kind !== "blob" || !content.stated) return;
  const { algorithm, digest } = content.stated;
  if (!message.hashes.includes(algorithm)) {
    const known = message.hashes.join(", ");
    throw new CheckFailed(
      "claims",
      `bundle states a ${algorithm} digest, but only ${known} is known for this artifact`,
    );
  }
  if (!sameBytes(message.digest(algorithm), digest)) {
    const expected = `${algorithm}:${Buffer.from(digest).toString("hex")}`;
    const actual = `${algorithm}:${Buffer.from(message.digest(algorithm)).toString("hex")}`;
    throw new CheckFailed("claims", `artifact digest mismatch: got ${actual}, want ${expected}`, { expected, actual });
  }
}

/** The result of the step: a text for the report, and the signed content. */
export interface VerifiedClaims {
  readonly report: string;
  readonly content: VerifiedContent;
}

/**
 * Checks the signed document: that it is about the subject, has an accepted type and carries the required annotations. This
 * is the only step that depends on the form of the signature.
 *
 * @throws CheckFailed "claims"
 */
export function verifyClaims(
  { content, timestamped }: Pick<Evidence, "content" | "timestamped">,
  subject: Subject,
  policy: ClaimsPolicy,
): VerifiedClaims {
  try {
    switch (content.kind) {
      case "blob":
        if (policy.subject !== "insecureSkip" && Object.keys(policy.annotations).length > 0) {
          throw new CheckFailed("claims", "signature covers the artifact only and carries no annotations");
        }
        return { report: "signature covers the artifact itself", content: { kind: "artifact" } };
      case "simple-signing":
        return verifySimpleSigning(content.payload, subject, policy);
      case "dsse":
        return verifyStatement(content, { subject, policy, stored: timestamped });
    }
  } catch (error) {
    if (error instanceof TsignError && error.code === "bad-bundle") throw new CheckFailed("claims", error.message);
    throw error;
  }
}

/**
 * Refuses a signature over a file's bytes where an image is verified. Signing a file that happens to be a manifest does not
 * sign an image, but anyone could attach that signature to one. An image's signature covers a document that names the image.
 *
 * @throws CheckFailed "claims"
 */
export function refuseFileSignature(content: Evidence["content"], subject: Subject): void {
  if (content.kind !== "blob" || subject.kind !== "image") return;
  throw new CheckFailed("claims", "bundle contains the signature of a file (messageSignature), not of an image", {
    hint: "verify it together with its file: tsign verify-blob",
  });
}

function verifySimpleSigning(payload: Uint8Array, subject: Subject, policy: ClaimsPolicy): VerifiedClaims {
  const content = { kind: "simple-signing", payload, claims: describePayload(payload) } as const; // keeps numbers as they were signed
  if (policy.subject === "insecureSkip") return { report: "payload not checked", content }; // `sign --payload` accepts any
  const claims = readSimpleSigning(payload);
  if (claims.type !== SIMPLE_SIGNING_TYPE) {
    throw new CheckFailed("claims", `payload type mismatch: got "${claims.type}", want "${SIMPLE_SIGNING_TYPE}"`, {
      expected: SIMPLE_SIGNING_TYPE,
      actual: claims.type,
    });
  }
  const { manifestDigest: actual } = claims;
  if (subject.kind !== "image") {
    throw new CheckFailed("claims", `payload is for image ${actual}, not for a file`, { actual });
  }
  if (actual !== subject.digest) {
    const expected = subject.digest;
    throw new CheckFailed("claims", `image digest mismatch: got ${actual}, want ${expected}`, { expected, actual });
  }
  const missing = missingAnnotation(policy.annotations, claims.optional ?? {});
  if (missing) throw missing;
  return { report: `payload is for ${actual}`, content };
}

function verifyStatement(
  signed: DsseContent,
  options: { subject: Subject; policy: ClaimsPolicy; stored: Uint8Array | undefined },
): VerifiedClaims {
  const { policy, stored } = options;
  const { predicateType, subjects } = readStatement(signed);
  if (policy.predicateTypes && !policy.predicateTypes.includes(predicateType)) {
    const expected = policy.predicateTypes.join(" or ");
    throw new CheckFailed("claims", `predicate type mismatch: got ${predicateType}, want ${expected}`, {
      expected,
      actual: predicateType,
    });
  }
  const matching = subjects.filter((candidate) => isSubject(candidate.digest, options.subject));
  const content = (subject: StatementSubject | undefined): VerifiedContent => ({
    kind: "statement",
    envelope: () => envelopeLine(signed, stored),
    payload: signed.payload,
    predicateType,
    subject,
    first: subjects[0],
  });
  if (policy.subject === "insecureSkip") {
    return { report: `statement of type ${predicateType}, subject not checked`, content: content(matching[0]) };
  }
  if (matching.length === 0) {
    const name = options.subject.kind === "image" ? "image" : "artifact";
    throw new CheckFailed("claims", `no subject of the statement has the ${name}'s digest`);
  }
  const missing = matching.map(({ annotations }) => missingAnnotation(policy.annotations, annotations));
  const about = matching[missing.indexOf(undefined)];
  if (!about) throw missing[0];
  return { report: `statement of type ${predicateType} with a matching subject`, content: content(about) };
}

/** Whether the stated digests match the subject: at least one can be compared, and every one that can be is equal. */
function isSubject(stated: Readonly<Record<string, string>>, subject: Subject): boolean {
  const comparable = (["sha256", "sha384", "sha512"] as const).filter(
    (name) => Object.hasOwn(stated, name) && hexDigest(subject, name) !== undefined,
  );
  return comparable.length > 0 && comparable.every((name) => stated[name] === hexDigest(subject, name));
}

/** The subject's digest in hex; undefined if it is not known for this algorithm. */
function hexDigest(subject: Subject, name: HashName): string | undefined {
  if (subject.kind === "image") {
    const { algorithm, hex } = parseDigest(subject.digest);
    return algorithm === name ? hex : undefined;
  }
  return subject.message.hashes.includes(name) ? Buffer.from(subject.message.digest(name)).toString("hex") : undefined;
}

/** The error for the first required annotation that is not signed; undefined if all are. */
function missingAnnotation(
  required: ClaimsPolicy["annotations"],
  signed: Readonly<Record<string, unknown>>,
): CheckFailed | undefined {
  const pairs = Object.entries(required).flatMap(([key, values]) => values.map((value) => [key, value] as const));
  const missing = pairs.find(([key, value]) => !Object.hasOwn(signed, key) || signed[key] !== value);
  if (!missing) return undefined;
  const [key, value] = missing;
  const found = Object.hasOwn(signed, key) ? `got ${JSON.stringify(signed[key])}` : "not signed";
  return new CheckFailed("claims", `missing or incorrect annotation ${key}: ${found}, want "${value}"`);
}
