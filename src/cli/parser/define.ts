import type { ExitCodes } from "../../errors.ts";
import type { Io } from "../../io/io.ts";
import type { Entry } from "../table.ts";
import type { Shape } from "./shape.ts";

/** How a flag's text is parsed, as in pflag: `strings` splits at commas, `texts` does not; `duration` is Go's (`1h2m3s`), in milliseconds. */
type FlagKind = "bool" | "string" | "strings" | "texts" | "int" | "duration" | "choice";

/** One flag. Its long name is its key in `flags` in kebab case: `registryCacert` is `--registry-cacert`. */
export interface Flag<T = unknown> {
  readonly kind: FlagKind;
  readonly description: string;
  readonly default: T;
  /** One letter. */
  readonly short?: string;
  /** Allowed values of a choice; for a string, values that a shell proposes. */
  readonly choices?: readonly string[];
  /** Rejects any value of a string that is not one of its choices. */
  readonly closed?: boolean;
  /** pflag's type name where it is not the kind's own (a custom pflag.Value), for the surface test. */
  readonly typeName?: string;
  /** Marks a flag that still works; on the command line it prints `Flag --x has been deprecated, <text>`. */
  readonly deprecated?: string;
  /** Key of the flag that this one requires: given alone, it is ignored with a warning. */
  readonly needs?: string;
  /** Smallest and largest value of an int. */
  readonly range?: readonly [number, number];
  /** Names a file that the command writes; `-` is stdout. Checked before the command runs (output-places.ts). */
  readonly output?: boolean;
  /**
   * The value that disables a check ("set" for any value), and a warning's text. The warning is printed only if the value comes
   * from an environment variable, where a user does not see it.
   */
  readonly weakens?: { readonly when: boolean | "set"; readonly effect: string };
  /** Its value is never printed. */
  readonly secret?: boolean;
  /** Whether no COSIGN_<FLAG> variable sets it, for names that mean something else in other programs or commands. */
  readonly unbound?: boolean;
}

export type Flags = Readonly<Record<string, Flag>>;

/** The values that `run` receives: a flag that is not set has its default. */
export type FlagValues<F extends Flags> = { readonly [K in keyof F]: F[K] extends Flag<infer T> ? T : never };

type Options<T> = { default?: T } & Pick<
  Flag,
  "short" | "choices" | "closed" | "deprecated" | "needs" | "output" | "secret" | "typeName" | "unbound" | "weakens"
>;

/** Constructors of flags. The default is false, "", [] or 0 unless it is set. */
export const flag = {
  bool: (description: string, options: Options<boolean> = {}): Flag<boolean> => ({
    kind: "bool",
    description,
    ...options,
    default: options.default ?? false,
  }),
  string: (description: string, options: Options<string> = {}): Flag<string> => ({
    kind: "string",
    description,
    ...options,
    default: options.default ?? "",
  }),
  strings: (description: string, options: Options<readonly string[]> = {}): Flag<readonly string[]> => ({
    kind: "strings",
    description,
    ...options,
    default: options.default ?? [],
  }),
  texts: (description: string, options: Options<readonly string[]> = {}): Flag<readonly string[]> => ({
    kind: "texts",
    description,
    ...options,
    default: options.default ?? [],
  }),
  int: (description: string, options: Options<number> & Pick<Flag, "range"> = {}): Flag<number> => ({
    kind: "int",
    description,
    ...options,
    default: options.default ?? 0,
  }),
  duration: (description: string, options: Options<number> = {}): Flag<number> => ({
    kind: "duration",
    description,
    ...options,
    default: options.default ?? 0,
  }),
  choice: <const C extends string>(
    choices: readonly C[],
    description: string,
    options: Omit<Options<NoInfer<C>>, "choices"> & { default: NoInfer<C> },
  ): Flag<C> => ({ kind: "choice", choices, description, ...options }),
};

/**
 * The number of positional arguments of a command, and their allowed values if they are fixed. With one of the flags
 * `unless` (their keys), any number is allowed.
 */
type Arity = {
  readonly min: number;
  readonly max: number;
  readonly choices?: readonly string[];
  readonly unless?: string | readonly string[];
};

/** Takes a result, which is JSON, and returns a copy in which secrets are masked. */
export type Report = <T>(result: T) => T;

/** The arguments of `run` besides Io. */
export interface Invocation<F extends Flags> {
  readonly args: readonly string[];
  /** With the flag of every command that decides what it must find out. */
  readonly flags: FlagValues<F> & { readonly json: boolean };
  /** Keys of the flags that were set on the command line or by a COSIGN_<FLAG> variable. */
  readonly given: ReadonlySet<keyof F>;
  /** Loads the definitions of other commands. */
  readonly load: LoadCommand;
  /** Reports the result for --json before an error, and returns it without secrets; otherwise a command returns it. */
  readonly answer: Report;
}

/** Loads the definition of a command. */
export type LoadCommand = (entry: Entry) => Promise<Command>;

/**
 * Runs a command and returns its result, as its definition describes it. Separate from the definition, so that help and
 * completion load only definitions.
 */
export type Run<C> = C extends Command<infer F, infer R> ? (io: Io, invocation: Invocation<F>) => Promise<R> : never;

/** The definition of a command, from which the parser, types, help, completion, documents and tests are derived. */
export interface Command<F extends Flags = Flags, R = unknown> {
  /** The usage line after the command's name. Its placeholders decide what a shell proposes: `<image…>`, `<bundle>`. */
  readonly usage: string;
  readonly summary: string;
  readonly about: string;
  /** Command lines, starting with `tsign`, and comments (`# …`) above them. */
  readonly examples: readonly string[];
  readonly args: Arity;
  readonly flags: F;
  /** Groups of flags that cannot be used together. */
  readonly exclusive?: readonly (readonly (keyof F)[])[];
  /** Whether COSIGN_<FLAG> variables set its flags. Default true; false for commands where cosign does not read them. */
  readonly bindEnvironment?: boolean;
  /** Printed as `Command "x" is deprecated, <text>`; the command still works. */
  readonly deprecated?: string;
  readonly exitCodes?: ExitCodes;
  /** Exit codes of results that are no error codes' own, with their meanings. */
  readonly ownExitCodes?: Readonly<Record<number, string>>;
  /** Exit codes with --exit-codes=strict. */
  readonly strictExitCodes?: ExitCodes;
  /**
   * The result in the document that --json prints; docs/schema is generated from it. Without it, the result is what the command
   * stored, removed, wrote and printed (effects.ts). "none": the command has no --json.
   */
  readonly result?: Shape<R> | "none";
  /** Whether it runs a program and exits with that program's exit code. */
  readonly runsProgram?: boolean;
  /** Whether it has no time limit unless --timeout is set. */
  readonly unlimited?: boolean;
  /** Whether it serves until it is stopped: it has no time limit unless --timeout is set, and answers requests before it ends. */
  readonly serves?: boolean;
}

/** Returns the definition, with the types of its flags. */
export function defineCommand<const F extends Flags, R = void>(command: Command<F, R>): Command<F, R> {
  return command;
}
