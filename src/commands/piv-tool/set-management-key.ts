import { pivCommand } from "../../cli/options/piv.ts";
import { flag } from "../../cli/parser/define.ts";

export default pivCommand({
  name: "set-management-key",
  summary: "Change the management key of a PIV token",
  flags: {
    newKey: flag.string("new management key in hex", { secret: true }),
    oldKey: flag.string("current management key in hex", { secret: true }),
    randomManagementKey: flag.bool("use a random management key"),
  },
  bindEnvironment: true,
});
