import type { Io } from "../../io/io.ts";
import { flagName, type GivenFlag } from "./argv.ts";
import type { Flags } from "./define.ts";

/** Returns the environment variable of a flag: COSIGN_TLOG_UPLOAD for `--tlog-upload`. */
export function flagVariable(key: string): string {
  return `COSIGN_${flagName(key).toUpperCase().replaceAll("-", "_")}`;
}

/** Warns about every environment variable that disables a check, since it is not visible on the command line. */
export function warnAboutWeakening(
  io: Pick<Io, "env" | "stderr">,
  flags: Flags,
  given: { readonly fromEnvironment: readonly GivenFlag[]; readonly values: Readonly<Record<string, unknown>> },
): void {
  for (const { key } of given.fromEnvironment) {
    const { weakens } = flags[key] ?? {};
    if (!weakens || (weakens.when !== "set" && given.values[key] !== weakens.when)) continue;
    const variable = flagVariable(key);
    io.stderr.write(`WARNING: ${variable}=${io.env[variable]} sets --${flagName(key)}: ${weakens.effect}\n`);
  }
}

/** Flags whose variables have no effect, because cosign reads them too late. */
const UNBOUND = new Set(["help", "outputFile", "quiet", "verbose"]);

/** Returns the values of flags that are not on the command line, from COSIGN_<FLAG> variables that are not empty. */
export function environmentFlags(env: Io["env"], flags: Flags, given: ReadonlySet<string>): GivenFlag[] {
  return Object.keys(flags).flatMap((key) => {
    const value = UNBOUND.has(key) || flags[key]?.unbound || given.has(key) ? undefined : env[flagVariable(key)];
    return value ? [{ key, value, variable: flagVariable(key) }] : [];
  });
}
