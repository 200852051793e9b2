import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { flagName } from "../src/cli/argv.ts";
import type { Flag } from "../src/cli/define.ts";
import { GROUPS, TABLE } from "../src/cli/table.ts";
import { formatDuration } from "../src/cli/values.ts";

interface SurfaceFlag {
  name: string;
  short?: string;
  type: string;
  default: string;
  deprecated?: boolean;
}

const read = <T>(name: string): T =>
  JSON.parse(readFileSync(new URL(`../fixtures/${name}`, import.meta.url), "utf8")) as T;
const surface = read<{ command: string; flags: SurfaceFlag[] }[]>("surface/cosign-3.1.2.json");
const missing = read<string[]>("surface/missing.json");
const differences = read<{ id: string; command: string; flags?: string[] }[]>("differences.json");
/** Built into the program rather than the table; so is the help of a group, which `debug` is. */
const BUILT_IN = ["help"];

/** Inherited from their groups, piv-tool and pkcs11-tool, which the description lists without flags. */
const INHERITED = ["no-input"];

const own = new Map(TABLE.map((entry) => [entry.words.join(" "), entry]));

test("every command of cosign is there, or on the list of those to come, which only shrinks", () => {
  const absent = surface
    .map(({ command }) => command)
    .filter((name) => !own.has(name) && !BUILT_IN.includes(name) && !(name in GROUPS));
  console.log(
    `${surface.length - absent.length} of cosign's ${surface.length} commands; missing: ${absent.join(", ")}`,
  );
  assert.deepEqual(absent.sort(), [...missing].sort());
});

test("a command that cosign does not have is among the deliberate differences", () => {
  const extra = [...own.keys()].filter((name) => !surface.some(({ command }) => command === name));
  const explained = (name: string) =>
    differences.some(({ command }) => command !== "" && `${name} `.startsWith(`${command} `));
  assert.deepEqual(
    extra.filter((name) => !explained(name)),
    [],
  );
});

const PFLAG_TYPE: Record<Flag["kind"], string> = {
  bool: "bool",
  string: "string",
  strings: "stringSlice",
  texts: "stringArray",
  int: "int",
  duration: "duration",
  choice: "string",
};

function describe(key: string, flag: Flag): SurfaceFlag {
  const value = Array.isArray(flag.default)
    ? `[${flag.default.join(",")}]`
    : flag.kind === "duration"
      ? formatDuration(Number(flag.default))
      : String(flag.default);
  return {
    name: flagName(key),
    ...(flag.short ? { short: flag.short } : {}),
    type: flag.typeName ?? PFLAG_TYPE[flag.kind],
    default: value,
    ...(flag.deprecated ? { deprecated: true } : {}),
  };
}

for (const { command, flags } of surface) {
  const entry = own.get(command);
  if (!entry) continue;
  test(`the flags of ${command} are cosign's: names, types, defaults and deprecations`, async () => {
    const { default: definition } = await entry.load();
    const actual = Object.entries(definition.flags).map(([key, flag]) => describe(key, flag as Flag));
    const byName = (a: SurfaceFlag, b: SurfaceFlag) => (a.name < b.name ? -1 : 1);
    // A flag named in `flags` of a deliberate difference must differ; every other must not.
    const excepted = new Set(
      differences.filter((each) => each.command === command).flatMap((each) => each.flags ?? []),
    );
    for (const name of excepted) {
      const mine = actual.find((each) => each.name === name);
      assert.notDeepEqual(
        mine,
        flags.find((each) => each.name === name),
        `--${name} no longer differs`,
      );
    }
    const compared = (list: readonly SurfaceFlag[]) =>
      list.filter(({ name }) => !excepted.has(name) && !INHERITED.includes(name)).sort(byName);
    assert.deepEqual(compared(actual), compared(flags));
  });
}
