import { TsignError } from "../errors.ts";
import { envelopeLine } from "../evidence/envelope.ts";
import { describePayload, readSimpleSigning } from "../evidence/legacy/read.ts";
import type { DsseContent, Evidence } from "../evidence/model.ts";
import { readStatement, type StatementSubject } from "../evidence/statement.ts";
import { sameBytes } from "../format/bytes.ts";
import { type HashName, type Message, parseDigest } from "../format/digest.ts";
import { CheckFailed, type ClaimsPolicy, type Subject, type VerifiedContent } from "./model.ts";

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
  if (!sameBytes(message.digest(algorithm), digest)) {
    throw new CheckFailed("claims", "the artifact's digest is not the one the bundle was made for", {
      expected: `${algorithm}:${Buffer.from(digest).toString("hex")}`,
      actual: `${algorithm}:${Buffer.from(message.digest(algorithm)).toString("hex")}`,
    });
  }
}

/** What a step found: a text for the report, and what of the signed document it is about. */
export interface VerifiedClaims {
  readonly report: string;
  readonly content: VerifiedContent;
}

/**
 * Checks what the signed document says: that it is about the subject, of an accepted kind, and carries the required
 * annotations. The one place where the forms differ in meaning.
 *
 * @throws CheckFailed
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
          throw new CheckFailed("claims", "the signature is over the artifact alone and carries no annotations");
        }
        return { report: "the signature is over the artifact itself", content: { kind: "artifact" } };
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
 * Refuses a signature over a file's bytes where an image is verified. Whoever signs a file that happens to be a manifest says
 * nothing about an image, and everyone can attach that signature to one; what signs an image names it in a signed document.
 *
 * @throws CheckFailed
 */
export function refuseFileSignature(content: Evidence["content"], subject: Subject): void {
  if (content.kind !== "blob" || subject.kind !== "image") return;
  throw new CheckFailed("claims", "the bundle holds the signature of a file (messageSignature), not of an image");
}

function verifySimpleSigning(payload: Uint8Array, subject: Subject, policy: ClaimsPolicy): VerifiedClaims {
  const content = { kind: "simple-signing", payload, claims: describePayload(payload) } as const; // numbers as they were signed
  if (policy.subject === "insecureSkip") return { report: "a payload of any kind", content }; // `sign --payload` takes any
  const claims = readSimpleSigning(payload);
  if (claims.type !== SIMPLE_SIGNING_TYPE) {
    throw new CheckFailed("claims", `the payload's type is "${claims.type}", expected "${SIMPLE_SIGNING_TYPE}"`, {
      expected: SIMPLE_SIGNING_TYPE,
      actual: claims.type,
    });
  }
  if (subject.kind !== "image" || claims.manifestDigest !== subject.digest) {
    throw new CheckFailed("claims", `the payload is about ${claims.manifestDigest}, not this image`, {
      ...(subject.kind === "image" ? { expected: subject.digest } : {}),
      actual: claims.manifestDigest,
    });
  }
  const missing = missingAnnotation(policy.annotations, claims.optional ?? {});
  if (missing) throw missing;
  return { report: `about ${claims.manifestDigest}`, content };
}

function verifyStatement(
  signed: DsseContent,
  by: { subject: Subject; policy: ClaimsPolicy; stored: Uint8Array | undefined },
): VerifiedClaims {
  const { policy } = by;
  const { predicateType, subjects } = readStatement(signed);
  if (policy.predicateTypes && !policy.predicateTypes.includes(predicateType)) {
    throw new CheckFailed("claims", `the statement's predicate is ${predicateType}, which does not count here`, {
      expected: policy.predicateTypes.join(" or "),
      actual: predicateType,
    });
  }
  const matching = subjects.filter((candidate) => isSubject(candidate.digest, by.subject));
  const content = (subject: StatementSubject | undefined): VerifiedContent => ({
    kind: "statement",
    envelope: () => envelopeLine(signed, by.stored),
    payload: signed.payload,
    predicateType,
    subject,
    first: subjects[0],
  });
  if (policy.subject === "insecureSkip") {
    return { report: `a statement of type ${predicateType}, about whatever it says`, content: content(matching[0]) };
  }
  if (matching.length === 0)
    throw new CheckFailed("claims", "none of the statement's subjects is what is being verified");
  const missing = matching.map(({ annotations }) => missingAnnotation(policy.annotations, annotations));
  const about = matching[missing.indexOf(undefined)];
  if (!about) throw missing[0];
  return { report: `a statement of type ${predicateType} about it`, content: content(about) };
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

/** What fails of the required annotations; undefined when all of them are signed. */
function missingAnnotation(
  required: ClaimsPolicy["annotations"],
  signed: Readonly<Record<string, unknown>>,
): CheckFailed | undefined {
  const pairs = Object.entries(required).flatMap(([key, values]) => values.map((value) => [key, value] as const));
  const missing = pairs.find(([key, value]) => !Object.hasOwn(signed, key) || signed[key] !== value);
  if (!missing) return undefined;
  const [key, value] = missing;
  const found = Object.hasOwn(signed, key) ? `is ${JSON.stringify(signed[key])}` : "is not signed";
  return new CheckFailed("claims", `missing or incorrect annotation: ${key} ${found}, expected "${value}"`);
}
