import type { Io } from "../../io/io.ts";
import { flagName, type GivenFlag } from "./argv.ts";
import type { Flags } from "./define.ts";

/** The variable that sets a flag: `--tlog-upload` is COSIGN_TLOG_UPLOAD. */
export function flagVariable(key: string): string {
  return `COSIGN_${flagName(key).toUpperCase().replaceAll("-", "_")}`;
}

/** Says of each variable that switches a check off which check that is: nobody sees it in the command line. */
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

/** These are read too late to act in cosign, and so are not read here. */
const UNBOUND = new Set(["help", "outputFile", "quiet", "verbose"]);

/** Values of flags that are not on the command line, from COSIGN_<FLAG> variables that are set and not empty. */
export function environmentFlags(env: Io["env"], flags: Flags, given: ReadonlySet<string>): GivenFlag[] {
  return Object.keys(flags).flatMap((key) => {
    const value = UNBOUND.has(key) || given.has(key) ? undefined : env[flagVariable(key)];
    return value ? [{ key, value, variable: flagVariable(key) }] : [];
  });
}
