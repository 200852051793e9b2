import type { Evidence } from "../evidence/model.ts";
import { attestationStatement, predicateTypeOf } from "./predicates.ts";

/** A predicate or a whole statement, read once for all subjects; `path` is for messages. */
export type Attested =
  | { readonly kind: "predicate"; readonly path: string; readonly bytes: Uint8Array }
  | { readonly kind: "statement"; readonly path: string; readonly bytes: Uint8Array; readonly predicateType: string };

/**
 * Returns the statement about a subject and its predicate type: a given statement unchanged, or one made from a predicate.
 *
 * @param options.type an alias of --type or a URI
 * @param options.subject digests in hex by their algorithm's name
 * @param options.now the time for predicates that contain one
 * @returns JSON of an in-toto statement
 * @throws TsignError "input" for a predicate that does not fit its type
 */
export function statementAbout(
  attested: Attested,
  options: { type: string; subject: { name: string; digest: Readonly<Record<string, string>> }; now: Date },
): { statement: Uint8Array; predicateType: string } {
  if (attested.kind === "statement") return { statement: attested.bytes, predicateType: attested.predicateType };
  const { type, subject, now } = options;
  const { bytes: predicate, path } = attested;
  const statement = attestationStatement({ type, predicate, path, subject, now });
  return { statement, predicateType: predicateTypeOf(type) };
}

/** Estimates the bytes of a statement's envelope, whose payload is base64. */
export function envelopeSize(statement: Uint8Array): number {
  return Math.ceil(statement.length / 3) * 4 + 512;
}

/** Converts an attestation to the form of the legacy bundle, where the envelope takes the place of the signature. */
export function envelopeAsSignature(
  { key, log }: Evidence,
  envelope: string,
): Pick<Evidence, "content" | "key" | "log"> {
  return { content: { kind: "blob", signature: Buffer.from(envelope) }, key, log };
}
