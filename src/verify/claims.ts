import { TsignError } from "../errors.ts";
import type { Evidence } from "../evidence/model.ts";
import { readSimpleSigning } from "../evidence/read-legacy.ts";
import { readStatement } from "../evidence/statement.ts";
import { type HashName, type Message, parseDigest } from "../format/digest.ts";
import { CheckFailed, type ClaimsPolicy, type Subject } from "./model.ts";

/** `critical.type` of a simple-signing payload made by cosign (cosign's SIGNATURE_SPEC, "Critical header"). */
const SIMPLE_SIGNING_TYPE = "cosign container image signature";

/**
 * A bundle states its artifact's digest besides signing it: the artifact at hand must be that one.
 *
 * @throws CheckFailed
 */
export function verifyStatedDigest(content: Evidence["content"], message: Message): void {
  if (content.kind !== "blob" || !content.stated) return;
  const { algorithm, digest } = content.stated;
  if (!message.hashes.includes(algorithm)) {
    throw new CheckFailed("claims", `the bundle states the artifact's ${algorithm}, of which nothing is known here`);
  }
  if (Buffer.compare(message.digest(algorithm), digest) !== 0) {
    throw new CheckFailed("claims", "the artifact's digest is not the one the bundle was made for");
  }
}

/**
 * Checks what the signed document says: that it is about the subject, of an accepted kind, and carries the required
 * annotations. The one place where the forms differ in meaning.
 *
 * @returns what was found, for the report
 * @throws CheckFailed
 */
export function verifyClaims(content: Evidence["content"], subject: Subject, policy: ClaimsPolicy): string {
  try {
    switch (content.kind) {
      case "blob":
        if (policy.subject !== "insecureSkip" && Object.keys(policy.annotations).length > 0) {
          throw new CheckFailed("claims", "the signature is over the artifact alone and carries no annotations");
        }
        return "the signature is over the artifact itself";
      case "simple-signing":
        return verifySimpleSigning(content.payload, subject, policy);
      case "dsse":
        return verifyStatement(content, subject, policy);
    }
  } catch (error) {
    if (error instanceof TsignError && error.code === "bad-bundle") throw new CheckFailed("claims", error.message);
    throw error;
  }
}

function verifySimpleSigning(payload: Uint8Array, subject: Subject, policy: ClaimsPolicy): string {
  if (policy.subject === "insecureSkip") return "a payload of any kind"; // `sign --payload` takes any
  const claims = readSimpleSigning(payload);
  if (claims.type !== SIMPLE_SIGNING_TYPE) {
    throw new CheckFailed("claims", `the payload's type is "${claims.type}", expected "${SIMPLE_SIGNING_TYPE}"`);
  }
  if (subject.kind !== "image" || claims.manifestDigest !== subject.digest) {
    throw new CheckFailed("claims", `the payload is about ${claims.manifestDigest}, not this image`);
  }
  requireAnnotations(policy.annotations, claims.optional ?? {});
  return `about ${claims.manifestDigest}`;
}

function verifyStatement(
  content: Extract<Evidence["content"], { kind: "dsse" }>,
  subject: Subject,
  policy: ClaimsPolicy,
): string {
  const statement = readStatement(content);
  if (policy.predicateTypes && !policy.predicateTypes.includes(statement.predicateType)) {
    throw new CheckFailed(
      "claims",
      `the statement's predicate is ${statement.predicateType}, which does not count here`,
    );
  }
  if (policy.subject === "insecureSkip")
    return `a statement of type ${statement.predicateType}, about whatever it says`;
  const about = statement.subjects.find((candidate) => isSubject(candidate.digest, subject));
  if (!about) throw new CheckFailed("claims", "none of the statement's subjects is what is being verified");
  requireAnnotations(policy.annotations, about.annotations);
  return `a statement of type ${statement.predicateType} about it`;
}

/** At least one stated digest is of an algorithm the subject is known by, and every such digest agrees. */
function isSubject(stated: Readonly<Record<string, string>>, subject: Subject): boolean {
  const comparable = (["sha256", "sha384", "sha512"] as const).filter(
    (name) => Object.hasOwn(stated, name) && hexDigest(subject, name) !== undefined,
  );
  return comparable.length > 0 && comparable.every((name) => stated[name] === hexDigest(subject, name));
}

/** The subject's digest in hex; undefined when it is known by another algorithm only. */
function hexDigest(subject: Subject, name: HashName): string | undefined {
  if (subject.kind === "image") {
    const { algorithm, hex } = parseDigest(subject.digest);
    return algorithm === name ? hex : undefined;
  }
  return subject.message.hashes.includes(name) ? Buffer.from(subject.message.digest(name)).toString("hex") : undefined;
}

function requireAnnotations(
  required: Readonly<Record<string, string>>,
  signed: Readonly<Record<string, unknown>>,
): void {
  for (const [key, value] of Object.entries(required)) {
    if (!Object.hasOwn(signed, key) || signed[key] !== value) {
      const found = Object.hasOwn(signed, key) ? `is ${JSON.stringify(signed[key])}` : "is not signed";
      throw new CheckFailed("claims", `missing or incorrect annotation: ${key} ${found}, expected "${value}"`);
    }
  }
}
