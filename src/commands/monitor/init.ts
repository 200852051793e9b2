import { API_SHAPE, monitorFlags } from "../../cli/flags/monitor.ts";
import { defineCommand, flag } from "../../cli/parser/define.ts";
import { shape } from "../../cli/parser/shape.ts";

export default defineCommand({
  usage: "[flags]",
  summary: "Create the state of a monitor",
  about:
    "Creates the state file of `tsign monitor`: the signed head of each log, and the entry at which the search begins. It refuses to replace an existing file, which contains what was seen before.",
  examples: [
    "# Begin with the entries from now on",
    "tsign monitor init --state monitor.json --certificate-identity alice@example.com --certificate-oidc-issuer https://accounts.google.com",
    "# Begin with the first entry of each log",
    "tsign monitor init --state monitor.json --config monitor-config.json --from 0",
  ],
  result: shape.object({
    state: shape.text("path of the file"),
    logs: shape.list(
      shape.object({
        log: shape.text("URL of the log"),
        api: API_SHAPE,
        size: shape.count("entries that are proven"),
        next: shape.count("the first entry that will be searched"),
      }),
    ),
  }),
  args: { min: 0, max: 0 },
  flags: { ...monitorFlags, from: flag.string("index of the first entry to search, or now", { default: "now" }) },
  bindEnvironment: false,
});
