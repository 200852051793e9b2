import { registryOf } from "../cli/options/registry-name.ts";
import type { Run } from "../cli/parser/define.ts";
import { removeLogin } from "../oci/registry/logins.ts";
import type definition from "./logout.ts";

export const run: Run<typeof definition> = async (io, { args: [server = ""] }) => {
  const registry = registryOf(server);
  const removed = await removeLogin(io, registry);
  for (const where of removed) io.stderr.write(`Removed the login of ${registry} from ${where}\n`);
  if (removed.length === 0) io.stderr.write(`Not logged in to ${registry}\n`);
  return { registry, removedFrom: removed };
};
