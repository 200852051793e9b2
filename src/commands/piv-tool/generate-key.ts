import { PIV_SLOT_NAMES, pivCommand } from "../../cli/options/piv.ts";
import { flag } from "../../cli/parser/define.ts";

export default pivCommand({
  name: "generate-key",
  summary: "Make a key on a PIV token",
  flags: {
    managementKey: flag.string("management key of the token", { secret: true }),
    pinPolicy: flag.string("when the PIN is asked for", { choices: ["never", "once", "always"] }),
    randomManagementKey: flag.bool("set a random management key"),
    slot: flag.string("slot of the token", { choices: PIV_SLOT_NAMES }),
    touchPolicy: flag.string("when the token has to be touched", { choices: ["never", "always", "cached"] }),
  },
});
