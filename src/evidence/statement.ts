import { TsignError } from "../errors.ts";
import { isObject } from "../format/json.ts";
import { shortened } from "../format/json-large.ts";
import { parseForPrinting, parseSignedJson } from "../format/signed-json.ts";
import { IN_TOTO_PAYLOAD_TYPE } from "./media-types.ts";
import type { DsseContent, Evidence } from "./model.ts";

const STATEMENT_TYPES = new Set(["https://in-toto.io/Statement/v0.1", "https://in-toto.io/Statement/v1"]);
/** Members of a statement that are read, with the digest algorithms that are compared. */
const MEMBERS = {
  _type: {},
  predicateType: {},
  subject: { name: {}, digest: { sha256: {}, sha384: {}, sha512: {} }, annotations: {} },
  predicate: {},
};
const PREDICATE = new Set(["predicate"]);
/** Most subjects; longer lists are refused before anything is computed (CVE-2024-45395). */
const MAX_SUBJECTS = 1024;

/** One subject of an in-toto statement (in-toto attestation framework, statement.md). */
export interface StatementSubject {
  readonly name: string;
  /** Hex digests by algorithm name. */
  readonly digest: Readonly<Record<string, string>>;
  /** Numbers are kept as they are written in the statement (parseForPrinting). */
  readonly annotations: Readonly<Record<string, unknown>>;
}

/** An in-toto statement; not trusted before the envelope's signature is verified. */
export interface Statement {
  readonly predicateType: string;
  readonly subjects: readonly StatementSubject[];
}

/** Cached statements: several steps need one, and an SBOM takes long to parse. */
const known = new WeakMap<Uint8Array, Statement>();

/**
 * Parses the in-toto statement in a DSSE envelope.
 *
 * @throws TsignError "bad-bundle"
 */
export function readStatement(content: DsseContent): Statement {
  if (content.payloadType !== IN_TOTO_PAYLOAD_TYPE) {
    throw new TsignError(
      "bad-bundle",
      `envelope payload type mismatch: got "${content.payloadType}", want "${IN_TOTO_PAYLOAD_TYPE}"`,
    );
  }
  const statement = known.get(content.payload) ?? parseStatement(content.payload);
  known.set(content.payload, statement);
  return statement;
}

/**
 * Refuses an attestation whose annotation has another predicate type than its statement: it would be listed under a wrong type. A
 * malformed statement is left to `verify`.
 *
 * @param annotated the predicate type in the annotation, if any
 * @throws TsignError "bad-bundle"
 */
export function refuseOtherType(content: Evidence["content"], annotated: string | undefined): void {
  if (annotated === undefined || content.kind !== "dsse") return;
  let signed: string;
  try {
    signed = readStatement(content).predicateType;
  } catch (error) {
    if (error instanceof TsignError) return;
    throw error;
  }
  if (signed === annotated) return;
  throw typeMismatch(signed, annotated);
}

/** The error for an annotation that is not the statement's predicate type. */
export function typeMismatch(signed: string, annotated: string): TsignError {
  return new TsignError("bad-bundle", `annotated predicate type mismatch: got ${annotated}, want ${signed}`, {
    expected: signed,
    actual: annotated,
  });
}

/**
 * Parses an in-toto statement.
 *
 * @throws TsignError "bad-bundle"
 */
export function parseStatement(bytes: Uint8Array): Statement {
  const name = "statement";
  const short = shortened(bytes, PREDICATE, name); // the predicate is not read
  const value = parseSignedJson(short?.bytes ?? bytes, MEMBERS, name);
  if (!isObject(value) || typeof value["_type"] !== "string" || !STATEMENT_TYPES.has(value["_type"])) {
    throw new TsignError("bad-bundle", "envelope payload is not an in-toto statement");
  }
  const { predicateType, subject } = value;
  if (typeof predicateType !== "string" || predicateType === "" || !Array.isArray(subject)) {
    throw new TsignError("bad-bundle", "statement has no predicateType or no subject");
  }
  if (subject.length > MAX_SUBJECTS) {
    throw new TsignError("bad-bundle", `statement has more than ${MAX_SUBJECTS} subjects`);
  }
  // Parsed again only for annotations, to keep numbers as written: a statement may be an SBOM of 100 MB.
  const annotated = subject.some((each) => isObject(each) && isObject(each["annotations"]));
  const exact = annotated
    ? (parseForPrinting(Buffer.from(short?.bytes ?? bytes).toString("utf8")) as typeof value)
    : value;
  return { predicateType, subjects: (exact["subject"] as unknown[]).map(readSubject) };
}

function readSubject(value: unknown): StatementSubject {
  const digest = isObject(value) ? value["digest"] : undefined;
  if (!isObject(value) || !isObject(digest))
    throw new TsignError("bad-bundle", "statement has a subject without a digest");
  const entries = Object.entries(digest);
  if (!entries.every((entry): entry is [string, string] => typeof entry[1] === "string")) {
    throw new TsignError("bad-bundle", "statement has a subject whose digest is not a string");
  }
  const { name, annotations } = value;
  return {
    name: typeof name === "string" ? name : "",
    digest: Object.fromEntries(entries),
    annotations: isObject(annotations) ? annotations : {},
  };
}
