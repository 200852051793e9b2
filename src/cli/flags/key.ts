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
