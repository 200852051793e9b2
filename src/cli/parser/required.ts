import { TsignError } from "../../errors.ts";
import { flagName } from "./argv.ts";

/**
 * A flag without which the command makes no sense.
 *
 * @throws TsignError "usage"
 */
export function requireFlag<F extends object>(flags: F, key: keyof F & string): void {
  if (flags[key] === "") throw new TsignError("usage", `required flag(s) "${flagName(key)}" not set`);
}
