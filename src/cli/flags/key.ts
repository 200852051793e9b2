import { TsignError } from "../../errors.ts";
import { securityKeyReference } from "../../keys/index.ts";
import { flag } from "../parser/define.ts";

/** The key to sign or verify with. */
export const keyFlags = {
  key: flag.string("file, env://NAME, URL of the key, or its name in a key service"),
  sk: flag.bool("use a key on a hardware security token (PIV, through PKCS#11)"),
  slot: flag.string("slot of the hardware security token", {
    choices: ["authentication", "signature", "card-authentication", "key-management"],
    needs: "sk",
  }),
};

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
