import { figSpec } from "../cli/help/fig.ts";
import type { Run } from "../cli/parser/define.ts";
import { GLOBAL_FLAGS } from "../cli/parser/global-flags.ts";
import type definition from "./generate-fig-spec.ts";

export const run: Run<typeof definition> = async (io, { flags, load }) => {
  io.stdout.data(await figSpec(GLOBAL_FLAGS, { hidden: flags.includeHidden, load }));
};
