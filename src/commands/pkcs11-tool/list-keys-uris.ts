import { noInputFlag } from "../../cli/options/piv.ts";
import { modulePathFlag } from "../../cli/options/pkcs11.ts";
import { defineCommand, flag } from "../../cli/parser/define.ts";

export default defineCommand({
  usage: "[flags]",
  summary: "Print the references of the keys on a PKCS#11 token",
  about:
    "Prints label, id and `pkcs11:` reference of every private key on a token, for --key. The PIN is never part of what is " +
    "printed: COSIGN_PKCS11_PIN holds it when signing. Without --slot-id, the only token is taken when there is one.",
  examples: ["tsign pkcs11-tool list-keys-uris --module-path /usr/lib/softhsm/libsofthsm2.so --slot-id 1"],
  args: { min: 0, max: 0 },
  flags: {
    modulePath: modulePathFlag,
    noInput: noInputFlag,
    pin: flag.string("PIN of the token; COSIGN_PKCS11_PIN or a prompt without", { secret: true }),
    slotId: flag.int("slot of the token", { typeName: "uint" }),
  },
  bindEnvironment: false,
});
