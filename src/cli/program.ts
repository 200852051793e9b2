import { TsignError, withHint } from "../errors.ts";
import type { Io } from "../io/io.ts";
import { GROUPS } from "./help/groups.ts";
import { commandHelp, groupHelp } from "./help/help.ts";
import { screenOf } from "./help/layout.ts";
import { flagName, type GivenFlag, nearest, rewriteDashes, splitArguments } from "./parser/argv.ts";
import type { Command, Flags, LoadCommand } from "./parser/define.ts";
import { environmentFlags, flagVariable, warnAboutWeakening } from "./parser/environment.ts";
import { GLOBAL_FLAGS } from "./parser/global-flags.ts";
import { checkRepeated } from "./parser/repeated.ts";
import { parseValue } from "./parser/values.ts";
import { ALIASES, type Entry, TABLE } from "./table.ts";

/** A command line understood: either text to print, or a command with all it needs to run. */
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
 * Understands a command line the way cosign (cobra) does, in cobra's order: flags, notices, number of arguments,
 * environment, exclusive groups.
 *
 * @param argv without node and script
 * @param load how the definition of a command is had
 * @throws TsignError "usage"
 */
export async function parseCommandLine(argv: readonly string[], io: Io, load: LoadCommand): Promise<Request> {
  if (argv[0] === "__complete" || argv[0] === "__completeNoDesc") return completions(argv, io, load);
  const rewritten = rewriteDashes(argv);
  for (const warning of rewritten.warnings) io.stderr.write(`WARNING: ${warning}\n`);
  const asked = rewritten.argv[0] === "help"; // `help verify` is `verify --help`
  const { entry, group, rest } = findCommand(asked ? [...rewritten.argv.slice(1), "--help"] : rewritten.argv);
  if (!entry) {
    const { deprecated } = GROUPS[group.join(" ")] ?? {};
    if (deprecated && !asked) io.stderr.write(`Command "${group.join(" ")}" is deprecated, ${deprecated}\n`);
    if (asked && group.length === 0) return helpTopic(rest, io);
    return parseGroup(group, rest, { asked, io });
  }
  const command = await load(entry);
  // cobra says it before anything else, but not on the way of `help`.
  if (command.deprecated && !asked) {
    io.stderr.write(`Command "${entry.words.at(-1)}" is deprecated, ${command.deprecated}\n`);
  }
  try {
    return await parseCommand(entry, { command, rest, asked, io });
  } catch (error) {
    throw error instanceof TsignError && error.code === "usage" ? withHint(error, usageHint(entry, command)) : error;
  }
}

/** Where to read on after a command line that is wrong. */
export function usageHint({ words }: Entry, { usage }: Command): string {
  const name = words.join(" ");
  return `usage: tsign ${`${name} ${usage}`.trim()}; \`tsign help ${name}\` tells more`;
}

async function parseCommand(
  entry: Entry,
  { command, rest, asked, io }: { command: Command; rest: readonly string[]; asked: boolean; io: Io },
): Promise<Request> {
  const known = { ...command.flags, ...GLOBAL_FLAGS };
  const line = splitArguments(rest, known);
  warnDeprecated(line.given, { command, io });
  if (line.given.some(({ key, value }) => key === "help" && value === "true")) {
    const text = commandHelp(entry, command, { global: GLOBAL_FLAGS, screen: screenOf(io) });
    if (asked && line.positionals.length > 0) throw unknownCommand(entry.words, line.positionals[0] ?? "");
    return { kind: "print", text };
  }
  const onLine = new Set(line.given.map(({ key }) => key));
  const bound = command.bindEnvironment !== false;
  const fromEnvironment = bound ? environmentFlags(io.env, known, onLine) : [];
  const values = await parseFlags(entry, { flags: known, given: [...line.given, ...fromEnvironment] });
  checkRepeated(io, { flags: known, given: line.given, bound }, (key, text) => comparable(known, key, text));
  requireArity(command, line.positionals);
  const given = new Set([...onLine, ...fromEnvironment.map(({ key }) => key)]);
  requireExclusive(command, given);
  warnAboutLonely(known, values, io);
  warnAboutWeakening(io, known, { fromEnvironment, values });
  return { kind: "run", entry, command, args: line.positionals, flags: values, given };
}

/** What the completion scripts ask for. */
async function completions([asked, ...words]: readonly string[], io: Io, load: LoadCommand): Promise<Request> {
  if (words.length === 0) throw new TsignError("usage", "requires at least 1 arg(s), only received 0");
  const [{ complete }, { formatCompletion }] = await Promise.all([
    import("./completion/completion.ts"),
    import("./completion/answer.ts"),
  ]);
  const completion = await complete(words, { global: GLOBAL_FLAGS, load }, io);
  return { kind: "print", text: formatCompletion(completion, { descriptions: asked === "__complete" }) };
}

