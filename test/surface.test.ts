import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { GROUPS } from "../src/cli/help/groups.ts";
import { flagName } from "../src/cli/parser/argv.ts";
import type { Flag } from "../src/cli/parser/define.ts";
import { formatDuration } from "../src/cli/parser/values.ts";
import { ALIASES, TABLE } from "../src/cli/table.ts";
import { loadCommand } from "../src/commands.ts";

interface SurfaceFlag {
  name: string;
  short?: string;
  type: string;
  default: string;
  deprecated?: boolean;
}

const read = <T>(name: string): T =>
  JSON.parse(readFileSync(new URL(`../fixtures/${name}`, import.meta.url), "utf8")) as T;
interface SurfaceCommand {
  command: string;
  /** Whether it is a group, which runs nothing itself. */
  group?: true;
  deprecated?: true;
  aliases?: string[];
  /** Whether COSIGN_<FLAG> variables set its flags. */
  bound?: true;
  flags: SurfaceFlag[];
}

const surface = read<SurfaceCommand[]>("surface/cosign-3.1.2.json");
const differences = read<{ id: string; command: string; flags?: string[] }[]>("differences.json");
/** Flags inherited from the groups piv-tool and pkcs11-tool, which the description lists without flags. */
const INHERITED = ["no-input"];

const own = new Map(TABLE.map((entry) => [entry.words.join(" "), entry]));

test("every command and group of cosign exists, with its aliases", () => {
  const there = (name: string) => own.has(name) || name in GROUPS || name === "help";
  const absent = surface.flatMap(({ command, aliases = [] }) => [
    ...(there(command) ? [] : [command]),
    ...aliases.filter((alias) => !there(ALIASES[alias] ?? "")),
  ]);
  assert.deepEqual(absent, []);
  assert.ok(surface.length > 60, "the description is whole");
});

test("deprecations and COSIGN_<FLAG> variables are cosign's", async () => {
  for (const { command, group, deprecated = false, bound = false } of surface) {
    const entry = own.get(command);
    const definition = entry && (await loadCommand(entry));
    const mark = group ? GROUPS[command]?.deprecated : definition?.deprecated;
    assert.equal(mark !== undefined, deprecated, command);
    if (definition && !group) assert.equal(definition.bindEnvironment !== false, bound, command);
  }
});

test("commands that cosign lacks are listed in the deliberate differences", () => {
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
    const definition = await loadCommand(entry);
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
