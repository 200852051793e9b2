import { defineCommand, flag } from "../../cli/parser/define.ts";
import { FAULTS } from "../../sandbox/server/faults.ts";
import { SERVICES } from "../../sandbox/server/names.ts";

const LIST = Object.entries(FAULTS).map(([name, about]) => `  ${name.padEnd(17)} ${about}`);

export default defineCommand({
  usage: "[flags] [service:fault[=value][*times]…]",
  summary: "Inject faults into the sandbox",
  about: `Injects faults into the running sandbox. The services are ${SERVICES.join(", ")}. The faults are:\n\n${LIST.join("\n")}`,
  examples: [
    "# Omit the ETag header from Rekor v1's responses",
    "tsign sandbox fault rekor1:no-etag",
    "# Delay one response of the timestamp authority by 500 milliseconds",
    "tsign sandbox fault 'tsa:slow=500*1'",
    "# Remove all faults",
    "tsign sandbox fault --clear",
  ],
  args: { min: 0, max: Number.POSITIVE_INFINITY },
  flags: { clear: flag.bool("remove all faults before adding new ones") },
  bindEnvironment: false,
});
