import { TsignError } from "../../errors.ts";
import { flagName } from "./argv.ts";

/**
 * Rejects a missing required flag, with cosign's words.
 *
 * @throws TsignError "usage"
 */
export function requireFlag<F extends object>(flags: F, key: keyof F & string): void {
  if (flags[key] === "") {
    throw new TsignError("usage", `required flag(s) "${flagName(key)}" not set`, { hint: `set --${flagName(key)}` });
  }
}
