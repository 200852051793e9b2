import { registryOf } from "../cli/options/registry-name.ts";
import { defineCommand } from "../cli/parser/define.ts";
import { removeLogin } from "../oci/registry/logins.ts";

export default defineCommand({
  usage: "<registry>",
  summary: "Remove the stored credentials of a registry",
  about:
    "Removes what `login` stored, or docker did: from docker's configuration, or from the credential store it names. It is " +
    "no failure when there is nothing to remove.",
  examples: ["tsign logout registry.example"],
  args: { min: 1, max: 1 },
  flags: {},
  bindEnvironment: false,
  async run(io, { args: [server = ""] }) {
    const registry = registryOf(server);
    const removed = await removeLogin(io, registry);
    for (const where of removed) io.stderr.write(`Removed the login of ${registry} from ${where}\n`);
    if (removed.length === 0) io.stderr.write(`Not logged in to ${registry}\n`);
  },
});
