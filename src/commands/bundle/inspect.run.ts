import { inspectBundle } from "../../cli/inspect/bundle.ts";
import type { Run } from "../../cli/parser/define.ts";
import { withSubject } from "../../errors.ts";
import { parseForPrinting } from "../../format/signed-json.ts";
import { readBlob } from "../../net/input.ts";
import type definition from "./inspect.ts";

const ESCAPED =
  "do not require a name that is shown with escapes such as \\u001b: it contains control characters, and may look like another";

export const run: Run<typeof definition> = async (io, { args: [file = ""] }) => {
  const bytes = await readBlob(io, file);
  const { lines, isEscaped } = await withSubject(file, () => inspectBundle(bytes));
  io.stderr.write("WARNING: This command only shows what the bundle holds.\n");
  io.stderr.write("It verifies neither signatures nor certificates nor the transparency log.\n");
  io.stderr.write("\n");
  for (const line of lines) io.stdout.write(`${line}\n`);
  if (isEscaped) io.stderr.write(`hint: ${ESCAPED}\n`);
  return { outline: lines, bundle: parseForPrinting(Buffer.from(bytes).toString("utf8")) };
};
