import { defineCommand, flag } from "../../cli/parser/define.ts";
import { FAULTS } from "../../sandbox/server/faults.ts";
import { SERVICES } from "../../sandbox/server/names.ts";

const LIST = Object.entries(FAULTS).map(([name, about]) => `  ${name.padEnd(17)} ${about}`);

export default defineCommand({
  usage: "[flags] [service:fault[=value][*times]…]",
  summary: "Make the sandbox fail on purpose",
  about: `Switches on what goes wrong from now on. The services are ${SERVICES.join(", ")}; the faults:\n\n${LIST.join("\n")}`,
  examples: [
    "tsign sandbox fault rekor1:no-etag",
    "tsign sandbox fault 'tsa:slow=500*1'",
    "tsign sandbox fault --clear",
  ],
  args: { min: 0, max: Number.POSITIVE_INFINITY },
  flags: { clear: flag.bool("switch all faults off first") },
  bindEnvironment: false,
});
