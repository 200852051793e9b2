import { noInputFlag } from "../../cli/options/piv.ts";
import { modulePathFlag } from "../../cli/options/pkcs11.ts";
import { defineCommand, flag } from "../../cli/parser/define.ts";
import { shape } from "../../cli/parser/shape.ts";

export default defineCommand({
  usage: "[flags]",
  summary: "Print the PKCS#11 URIs of the keys on a token",
  about:
    "Prints the label, ID and `pkcs11:` URI of every private key on a token. Use the URI with --key. The URI never contains the PIN; set COSIGN_PKCS11_PIN when signing. --slot-id is required if there are several tokens.",
  examples: [
    "# List the keys of a SoftHSM token",
    "tsign pkcs11-tool list-keys-uris --module-path /usr/lib/softhsm/libsofthsm2.so --slot-id 1",
  ],
  result: shape.object({
    slot: shape.count(),
    keys: shape.list(shape.object({ label: shape.text(), id: shape.text("in hex"), uri: shape.text() })),
  }),
  args: { min: 0, max: 0 },
  flags: {
    modulePath: modulePathFlag,
    noInput: noInputFlag,
    pin: flag.string("user PIN of the token, by default COSIGN_PKCS11_PIN or a prompt", { secret: true }),
    slotId: flag.int("slot ID of the token", { typeName: "uint" }),
  },
  bindEnvironment: false,
});
