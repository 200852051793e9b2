import type { Run } from "../cli/parser/define.ts";
import { otherVariables, VARIABLES } from "../cli/parser/variables.ts";
import { printable } from "../format/printable.ts";
import type definition from "./env.ts";

export const run: Run<typeof definition> = async (io, { flags }) => {
  const { showDescriptions, showSensitiveValues } = flags;
  const variables: Record<string, string> = {};
  const print = (name: string, lines: readonly string[], secret: boolean) => {
    if (showDescriptions) for (const line of lines) io.stdout.write(`# ${line}\n`);
    const value = io.env[name] ?? "";
    variables[name] = showSensitiveValues || !secret || value === "" ? value : MASK;
    // Secrets that are asked for are the one thing that no way out may hide.
    if (showSensitiveValues) io.stdout.data(`${name}=${printable(value)}\n`);
    else io.stdout.write(`${name}=${secret && value !== "" ? MASK : value}\n`);
  };
  for (const { name, about, expects, secret = false } of VARIABLES) {
    print(name, [`${name}: ${about}`, `Expects: ${expects}`], secret);
  }
  for (const name of otherVariables(io.env)) print(name, [`${name}: variable of a flag, or unknown`], true);
  return { variables };
};

const MASK = "******";
