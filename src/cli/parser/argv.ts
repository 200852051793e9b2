import { TsignError } from "../../errors.ts";
import type { Flag, Flags } from "./define.ts";

/** Old names of flags, accepted everywhere. `cert-email` leads to a flag that no command has, as in cosign. */
const ALIASES: Readonly<Record<string, string>> = {
  cert: "certificate",
  "cert-chain": "certificate-chain",
  "cert-email": "certificate-email",
  "cert-identity": "certificate-identity",
  "cert-oidc-issuer": "certificate-oidc-issuer",
  "output-cert": "output-certificate",
};

/** Flags of cosign's that are written in another way than all others. */
const WRITTEN: Readonly<Record<string, string>> = { digestAlg: "digestAlg", newPIN: "new-PIN" };

/** `registryCacert` → `registry-cacert`. */
export function flagName(key: string): string {
  const written = WRITTEN[key];
  if (written !== undefined) return written;
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/**
 * cosign's own rewriting, done before anything is parsed: `--x` becomes `-x`, `-word` becomes `--word`, `-version` the
 * command. Each is warned about. What comes after `--` is left alone.
 */
export function rewriteDashes(argv: readonly string[]): { argv: string[]; warnings: string[] } {
  const warnings: string[] = [];
  const rewrite = (from: string, to: string) => {
    warnings.push(
      `the ${from} flag is deprecated and will be removed in a future release. Please use the ${to} flag instead.`,
    );
    return to;
  };
  const end = argv.indexOf("--");
  const rewritten = argv.map((argument, index) => {
    if (end >= 0 && index >= end) return argument;
    if (argument === "-version") {
      warnings.push(
        "the -version flag is deprecated and will be removed in a future release. Please use the version subcommand instead.",
      );
      return "version";
    }
    if (/^--[^-=]$/.test(argument)) return rewrite(argument, argument.slice(1));
    if (/^-[^-]./.test(argument)) return rewrite(argument, `-${argument}`);
    return argument;
  });
  return { argv: rewritten, warnings };
}

/** One flag on the command line: its key in the definition and the text it was given. */
export interface GivenFlag {
  readonly key: string;
  readonly value: string;
  /** The variable it comes from, where that is not the command line. */
  readonly variable?: string;
}

/**
 * Tells flags from positional arguments as pflag does: anywhere in the line, `--name value`, `--name=value`, `-n value`,
 * booleans alone or with `=`, and `--` before arguments that only look like flags.
 *
 * @throws TsignError "usage"
 */
export function splitArguments(argv: readonly string[], flags: Flags): { given: GivenFlag[]; positionals: string[] } {
  const given: GivenFlag[] = [];
  const positionals: string[] = [];
  for (let index = 0; index < argv.length; index++) {
    const argument = argv[index] ?? "";
    if (argument === "--") {
      positionals.push(...argv.slice(index + 1));
      break;
    }
    if (!argument.startsWith("-") || argument === "-") {
      positionals.push(argument);
      continue;
    }
    if (/^--[-=]/.test(argument)) throw new TsignError("usage", `bad flag syntax: ${argument}`);
    const [written = "", ...rest] = argument.split("=");
    const [key, flag] = findFlag(written, flags);
    if (rest.length > 0) given.push({ key, value: rest.join("=") });
    else if (flag.kind === "bool") {
      refuseSeparateValue(written, argv[index + 1]);
      given.push({ key, value: "true" });
    } else {
      const value = argv[++index];
      if (value === undefined) throw new TsignError("usage", `flag needs an argument: ${written}`);
      given.push({ key, value });
    }
  }
  return { given, positionals };
}

/** A boolean's value stands behind `=`: as a word of its own it would be an argument, and the flag on. */
function refuseSeparateValue(written: string, next: string | undefined): void {
  if (next !== "true" && next !== "false") return;
  throw new TsignError("usage", `${written} takes its value after an equals sign: ${written}=${next}`, {
    hint: `a file or an image of the name ${next} goes behind \`--\``,
  });
}

function findFlag(written: string, flags: Flags): [string, Flag] {
  const long = written.startsWith("--");
  const name = long ? (ALIASES[written.slice(2)] ?? written.slice(2)) : written.slice(1);
  for (const [key, flag] of Object.entries(flags)) {
    if (long ? flagName(key) === name : flag.short === name) return [key, flag];
  }
  const version = { hint: "`tsign version` prints the version" };
  if (!long) {
    const asksVersion = name === "v" || name === "V";
    throw new TsignError("usage", `unknown shorthand flag: '${name}' in ${written}`, asksVersion ? version : {});
  }
  if (name === "version") throw new TsignError("usage", "unknown flag: --version", version);
  const near = nearest(name, Object.keys(flags).map(flagName));
  throw new TsignError("usage", `unknown flag: --${name}`, near ? { hint: `did you mean --${near}?` } : {});
}

/** The most similar word, when one is near enough to have been meant. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  const scored = candidates.map((candidate) => ({ candidate, distance: editDistance(word, candidate) }));
  const [best] = scored.sort((a, b) => a.distance - b.distance);
  return best && best.distance <= Math.max(1, Math.floor(word.length / 4)) ? best.candidate : undefined;
}

/** Edits of one letter, where two neighbours that changed places are one edit (optimal string alignment). */
function editDistance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, index) => index)];
  const at = (i: number, j: number) => rows[i]?.[j] ?? 0;
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    rows.push(row);
    for (let j = 1; j <= b.length; j++) {
      const replaced = at(i - 1, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      row.push(Math.min(replaced, at(i - 1, j) + 1, at(i, j - 1) + 1, swapped ? at(i - 2, j - 2) + 1 : replaced));
    }
  }
  return at(a.length, b.length);
}
