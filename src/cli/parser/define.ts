import type { ExitCodes } from "../../errors.ts";
import type { Io } from "../../io/io.ts";
import type { Entry } from "../table.ts";

/** How a flag's text is read, as pflag does: `strings` splits at commas, `texts` does not, `duration` is Go's (`1h2m3s`), in milliseconds. */
type FlagKind = "bool" | "string" | "strings" | "texts" | "int" | "duration" | "choice";

/** One flag. Its long name is its key in `flags` in kebab case: `registryCacert` is `--registry-cacert`. */
export interface Flag<T = unknown> {
  readonly kind: FlagKind;
  readonly description: string;
  readonly default: T;
  /** One letter. */
  readonly short?: string;
  /** Allowed values of a choice; of a string, values worth proposing in a shell. */
  readonly choices?: readonly string[];
  /** The choices of a string are all there are; every other text is refused. */
  readonly closed?: boolean;
  /** pflag's type name where it is not the kind's own (a custom pflag.Value), for the surface test. */
  readonly typeName?: string;
  /** Still works, is left out of help, and warns `Flag --x has been deprecated, <text>` when it is on the command line. */
  readonly deprecated?: string;
  /** Key of the flag without which this one has no effect: given alone, that is said. */
  readonly needs?: string;
  /** Of an int: the smallest and the largest value it takes. */
  readonly range?: readonly [number, number];
  /** It names a file that the command writes; `-` is stdout. Looked at before the command runs (output-places.ts). */
  readonly output?: boolean;
  /**
   * The value that switches a check off ("set" for any), and what is then not checked. On the command line a user sees it;
   * set by a variable it is said.
   */
  readonly weakens?: { readonly when: boolean | "set"; readonly effect: string };
  /** Its value must not be printed. */
  readonly secret?: boolean;
}

export type Flags = Readonly<Record<string, Flag>>;

/** The values `run` gets: every flag has one, its default when it was not given. */
export type FlagValues<F extends Flags> = { readonly [K in keyof F]: F[K] extends Flag<infer T> ? T : never };

type Options<T> = { default?: T } & Pick<
  Flag,
  "short" | "choices" | "closed" | "deprecated" | "needs" | "output" | "secret" | "typeName" | "weakens"
>;

/** Constructors of flags; a default that is not given is false, "", [] or 0. */
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

/** How many positional arguments a command takes, and where these are words of its own, which. */
type Arity = { readonly min: number; readonly max: number; readonly choices?: readonly string[] };

/** What `run` is given besides Io. */
export interface Invocation<F extends Flags> {
  readonly args: readonly string[];
  readonly flags: FlagValues<F>;
  /** Keys of the flags that were set on the command line or by a COSIGN_<FLAG> variable. */
  readonly given: ReadonlySet<keyof F>;
  /** For a command about commands: how it gets their definitions. */
  readonly load: LoadCommand;
}

/** Loads the definition of a command. */
export type LoadCommand = (entry: Entry) => Promise<Command>;

/** What a command does; beside its definition, so that help and completion load no more than that. */
export type Run<C> = C extends Command<infer F> ? (io: Io, invocation: Invocation<F>) => Promise<void> : never;

/** A leaf command, declared once: parsing, types, help, completion, reference and parity test all read this. */
export interface Command<F extends Flags = Flags> {
  /** What follows the command's words in the usage line. The names in it say what a shell proposes: `<image…>`, `<bundle>`. */
  readonly usage: string;
  readonly summary: string;
  readonly about: string;
  /** Lines a user can type, `tsign` included, and comments (`# …`) above them. */
  readonly examples: readonly string[];
  readonly args: Arity;
  readonly flags: F;
  /** Groups of which at most one flag may be given. */
  readonly exclusive?: readonly (readonly (keyof F)[])[];
  /** Reads COSIGN_<FLAG> variables. Default true; false for the commands where cosign does not. */
  readonly bindEnvironment?: boolean;
  /** Printed as `Command "x" is deprecated, <text>`; the command still works. */
  readonly deprecated?: string;
  readonly exitCodes?: ExitCodes;
}

/** Types a command's flags from its own declaration. */
export function defineCommand<const F extends Flags>(command: Command<F>): Command<F> {
  return command;
}
