import { TsignError, withHint } from "../errors.ts";
import type { Io } from "../io/io.ts";
import { GROUPS } from "./help/groups.ts";
import { commandHelp, groupHelp } from "./help/help.ts";
import { screenOf } from "./help/layout.ts";
import { flagName, type GivenFlag, rewriteDashes, splitArguments } from "./parser/argv.ts";
import type { Command, Flags, LoadCommand } from "./parser/define.ts";
import { environmentFlags, flagVariable, warnAboutWeakening } from "./parser/environment.ts";
import { GLOBAL_FLAGS, globalFlagsOf } from "./parser/global-flags.ts";
import { checkRepeated } from "./parser/repeated.ts";
import { parseValue } from "./parser/values.ts";
import { argumentsHint, unknownCommand, usageHint } from "./suggestions.ts";
import { ALIASES, type Entry, TABLE } from "./table.ts";

/** A parsed command line: text to print, or a command to run with its arguments and flags. */
export type Request =
  | { readonly kind: "print"; readonly text: string }
  | {
      readonly kind: "run";
      readonly entry: Entry;
      readonly command: Command;
      readonly args: readonly string[];
      readonly flags: Readonly<Record<string, unknown>>;
      readonly given: ReadonlySet<string>;
    };

/**
 * Parses a command line like cosign (cobra), in cobra's order: flags, deprecation notices, number of arguments, environment,
 * exclusive flags.
 *
 * @param argv without node and script
 * @param load loads the definition of a command
 * @throws TsignError "usage"
 */
export async function parseCommandLine(argv: readonly string[], io: Io, load: LoadCommand): Promise<Request> {
  if (argv[0] === "__complete" || argv[0] === "__completeNoDesc") return completions(argv, io, load);
  const rewritten = rewriteDashes(argv);
  for (const warning of rewritten.warnings) io.stderr.write(`WARNING: ${warning}\n`);
  const asked = rewritten.argv[0] === "help"; // `help verify` is `verify --help`
  const { entry, group, rest } = findCommand(
    asked ? [...rewritten.argv.slice(1), "--help"] : withVersionCommand(rewritten.argv),
  );
  if (!entry) {
    const { deprecated } = GROUPS[group.join(" ")] ?? {};
    if (deprecated && !asked) io.stderr.write(`Command "${group.join(" ")}" is deprecated, ${deprecated}\n`);
    if (asked) return helpTopic(group, rest, io);
    return parseGroup(group, rest, { asked, io });
  }
  const command = await load(entry);
  // cobra prints it first, but not for `help`.
  if (command.deprecated && !asked) {
    io.stderr.write(`Command "${entry.words.at(-1)}" is deprecated, ${command.deprecated}\n`);
  }
  try {
    return await parseCommand(entry, { command, rest, asked, io });
  } catch (error) {
    throw error instanceof TsignError && error.code === "usage" ? withHint(error, usageHint(entry)) : error;
  }
}

/** Replaces `--version`, `-v` or `-V` without a command by the version command. With another word it stays an unknown flag. */
function withVersionCommand(argv: readonly string[]): readonly string[] {
  const rest = argv.filter((word) => !VERSION_FLAGS.has(word));
  return rest.length < argv.length && rest.every((word) => /^-./.test(word) && word !== "--")
    ? ["version", ...rest]
    : argv;
}

const VERSION_FLAGS = new Set(["--version", "-v", "-V"]);

