import { TsignError } from "../errors.ts";
import type { Evidence } from "../evidence/model.ts";
import { parseStatement } from "../evidence/statement.ts";
import type { Io } from "../io/io.ts";
import { readBlob } from "../net/input.ts";
import { attachmentLimit } from "../oci/attachments.ts";
import { attestationStatement, predicateTypeOf } from "../sign/predicates.ts";
import { recordedTime } from "./options/recorded-time.ts";

interface Flags {
  readonly predicate: string;
  readonly statement: string;
  readonly type: string;
  readonly rekorEntryType: string;
}

/** A predicate or a whole statement, read once for all that is attested. */
export type Attested =
  | { readonly kind: "predicate"; readonly path: string; readonly bytes: Uint8Array }
  | { readonly kind: "statement"; readonly path: string; readonly bytes: Uint8Array; readonly predicateType: string };

/**
 * Reads what is to be attested.
 *
 * @throws TsignError "usage" when neither or both of --predicate and --statement are given, "input" for no statement
 */
export async function readAttested(io: Io, flags: Flags): Promise<Attested> {
  if (!["dsse", "intoto"].includes(flags.rekorEntryType)) {
    throw new TsignError("usage", `unknown rekor-entry-type: ${flags.rekorEntryType}`, { hint: "dsse or intoto" });
  }
  if ((flags.predicate === "") === (flags.statement === "")) {
    throw new TsignError("usage", "one of --predicate or --statement must be set");
  }
  const path = flags.predicate || flags.statement;
  const name = path === "-" ? "standard input" : path;
  io.stderr.write(`Using payload from: ${name}\n`);
  const bytes = await readBlob(io, path, attachmentLimit(io.env));
  if (flags.predicate !== "") return { kind: "predicate", path: name, bytes };
  try {
    return { kind: "statement", path: name, bytes, predicateType: parseStatement(bytes).predicateType };
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : "";
    throw new TsignError("input", `${name} is not an in-toto statement: ${reason}`, { cause });
  }
}

/** The statement about a subject, and what it is of. */
export function statementAbout(
  io: Pick<Io, "env" | "now">,
  attested: Attested,
  by: { type: string; subject: { name: string; digest: Readonly<Record<string, string>> } },
): { statement: Uint8Array; predicateType: string } {
  if (attested.kind === "statement") return { statement: attested.bytes, predicateType: attested.predicateType };
  const { type, subject } = by;
  const { bytes: predicate, path } = attested;
  const statement = attestationStatement({ type, predicate, path, subject, now: recordedTime(io) });
  return { statement, predicateType: predicateTypeOf(type) };
}

/** About how many bytes the envelope of a statement has: its payload is base64. */
export function envelopeSize(statement: Uint8Array): number {
  return Math.ceil(statement.length / 3) * 4 + 512;
}

/**
 * Says before anything is signed that an attestation will be too large for whoever reads it.
 *
 * @throws TsignError "limit"
 */
export function requireSize(io: Pick<Io, "env">, statement: Uint8Array): void {
  const { maxBytes, hint } = attachmentLimit(io.env);
  const size = envelopeSize(statement);
  if (size <= maxBytes) return;
  throw new TsignError("limit", `the attestation has about ${size} bytes, more than ${maxBytes}`, { hint });
}

/** An attestation as its legacy bundle holds it: the envelope stands where a file's bundle has the signature. */
export function envelopeAsSignature(
  { key, log }: Evidence,
  envelope: string,
): Pick<Evidence, "content" | "key" | "log"> {
  return { content: { kind: "blob", signature: Buffer.from(envelope) }, key, log };
}