/** The longest run of words that names a command or group, flags passed over; what remains are its arguments. */
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
    const [only] = below;
    if (only?.words.length === words.length) return { entry: only, group, rest };
  }
  return { group, rest };
}

/** Before the command is known, any flag but the booleans of every command is taken to have a value, as in cobra. */
function takesValue(word: string): boolean {
  return !word.includes("=") && !["--help", "-h", "--quiet", "-q", "--verbose", "-d"].includes(word);
}

/** Explains an error code, loaded only when asked: a start is short. Other words are those of commands. */
async function helpTopic(rest: readonly string[], io: Io): Promise<Request> {
  const { ERROR_CODES, errorHelp } = await import("./help/errors.ts");
  const text = errorHelp(rest, screenOf(io));
  return text ? { kind: "print", text } : parseGroup([], rest, { asked: true, io, topics: ERROR_CODES });
}

/**
 * A group alone, with flags of every command at most, prints its help. A word below it that is no command is an error: what
 * was meant to be checked would not be, with exit code 0.
 */
function parseGroup(
  group: readonly string[],
  rest: readonly string[],
  { asked, io, topics = [] }: { asked: boolean; io: Io; topics?: readonly string[] },
): Request {
  const [first = ""] = rest;
  if (group.length === 0 && first !== "" && !first.startsWith("-") && !(asked && first === "help")) {
    throw unknownCommand(group, first, topics); // its flags are as unknown as it is
  }
  const [unknown] = splitArguments(rest, GLOBAL_FLAGS).positionals;
  if (unknown !== undefined && !(asked && unknown === "help")) throw unknownCommand(group, unknown);
  return { kind: "print", text: groupHelp(group, { global: GLOBAL_FLAGS, screen: screenOf(io) }) };
}

function unknownCommand(words: readonly string[], unknown: string, topics: readonly string[] = []): TsignError {
  const below = TABLE.filter((entry) => words.every((word, index) => entry.words[index] === word));
  const known = [...new Set(below.map((entry) => entry.words[words.length] ?? ""))].filter((word) => word !== "");
  const near = nearest(unknown, [...known, ...topics]);
  const program = ["tsign", ...words].join(" ");
  const meant = near && topics.includes(near) ? `tsign help ${near}` : `${program} ${near}`;
  const lists = `\`${program} --help\` ${known.length > 0 ? "lists the commands" : "tells more"}`;
  return new TsignError("usage", `unknown command "${unknown}" for "${program}"`, {
    hint: near ? `did you mean \`${meant}\`? ${lists}` : lists,
  });
}

function warnDeprecated(
  given: readonly GivenFlag[],
  { command, io }: { command: Command; io: Pick<Io, "stderr"> },
): void {
  for (const key of new Set(given.map((each) => each.key))) {
    const text = command.flags[key]?.deprecated;
    if (text) io.stderr.write(`Flag --${flagName(key)} has been deprecated, ${text}\n`);
  }
}

/** A value as it compares; one of a variable that nothing reads, and that is none, as it is. */
function comparable(flags: Flags, key: string, text: string): unknown {
  const flag = flags[key];
  try {
    return flag === undefined ? text : parseValue(flag, [text], "");
  } catch {
    return text;
  }
}

function requireArity({ args }: Command, positionals: readonly string[]): void {
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
  );
}

/** commander collects the values; what they mean is decided by their kind. */
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
  for (const key of Object.keys(flags)) {
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

function requireExclusive(command: Command, given: ReadonlySet<string>): void {
  for (const group of command.exclusive ?? []) {
    const set = group.filter((key) => given.has(key)).map(flagName);
    if (set.length < 2) continue;
    const all = group.map(flagName).join(" ");
    const which = set.sort().join(" ");
    throw new TsignError(
      "usage",
      `if any flags in the group [${all}] are set none of the others can be; [${which}] were all set`,
    );
  }
}

/** What cosign passes over when it stands alone, a user name without a password, is named. */
function warnAboutLonely(flags: Flags, values: Readonly<Record<string, unknown>>, io: Pick<Io, "stderr">): void {
  const isSet = (key: string) => String(values[key]) !== String(flags[key]?.default);
  for (const [key, { needs }] of Object.entries(flags)) {
    if (needs === undefined || !isSet(key) || isSet(needs)) continue;
    io.stderr.write(`WARNING: --${flagName(key)} has no effect without --${flagName(needs)}\n`);
  }
}