async function parseCommand(
  entry: Entry,
  { command, rest, asked, io }: { command: Command; rest: readonly string[]; asked: boolean; io: Io },
): Promise<Request> {
  const global = globalFlagsOf(command);
  const known = { ...command.flags, ...global };
  const line = splitArguments(rest, known);
  warnDeprecated(line.given, { command, io });
  if (line.given.some(({ key, value }) => key === "help" && value === "true")) {
    const text = commandHelp(entry, command, { global, screen: screenOf(io) });
    if (asked && line.positionals.length > 0) throw unknownCommand(entry.words, line.positionals[0] ?? "");
    return { kind: "print", text };
  }
  const onLine = new Set(line.given.map(({ key }) => key));
  const bound = command.bindEnvironment !== false;
  const fromEnvironment = bound ? environmentFlags(io.env, known, onLine) : [];
  const values = await parseFlags(entry, { flags: known, given: [...line.given, ...fromEnvironment] });
  checkRepeated(io, { flags: known, given: line.given, bound }, (key, text) => comparable(known, key, text));
  const given = new Set([...onLine, ...fromEnvironment.map(({ key }) => key)]);
  if (![command.args.unless ?? []].flat().some((key) => given.has(key))) requireArity(entry, command, line.positionals);
  requireExclusive(command, given);
  warnUnusedFlags(known, values, io);
  warnAboutWeakening(io, known, { fromEnvironment, values });
  return { kind: "run", entry, command, args: line.positionals, flags: values, given };
}

/** Answers a completion script. */
async function completions([asked, ...words]: readonly string[], io: Io, load: LoadCommand): Promise<Request> {
  if (words.length === 0) throw new TsignError("usage", "requires at least 1 arg(s), only received 0");
  const [{ complete }, { formatCompletion }] = await Promise.all([
    import("./completion/completion.ts"),
    import("./completion/answer.ts"),
  ]);
  const completion = await complete(words, { global: GLOBAL_FLAGS, load }, io);
  return { kind: "print", text: formatCompletion(completion, { descriptions: asked === "__complete" }) };
}

/** Finds the longest run of words, without flags, that names a command or group. The remaining words are its arguments. */
function findCommand(argv: readonly string[]): { entry?: Entry; group: string[]; rest: string[] } {
  const group: string[] = [];
  const rest = [...argv];
  for (let index = 0; index < rest.length; ) {
    const word = rest[index] ?? "";
    if (word === "--") break;
    if (word.startsWith("-") && word !== "-") {
      index += takesValue(word) ? 2 : 1;
      continue;
    }
    const words = [...group, group.length === 0 ? (ALIASES[word] ?? word) : word];
    const below = TABLE.filter((entry) => words.every((each, position) => entry.words[position] === each));
    if (below.length === 0) break;
    group.push(words.at(-1) ?? word);
    rest.splice(index, 1);
    const exact = below.find((entry) => entry.words.length === words.length);
    const goesOn = below.some((entry) => entry !== exact && entry.words[words.length] === rest[index]);
    if (exact && !goesOn) return { entry: exact, group, rest };
  }
  return { group, rest };
}

/** As in cobra, a flag before the command takes the next word as its value, except for the global boolean flags. */
function takesValue(word: string): boolean {
  return !word.includes("=") && !["--help", "-h", "--json", "--quiet", "-q", "--verbose", "-d"].includes(word);
}

/** Explains an error code, loaded only when asked. Other words are those of commands; `policy` is both. */
async function helpTopic(group: readonly string[], rest: readonly string[], io: Io): Promise<Request> {
  const { ERROR_CODES: topics, errorHelp } = await import("./help/errors.ts");
  const text = errorHelp([...group, ...rest], screenOf(io));
  if (text && group.length === 0) return { kind: "print", text };
  const ofGroup = parseGroup(group, rest, { asked: true, io, topics });
  return text && ofGroup.kind === "print" ? { ...ofGroup, text: `${text}\n${ofGroup.text}` } : ofGroup;
}

/**
 * Prints the help of a group that stands without a subcommand. An unknown subcommand is an error, other than in cobra: a
 * misspelt check must not exit 0.
 */
function parseGroup(
  group: readonly string[],
  rest: readonly string[],
  { asked, io, topics = [] }: { asked: boolean; io: Io; topics?: readonly string[] },
): Request {
  const [first = ""] = rest;
  if (first !== "" && !first.startsWith("-") && !(asked && first === "help")) {
    throw unknownCommand(group, first, group.length === 0 ? topics : []); // before its flags are rejected
  }
  const [unknown] = splitArguments(rest, GLOBAL_FLAGS).positionals;
  if (unknown !== undefined && !(asked && unknown === "help")) throw unknownCommand(group, unknown);
  return { kind: "print", text: groupHelp(group, { global: GLOBAL_FLAGS, screen: screenOf(io) }) };
}

