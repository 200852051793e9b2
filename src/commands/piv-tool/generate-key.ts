import { PIV_SLOT_NAMES, pivCommand } from "../../cli/options/piv.ts";
import { flag } from "../../cli/parser/define.ts";

export default pivCommand({
  name: "generate-key",
  summary: "Generate a key on a PIV token",
  flags: {
    managementKey: flag.string("management key of the PIV token", { secret: true }),
    pinPolicy: flag.string("PIN policy of the new key", { choices: ["never", "once", "always"], closed: true }),
    randomManagementKey: flag.bool("use a random management key"),
    slot: flag.string("PIV slot for the new key", { choices: PIV_SLOT_NAMES, closed: true }),
    touchPolicy: flag.string("touch policy of the new key", { choices: ["never", "always", "cached"], closed: true }),
  },
});
