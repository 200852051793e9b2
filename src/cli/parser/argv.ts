import { TsignError } from "../../errors.ts";
import { didYouMean } from "../../format/nearest.ts";
import type { Flag, Flags } from "./define.ts";

/** Old names of flags, accepted by every command. `cert-email` stands for a flag that does not exist, as in cosign. */
const ALIASES: Readonly<Record<string, string>> = {
  cert: "certificate",
  "cert-chain": "certificate-chain",
  "cert-email": "certificate-email",
  "cert-identity": "certificate-identity",
  "cert-oidc-issuer": "certificate-oidc-issuer",
  "output-cert": "output-certificate",
};

/** Names of flags that are not in kebab case, as in cosign. */
const IRREGULAR_NAMES: Readonly<Record<string, string>> = { digestAlg: "digestAlg", newPIN: "new-PIN" };

/** Returns the name of a flag from its key: `registry-cacert` for `registryCacert`. */
export function flagName(key: string): string {
  const irregular = IRREGULAR_NAMES[key];
  if (irregular !== undefined) return irregular;
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/**
 * Rewrites flags like cosign does before it parses them: `--x` to `-x`, `-word` to `--word`, and `-version` to the command.
 * Returns a warning for each. Arguments after `--` do not change.
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

/** A flag that is set: its key in the definition and the text of its value. */
export interface GivenFlag {
  readonly key: string;
  readonly value: string;
  /** The environment variable that sets it; undefined for a flag on the command line. */
  readonly variable?: string;
}

/**
 * Separates flags from positional arguments like pflag: in any order, as `--name value`, `--name=value` or `-n value`, boolean
 * flags without a value or with `=`. All words after `--` are arguments.
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
      if (value === undefined)
        throw new TsignError("usage", `flag needs an argument: ${written}`, { hint: `write a value after ${written}` });
      given.push({ key, value });
    }
  }
  return { given, positionals };
}

/** Refuses `--flag false`: pflag would set the flag and take `false` as an argument. */
function refuseSeparateValue(written: string, next: string | undefined): void {
  if (next !== "true" && next !== "false") return;
  throw new TsignError("usage", `boolean flag ${written} is followed by ${next}`, {
    hint: `use ${written}=${next}, or write -- before an argument named ${next}`,
  });
}

/** @throws TsignError "usage" for an unknown flag, with the nearest flags that are not deprecated */
function findFlag(written: string, flags: Flags): [string, Flag] {
  const long = written.startsWith("--");
  const name = long ? (ALIASES[written.slice(2)] ?? written.slice(2)) : written.slice(1);
  for (const [key, flag] of Object.entries(flags)) {
    if (long ? flagName(key) === name : flag.short === name) return [key, flag];
  }
  const version = { hint: "run `tsign version` for the version, or use --verbose for details of a command" };
  if (!long) {
    const asksVersion = name === "v" || name === "V";
    throw new TsignError("usage", `unknown shorthand flag: '${name}' in ${written}`, asksVersion ? version : {});
  }
  if (name === "version") throw new TsignError("usage", "unknown flag: --version", version);
  const proposed = Object.entries(flags).filter(([, { deprecated }]) => deprecated === undefined);
  const hint = didYouMean(
    name,
    proposed.map(([key]) => flagName(key)),
    (near) => `--${near}`,
  );
  throw new TsignError("usage", `unknown flag: --${name}`, { hint });
}
