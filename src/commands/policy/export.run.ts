import { readPolicyFile } from "../../cli/options/trust-policy.ts";
import type { Run } from "../../cli/parser/define.ts";
import { TsignError } from "../../errors.ts";
import { printable } from "../../format/printable.ts";
import { exportPolicy, FORMATS, yamlOf } from "../../trust-policy/export/index.ts";
import type definition from "./export.ts";

export const run: Run<typeof definition> = async (io, { args: [file = ""], flags, answer }) => {
  const format = FORMATS.find((each) => each === flags.format);
  if (format === undefined) {
    const hint = "pass --format cip, ivp or policy.json";
    throw flags.format === ""
      ? new TsignError("usage", "missing --format", { hint })
      : new TsignError("usage", `invalid --format: "${flags.format}"`, { hint });
  }
  const { documents, notes } = await exportPolicy(io, await readPolicyFile(io, file), format);
  const text = format === "policy.json" ? `${JSON.stringify(documents[0], undefined, 2)}\n` : yamlOf(documents);
  const result = { policy: text, notes: [...notes] };
  answer(result);
  for (const { kind, place, text: note } of notes)
    io.stderr.write(`${kind}: ${printable(place)}: ${printable(note)}\n`);
  const different = notes.filter(({ kind }) => kind !== "needs");
  if (flags.strict && different.length > 0) {
    throw new TsignError("policy", `export ${file}: parts that have no equal: ${different.length}`, {
      hint: "leave --strict out to write a policy that refuses more there",
    });
  }
  io.stdout.data(text);
  return result;
};
