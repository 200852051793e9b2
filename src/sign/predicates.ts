import { TsignError } from "../errors.ts";
import { isObject, parseJson } from "../format/json.ts";
import { didYouMean } from "../format/nearest.ts";
import { shapeMismatch } from "./predicate-shapes.ts";

const STATEMENT_TYPE = "https://in-toto.io/Statement/v0.1";

/** The aliases for `--type`, with their predicate types. */
const ALIASES: Readonly<Record<string, string>> = {
  custom: "https://cosign.sigstore.dev/attestation/v1",
  slsaprovenance: "https://slsa.dev/provenance/v0.2",
  slsaprovenance02: "https://slsa.dev/provenance/v0.2",
  slsaprovenance1: "https://slsa.dev/provenance/v1",
  link: "https://in-toto.io/Link/v1",
  spdx: "https://spdx.dev/Document",
  spdxjson: "https://spdx.dev/Document",
  cyclonedx: "https://cyclonedx.org/bom",
  vuln: "https://cosign.sigstore.dev/attestation/vuln/v1",
  openvex: "https://openvex.dev/ns",
};

/** Required fields of predicates, by alias. */
const REQUIRED: Readonly<Record<string, readonly string[]>> = {
  link: ["_type", "name", "materials", "products", "byproducts", "command", "environment"],
};

export const PREDICATE_ALIASES: readonly string[] = Object.keys(ALIASES);

/** Returns the predicate type of a `--type` value: the URI of an alias, else the value. */
export function predicateTypeOf(type: string): string {
  return Object.hasOwn(ALIASES, type) ? (ALIASES[type] ?? type) : type;
}

/**
 * Refuses a `--type` that is neither an alias nor a URI.
 *
 * @throws TsignError "usage"
 */
export function requirePredicateType(type: string): void {
  if (Object.hasOwn(ALIASES, type) || /^([a-z][a-z0-9+.-]*:|\/)\S+$/i.test(type)) return;
  throw new TsignError("usage", `invalid predicate type: ${type}`, {
    hint: didYouMean(type, PREDICATE_ALIASES) ?? `use a URI, or one of ${PREDICATE_ALIASES.join(", ")}`,
  });
}

/**
 * Returns the in-toto statement about a subject with a predicate (in-toto attestation framework; v0.1 as in cosign). The JSON of
 * the predicate is inserted unchanged, so that numbers keep their digits and all fields are kept.
 *
 * @param options.predicate the document: a JSON object; text for `spdx` and `custom`
 * @param options.subject with its digests in hex, by algorithm
 * @param options.now the time in a `custom` predicate
 * @throws TsignError "input" for a document that does not fit its type
 */
export function attestationStatement(options: {
  type: string;
  predicate: Uint8Array;
  path: string;
  subject: { name: string; digest: Readonly<Record<string, string>> };
  now: Date;
}): Uint8Array {
  const { type, subject } = options;
  const about = JSON.stringify([{ name: subject.name, digest: subject.digest }]);
  const head = `{"_type":"${STATEMENT_TYPE}","subject":${about},"predicateType":${JSON.stringify(predicateTypeOf(type))}`;
  return Buffer.from(`${head},"predicate":${predicateJson(options)}}`);
}

function predicateJson(options: { type: string; predicate: Uint8Array; path: string; now: Date }): string {
  const { type, predicate, path, now } = options;
  if (type === "custom") {
    const timestamp = now.toISOString().replace(/\.\d+Z$/, "Z");
    return JSON.stringify({ Data: readText(predicate, path), Timestamp: timestamp });
  }
  if (type === "spdx") return JSON.stringify(readText(predicate, path));
  const json = parsePredicate(predicate, options);
  const missing = (REQUIRED[type] ?? []).find((field) => !Object.hasOwn(json, field));
  if (missing) throw new TsignError("input", `invalid ${type} predicate "${path}": missing field ${missing}`);
  const mismatch = shapeMismatch(type, json);
  if (mismatch) throw new TsignError("input", `invalid ${type} predicate "${path}": ${mismatch}`);
  return readText(predicate, path).trim();
}

function parsePredicate(
  predicate: Uint8Array,
  { type, path }: { type: string; path: string },
): Record<string, unknown> {
  let json: unknown;
  try {
    json = parseJson(predicate, path);
  } catch (cause) {
    if (!(cause instanceof TsignError)) throw cause;
    const { message, hint } = cause;
    const reason = `invalid JSON payload for predicate type ${type}: ${message}`;
    throw new TsignError("input", reason, { cause, ...(hint === undefined ? {} : { hint }) });
  }
  if (!isObject(json)) throw new TsignError("input", `invalid ${type} predicate "${path}": not a JSON object`);
  return json;
}

function readText(bytes: Uint8Array, path: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new TsignError("input", `invalid predicate "${path}": not UTF-8 text`, { cause });
  }
}
