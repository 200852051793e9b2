import { TsignError } from "../../errors.ts";
import { securityKeyReference } from "../../keys/providers/open.ts";

/**
 * Returns the key reference of --key, or of --sk with --slot; "" without either.
 *
 * @throws TsignError "usage" for both
 */
export function keyReference(flags: { readonly key: string; readonly sk: boolean; readonly slot: string }): string {
  if (!flags.sk) return flags.key;
  if (flags.key !== "") throw new TsignError("usage", "--key and --sk cannot be used together");
  return securityKeyReference(flags.slot);
}
