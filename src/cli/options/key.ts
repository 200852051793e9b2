import { TsignError } from "../../errors.ts";
import { securityKeyReference } from "../../keys/providers/open.ts";

/**
 * The reference of the key that --key, or --sk with --slot, names; "" when neither is given.
 *
 * @throws TsignError "usage" for both
 */
export function keyReference(flags: { readonly key: string; readonly sk: boolean; readonly slot: string }): string {
  if (!flags.sk) return flags.key;
  if (flags.key !== "") throw new TsignError("usage", "--key and --sk exclude one another");
  return securityKeyReference(flags.slot);
}
