import { readPolicyFile } from "../../cli/options/trust-policy.ts";
import type { Run } from "../../cli/parser/define.ts";
import { TsignError } from "../../errors.ts";
import { printable } from "../../format/printable.ts";
import { writePolicy } from "../../trust-policy/format.ts";
import type { NoteKind } from "../../trust-policy/import/draft.ts";
import { importPolicy } from "../../trust-policy/import/index.ts";
import { readTrustPolicy } from "../../trust-policy/read.ts";
import type definition from "./import.ts";

/** Notes about what decides otherwise than in the imported policy. */
const DIFFERENT: ReadonlySet<NoteKind> = new Set(["refused", "stricter"]);

export const run: Run<typeof definition> = async (io, { args: [file = ""], flags, answer }) => {
  const { content, path } = await readPolicyFile(io, file, "policy to import");
  const imported = importPolicy(Buffer.from(content).toString("utf8"), printable(path), {
    anyRepository: flags.anySignedRepository,
  });
  const { form, policy, notes } = imported;
  const named = notes
    .filter(({ kind }) => kind !== "unused")
    .map(({ kind, place, text }) => `${kind}: ${place}: ${text}`);
  const text = await writePolicy(policy, [
    `Who may sign what, imported from ${form}: review it.`,
    ...named.map((line) => printable(line)),
  ]);
  await readTrustPolicy(text, "the imported policy");
  const result = { form, policy: text, notes: [...notes] };
  answer(result);
  for (const { kind, place, text: note } of notes)
    io.stderr.write(`${kind}: ${printable(place)}: ${printable(note)}\n`);
  const different = notes.filter(({ kind }) => DIFFERENT.has(kind));
  if (flags.strict && different.length > 0) {
    throw new TsignError("policy", `import ${file}: parts that have no equal: ${different.length}`, {
      hint: "leave --strict out to write a policy that demands more there",
    });
  }
  io.stdout.data(text);
  return result;
};
