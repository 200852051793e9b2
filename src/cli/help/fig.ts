import { flagName } from "../parser/argv.ts";
import type { Flag, Flags, LoadCommand } from "../parser/define.ts";
import { type Entry, TABLE } from "../table.ts";
import { GROUPS, isListed } from "./groups.ts";
import { defaultText } from "./help.ts";

/** The fields of Fig's completion specification (github.com/withfig/autocomplete) that tsign uses. */
interface Spec {
  readonly name: string | readonly string[];
  readonly description: string;
  readonly hidden?: true;
  readonly subcommands?: readonly Spec[];
  readonly options?: readonly Option[];
}

interface Option {
  readonly name: readonly string[];
  readonly description: string;
  readonly hidden?: true;
  readonly isRepeatable?: true;
  readonly isPersistent?: true;
  readonly args?: readonly { name: string; default?: string; suggestions?: readonly string[] }[];
}

export interface FigOptions {
  /** Includes internal commands. Deprecated commands are always included, marked as hidden. */
  readonly hidden: boolean;
  readonly load: LoadCommand;
}

/** Returns the completion specification of all commands as a TypeScript file for Fig. */
export async function figSpec(global: Flags, options: FigOptions): Promise<string> {
  const words = new Set(TABLE.filter((entry) => isShown(entry, options)).map((entry) => entry.words[0] ?? ""));
  const subcommands = await Promise.all([...words].map((word) => commandSpec(word, options)));
  const spec: Spec = {
    name: "tsign",
    description: "Sign and verify container images and files",
    subcommands,
    options: optionsOf(global, { persistent: true }),
  };
  return `const completionSpec: Fig.Spec = ${JSON.stringify(spec, null, 2)};\nexport default completionSpec;\n`;
}

/** Commands that are hidden without being deprecated are internal. */
function isShown(entry: Entry, options: FigOptions): boolean {
  const group = GROUPS[entry.words[0] ?? ""];
  return options.hidden || (!entry.internal && (group?.hidden !== true || group.deprecated !== undefined));
}

async function commandSpec(word: string, options: FigOptions): Promise<Spec> {
  const group = GROUPS[word];
  const below = TABLE.filter((entry) => entry.words[0] === word && isShown(entry, options));
  const [only] = below;
  if (!group && only) {
    const spec = await leafSpec(only, [], options);
    const others = below.slice(1); // of a command that is also a group
    if (others.length === 0) return spec;
    return { ...spec, subcommands: await Promise.all(others.map((entry) => leafSpec(entry, [word], options))) };
  }
  return {
    name: [word],
    description: group?.about ?? "",
    ...(group?.hidden ? { hidden: true } : {}),
    subcommands: await Promise.all(below.map((entry) => leafSpec(entry, [word], options))),
  };
}

async function leafSpec(entry: Entry, prefix: readonly string[], { load }: FigOptions): Promise<Spec> {
  const command = await load(entry);
  return {
    name: [entry.words.at(-1) ?? ""],
    description: entry.summary,
    ...(isListed(entry, prefix) ? {} : { hidden: true }),
    options: optionsOf(command.flags, { persistent: false }),
  };
}

function optionsOf(flags: Flags, { persistent }: { persistent: boolean }): Option[] {
  return Object.entries(flags).map(([key, flag]) => ({
    name: [`--${flagName(key)}`, ...(flag.short ? [`-${flag.short}`] : [])],
    description: flag.description,
    ...(flag.deprecated === undefined ? {} : { hidden: true }),
    ...(flag.kind === "strings" ? { isRepeatable: true } : {}),
    ...(persistent ? { isPersistent: true } : {}),
    ...(flag.kind === "bool" ? {} : { args: [valueSpec(key, flag)] }),
  }));
}

function valueSpec(key: string, flag: Flag) {
  const choices = (flag.choices ?? []).filter((choice) => choice !== "");
  const value = defaultText(flag);
  return {
    name: flagName(key),
    ...(value === "" ? {} : { default: value }),
    ...(choices.length > 0 ? { suggestions: choices } : {}),
  };
}
