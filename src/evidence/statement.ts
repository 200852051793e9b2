import { TsignError } from "../errors.ts";
import { isObject } from "../format/json.ts";
import { shortened } from "../format/json-large.ts";
import { parseForPrinting, parseSignedJson } from "../format/signed-json.ts";
import { IN_TOTO_PAYLOAD_TYPE } from "./media-types.ts";
import type { DsseContent, Evidence } from "./model.ts";

const STATEMENT_TYPES = new Set(["https://in-toto.io/Statement/v0.1", "https://in-toto.io/Statement/v1"]);
/** What is read of a statement. A digest's algorithms are a map's keys; those that count are read by their name. */
const MEMBERS = {
  _type: {},
  predicateType: {},
  subject: { name: {}, digest: { sha256: {}, sha384: {}, sha512: {} }, annotations: {} },
  predicate: {},
};
const PREDICATE = new Set(["predicate"]);
/** A subject list longer than this is refused before anything is computed (users.md: CVE-2024-45395). */
const MAX_SUBJECTS = 1024;

/** One subject of an in-toto statement (in-toto attestation framework, statement.md). */
export interface StatementSubject {
  readonly name: string;
  /** Hex digests by algorithm name. */
  readonly digest: Readonly<Record<string, string>>;
  /** For comparing texts and for printing: a number is written as it stands in the statement (parseForPrinting). */
  readonly annotations: Readonly<Record<string, unknown>>;
}

/** An in-toto statement. Not trusted before its envelope's signature is. */
export interface Statement {
  readonly predicateType: string;
  readonly subjects: readonly StatementSubject[];
}

/** Statements by their payload: several ask for one, and an SBOM takes its time. */
const known = new WeakMap<Uint8Array, Statement>();

/**
 * Reads the in-toto statement a DSSE envelope carries.
 *
 * @throws TsignError "bad-bundle"
 */
export function readStatement(content: DsseContent): Statement {
  if (content.payloadType !== IN_TOTO_PAYLOAD_TYPE) {
    throw new TsignError("bad-bundle", `the envelope's payload type is "${content.payloadType}", not in-toto`);
  }
  const statement = known.get(content.payload) ?? parseStatement(content.payload);
  known.set(content.payload, statement);
  return statement;
}

/**
 * Refuses an attestation that is stored as one of another type than what was signed: who looks at the listing would take it
 * for that. What cannot be read is left to whoever verifies it.
 *
 * @param annotated the predicate type that the storage states, if any
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
  throw new TsignError("bad-bundle", `it is annotated as ${annotated}, and the statement is of type ${signed}`);
}

/**
 * Reads an in-toto statement.
 *
 * @throws TsignError "bad-bundle"
 */
export function parseStatement(bytes: Uint8Array): Statement {
  const what = "the statement";
  const short = shortened(bytes, PREDICATE, what); // of which nothing is read
  const value = parseSignedJson(short?.bytes ?? bytes, MEMBERS, what);
  if (!isObject(value) || typeof value["_type"] !== "string" || !STATEMENT_TYPES.has(value["_type"])) {
    throw new TsignError("bad-bundle", "the envelope's payload is not an in-toto statement");
  }
  const { predicateType, subject } = value;
  if (typeof predicateType !== "string" || predicateType === "" || !Array.isArray(subject)) {
    throw new TsignError("bad-bundle", "the statement has no predicateType or no subject");
  }
  if (subject.length > MAX_SUBJECTS) {
    throw new TsignError("bad-bundle", `the statement has more than ${MAX_SUBJECTS} subjects`);
  }
  // parsed once more only where a number has to be kept: a statement may be an SBOM of 100 MB
  const annotated = subject.some((each) => isObject(each) && isObject(each["annotations"]));
  const exact = annotated
    ? (parseForPrinting(Buffer.from(short?.bytes ?? bytes).toString("utf8")) as typeof value)
    : value;
  return { predicateType, subjects: (exact["subject"] as unknown[]).map(readSubject) };
}

function readSubject(value: unknown): StatementSubject {
  const digest = isObject(value) ? value["digest"] : undefined;
  if (!isObject(value) || !isObject(digest)) throw new TsignError("bad-bundle", "a subject has no digest");
  const entries = Object.entries(digest);
  if (!entries.every((entry): entry is [string, string] => typeof entry[1] === "string")) {
    throw new TsignError("bad-bundle", "a subject's digest is not text");
  }
  const { name, annotations } = value;
  return {
    name: typeof name === "string" ? name : "",
    digest: Object.fromEntries(entries),
    annotations: isObject(annotations) ? annotations : {},
  };
}
