import { PIV_SLOT_NAMES, pivCommand } from "../../cli/options/piv.ts";
import { flag } from "../../cli/parser/define.ts";

export default pivCommand({
  name: "attestation",
  summary: "Print the attestation of a key on a PIV token",
  flags: {
    output: flag.string("output format", { short: "o", default: "text", choices: ["text", "json"], closed: true }),
    slot: flag.string("PIV slot of the key", { choices: PIV_SLOT_NAMES, closed: true }),
  },
});
