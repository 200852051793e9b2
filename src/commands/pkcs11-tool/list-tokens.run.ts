import { modulePathOf } from "../../cli/options/pkcs11.ts";
import type { Run } from "../../cli/parser/define.ts";
import type definition from "./list-tokens.ts";

export const run: Run<typeof definition> = async (io, { flags }) => {
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
  return {
    tokens: tokens.map(({ slot, label, manufacturer, model, serial }) => ({
      slot,
      label,
      manufacturer,
      model,
      serial,
    })),
  };
};
