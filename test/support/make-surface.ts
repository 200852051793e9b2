import { readFileSync, writeFileSync } from "node:fs";
import process from "node:process";

/**
 * Makes fixtures/surface/cosign-3.1.2.json: the names, types and defaults of cosign's commands and flags, from a
 * description of them that was taken off the program itself.
 *
 *     node test/support/make-surface.ts DESCRIPTION.json
 */
interface Described {
  commands: {
    path: string;
    runnable: boolean;
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
  .filter(({ runnable }) => runnable)
  .map(({ path, flags }) => ({
    command: path.replace(/^cosign ?/, ""),
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
