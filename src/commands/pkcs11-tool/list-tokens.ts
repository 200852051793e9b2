import { noInputFlag } from "../../cli/options/piv.ts";
import { modulePathFlag } from "../../cli/options/pkcs11.ts";
import { defineCommand } from "../../cli/parser/define.ts";
import { shape } from "../../cli/parser/shape.ts";

export default defineCommand({
  usage: "[flags]",
  summary: "Print the tokens of a PKCS#11 module",
  about: "Prints the slot, label, manufacturer, model and serial number of every token that is present.",
  examples: [
    "# List the SoftHSM tokens",
    "tsign pkcs11-tool list-tokens --module-path /usr/lib/softhsm/libsofthsm2.so",
  ],
  result: shape.object({
    tokens: shape.list(
      shape.object({
        slot: shape.count(),
        label: shape.text(),
        manufacturer: shape.text(),
        model: shape.text(),
        serial: shape.text(),
      }),
    ),
  }),
  args: { min: 0, max: 0 },
  flags: { modulePath: modulePathFlag, noInput: noInputFlag },
  bindEnvironment: false,
});
