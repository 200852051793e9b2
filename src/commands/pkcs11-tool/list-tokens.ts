import { noInputFlag } from "../../cli/options/piv.ts";
import { modulePathFlag, modulePathOf } from "../../cli/options/pkcs11.ts";
import { defineCommand } from "../../cli/parser/define.ts";

export default defineCommand({
  usage: "[flags]",
  summary: "Print the tokens a PKCS#11 module knows",
  about: "Prints slot, label, maker, model and serial number of every token that is plugged in.",
  examples: ["tsign pkcs11-tool list-tokens --module-path /usr/lib/softhsm/libsofthsm2.so"],
  args: { min: 0, max: 0 },
  flags: { modulePath: modulePathFlag, noInput: noInputFlag },
  bindEnvironment: false,
  async run(io, { flags }) {
    const { listTokens } = await import("../../keys/providers/pkcs11-list.ts");
    const path = modulePathOf(io, flags.modulePath);
    const tokens = await listTokens(io, path);
    io.stderr.write("\n");
    io.stderr.write(`Listing tokens of PKCS11 module '${path}'\n`);
    for (const { slot, label, manufacturer, model, serial } of tokens) {
      const lines = [`Label: ${label}`, `Manufacturer: ${manufacturer}`, `Model: ${model}`, `S/N: ${serial}`];
      io.stdout.write(`Token in slot ${slot}\n`);
      for (const line of lines) io.stdout.write(`\t${line}\n`);
      io.stdout.write("\n");
    }
  },
});
