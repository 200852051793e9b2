import { readFileSync, writeFileSync } from "node:fs";
import process from "node:process";

/**
 * Generates fixtures/surface/cosign-3.1.2.json: cosign's commands and groups with the names, types and defaults of their flags,
 * from a description that was extracted from the program.
 *
 *     node test/support/make-surface.ts DESCRIPTION.json
 */
interface Described {
  commands: {
    path: string;
    runnable: boolean;
    deprecated: boolean;
    aliases: string[];
    envBinding: boolean;
    flags: {
      name: string;
      shorthand: string | null;
      type: string;
      default: string;
      deprecated: boolean;
      persistent?: boolean;
    }[];
  }[];
}

const [source = ""] = process.argv.slice(2);
const { commands } = JSON.parse(readFileSync(source, "utf8")) as Described;
const surface = commands
  .filter(({ path }) => path !== "cosign")
  .map(({ path, runnable, deprecated, aliases, envBinding, flags }) => ({
    command: path.replace(/^cosign ?/, ""),
    ...(runnable ? {} : { group: true }),
    ...(deprecated ? { deprecated } : {}),
    ...(aliases.length > 0 ? { aliases } : {}),
    ...(envBinding ? { bound: true } : {}),
    flags: flags
      .filter(({ name, persistent }) => name !== "help" && !persistent)
      .map(({ name, shorthand, type, default: value, deprecated }) => ({
        name,
        ...(shorthand ? { short: shorthand } : {}),
        type,
        default: value,
        ...(deprecated ? { deprecated } : {}),
      })),
  }));
const target = new URL("../../fixtures/surface/cosign-3.1.2.json", import.meta.url);
writeFileSync(target, `${JSON.stringify(surface, null, 1)}\n`);
