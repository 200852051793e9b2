import type { Run } from "../../cli/parser/define.ts";
import { AMBIENT_PROVIDERS } from "../../services/oidc/ambient.ts";
import type definition from "./providers.ts";

export const run: Run<typeof definition> = async (io) => {
  const providers: { name: string; enabled: boolean }[] = [];
  for (const { name, enabled } of AMBIENT_PROVIDERS) providers.push({ name, enabled: await enabled(io) });
  for (const { name, enabled } of providers) io.stdout.write(`${name}: ${enabled}\n`);
  return { providers };
};