function warnDeprecated(given: readonly GivenFlag[], { command, io }: { command: Command; io: Io }): void {
  for (const key of new Set(given.map((each) => each.key))) {
    const text = command.flags[key]?.deprecated;
    if (text) io.stderr.write(`Flag --${flagName(key)} has been deprecated, ${text}\n`);
  }
}

/** Returns a value for comparison; an invalid value, which only an unused variable can have, unparsed. */
function comparable(flags: Flags, key: string, text: string): unknown {
  const flag = flags[key];
  try {
    return flag === undefined ? text : parseValue(flag, [text], "");
  } catch {
    return text;
  }
}

function requireArity(entry: Entry, command: Command, positionals: readonly string[]): void {
  const { args } = command;
  const { length } = positionals;
  if (length >= args.min && length <= args.max) return;
  const expected =
    args.min === args.max
      ? `accepts ${args.min} arg(s)`
      : length < args.min
        ? `requires at least ${args.min} arg(s)`
        : `accepts at most ${args.max} arg(s)`;
  throw new TsignError(
    "usage",
    `${expected}, ${length < args.min && args.min !== args.max ? "only " : ""}received ${length}`,
    { hint: argumentsHint(entry, command) },
  );
}

/** Collects the values of the flags that are given with commander, which knows only these, and parses them by their kinds. */
async function parseFlags(
  entry: Entry,
  { flags, given }: { flags: Flags; given: readonly GivenFlag[] },
): Promise<Record<string, unknown>> {
  if (given.length === 0) return Object.fromEntries(Object.entries(flags).map(([key, each]) => [key, each.default]));
  const { Command: Commander } = await import("commander");
  const texts = new Map<string, string[]>();
  const variables = new Set(given.filter(({ variable }) => variable !== undefined).map(({ key }) => key));
  const program = new Commander(entry.words.join(" ")).exitOverride().helpOption(false);
  program.configureOutput({ writeErr: () => {} });
  for (const key of new Set(given.map((each) => each.key))) {
    program.option(`--${flagName(key)} <value>`, "", (text: string) => {
      texts.set(key, [...(texts.get(key) ?? []), text]);
    });
  }
  const line = given.map(({ key, value }) => `--${flagName(key)}=${value}`);
  await program.parseAsync(line, { from: "user" });
  return Object.fromEntries(
    Object.entries(flags).map(([key, each]) => {
      const shown = variables.has(key)
        ? flagVariable(key)
        : each.short
          ? `-${each.short}, --${flagName(key)}`
          : `--${flagName(key)}`;
      const found = texts.get(key);
      return [key, found ? parseValue(each, found, shown) : each.default];
    }),
  );
}

function requireExclusive({ exclusive = [], flags }: Command, given: ReadonlySet<string>): void {
  const forms = flags["output"]?.choices ? [["json", "output"]] : [];
  for (const group of [...exclusive, ...forms]) {
    const set = group.filter((key) => given.has(key)).map(flagName);
    if (set.length < 2) continue;
    const all = group.map(flagName).join(" ");
    const which = set.sort().join(" ");
    throw new TsignError(
      "usage",
      `if any flags in the group [${all}] are set none of the others can be; [${which}] were all set`,
      { hint: `set only one of ${set.map((name) => `--${name}`).join(" and ")}` },
    );
  }
}

/** Warns about flags that are ignored without another flag, such as a user name without a password. */
function warnUnusedFlags(flags: Flags, values: Readonly<Record<string, unknown>>, io: Pick<Io, "stderr">): void {
  const isSet = (key: string) => String(values[key]) !== String(flags[key]?.default);
  for (const [key, { needs }] of Object.entries(flags)) {
    if (needs === undefined || !isSet(key) || isSet(needs)) continue;
    io.stderr.write(`WARNING: --${flagName(key)} is ignored without --${flagName(needs)}\n`);
  }
}
