import { inspectKey, type KeyFacts, printFact, requireReference } from "../../cli/inspect/key.ts";
import { keyReference } from "../../cli/options/key.ts";
import type { Run } from "../../cli/parser/define.ts";
import type { Io } from "../../io/io.ts";
import type definition from "./inspect.ts";

export const run: Run<typeof definition> = async (io, { args: [key = ""], flags }) => {
  const reference = keyReference({ key, sk: flags.sk, slot: flags.slot });
  requireReference(reference);
  const facts = await inspectKey(io, reference, { noPassword: flags.noPassword });
  printFacts(io, facts);
  return facts;
};

function printFacts(io: Pick<Io, "stdout" | "stderr">, facts: KeyFacts): void {
  const { encrypted, encryption, keyId, note, ...others } = facts;
  const isEncrypted = encrypted === undefined ? {} : { encrypted: encrypted ? `yes, ${encryption}` : "no" };
  const { key, kind, provider, ...rest } = others;
  const shown = { key, kind, provider, ...isEncrypted, ...(keyId === undefined ? {} : { "key id": keyId }), ...rest };
  for (const [name, value] of Object.entries(shown)) printFact(io, name, value);
  if (note !== undefined) io.stderr.write(`hint: ${note}\n`);
}
