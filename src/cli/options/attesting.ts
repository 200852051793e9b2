import { TsignError } from "../../errors.ts";
import { parseStatement } from "../../evidence/statement.ts";
import type { Io } from "../../io/io.ts";
import { readBlob } from "../../net/input.ts";
import { attachmentLimit } from "../../oci/attachments.ts";
import { type Attested, envelopeSize } from "../../sign/attestation.ts";

interface Flags {
  readonly predicate: string;
  readonly statement: string;
  readonly type: string;
  readonly rekorEntryType: string;
}

/**
 * Reads the predicate or statement to attest.
 *
 * @throws TsignError "usage" when neither or both of --predicate and --statement are given, "input" for a file that is not a statement
 */
export async function readAttested(io: Io, flags: Flags): Promise<Attested> {
  if (!["dsse", "intoto"].includes(flags.rekorEntryType)) {
    throw new TsignError("usage", `unknown rekor-entry-type: ${flags.rekorEntryType}`, { hint: "use dsse or intoto" });
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

/**
 * Refuses an attestation that verifiers would refuse as too large, before it is signed.
 *
 * @throws TsignError "limit"
 */
export function requireSize(io: Pick<Io, "env">, statement: Uint8Array): void {
  const { maxBytes, hint } = attachmentLimit(io.env);
  const size = envelopeSize(statement);
  if (size <= maxBytes) return;
  throw new TsignError("limit", `attestation too large: about ${size} bytes, more than ${maxBytes}`, { hint });
}
