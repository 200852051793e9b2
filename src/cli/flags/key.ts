import { flag } from "../parser/define.ts";

/** The flags that choose the key to sign or verify with. */
export const keyFlags = {
  key: flag.string("key: a file, a URL, env://NAME, or a reference to a key management service"),
  sk: flag.bool("use a key on a hardware token (PIV, through PKCS#11)"),
  slot: flag.string("PIV slot of the hardware token's key", {
    choices: ["authentication", "signature", "card-authentication", "key-management"],
    closed: true,
    needs: "sk",
  }),
};
