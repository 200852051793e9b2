import type { Run } from "../../cli/parser/define.ts";
import { AMBIENT_PROVIDERS } from "../../services/oidc/ambient.ts";
import type definition from "./providers.ts";

export const run: Run<typeof definition> = async (io) => {
  for (const provider of AMBIENT_PROVIDERS) io.stdout.write(`${provider.name}: ${await provider.enabled(io)}\n`);
};
