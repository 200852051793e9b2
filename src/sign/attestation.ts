import type { Evidence } from "../evidence/model.ts";
import { attestationStatement, predicateTypeOf } from "./predicates.ts";

/** A predicate or a whole statement, read once for all that is attested; `path` is for messages. */
export type Attested =
  | { readonly kind: "predicate"; readonly path: string; readonly bytes: Uint8Array }
  | { readonly kind: "statement"; readonly path: string; readonly bytes: Uint8Array; readonly predicateType: string };

/**
 * The statement about a subject, and its predicate type: a whole statement as it is, or one made of a predicate.
 *
 * @param options.type an alias of --type or a URI
 * @param options.subject digests in hex by their algorithm's name
 * @param options.now written into predicates that state when they were made
 * @returns JSON of an in-toto statement
 * @throws TsignError "input" for a predicate that is not of its type
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

/** About how many bytes the envelope of a statement has: its payload is base64. */
export function envelopeSize(statement: Uint8Array): number {
  return Math.ceil(statement.length / 3) * 4 + 512;
}

/** An attestation as its legacy bundle holds it: the envelope stands where a file's bundle has the signature. */
export function envelopeAsSignature(
  { key, log }: Evidence,
  envelope: string,
): Pick<Evidence, "content" | "key" | "log"> {
  return { content: { kind: "blob", signature: Buffer.from(envelope) }, key, log };
}
