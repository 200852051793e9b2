import { COMPLETION_SCRIPTS } from "../cli/completion/scripts.ts";
import type { Run } from "../cli/parser/define.ts";
import { TsignError } from "../errors.ts";
import { didYouMean } from "../format/nearest.ts";
import type definition from "./completion.ts";

export const run: Run<typeof definition> = async (io, { args: [shell = ""] }) => {
  const script = Object.hasOwn(COMPLETION_SCRIPTS, shell) ? COMPLETION_SCRIPTS[shell] : undefined;
  if (script === undefined) {
    const shells = Object.keys(COMPLETION_SCRIPTS);
    throw new TsignError("usage", `invalid argument "${shell}" for "tsign completion"`, {
      hint: didYouMean(shell, shells) ?? `use one of ${shells.join(", ")}`,
    });
  }
  io.stdout.data(script);
};
