import { defineCommand } from "../../cli/parser/define.ts";
import { shape } from "../../cli/parser/shape.ts";

export default defineCommand({
  usage: "<file>",
  summary: "Change the password of a private key file",
  about:
    "Encrypts a private key file with a new password. The key itself and its public key stay the same. The old password is read from COSIGN_PASSWORD, a terminal prompt, or stdin; the new one from COSIGN_NEW_PASSWORD or a terminal prompt. The new file is written beside the old one and decrypted with the new password before it takes the old one's place in one step.",
  examples: [
    "# Change the password of cosign.key, asking for both passwords",
    "tsign key change-password cosign.key",
    "# Change the password without a prompt",
    'COSIGN_PASSWORD="$OLD" COSIGN_NEW_PASSWORD="$NEW" tsign key change-password cosign.key',
  ],
  result: shape.object({ file: shape.text(), keyId: shape.text("SHA-256 of the public key in hex") }),
  args: { min: 1, max: 1 },
  flags: {},
  bindEnvironment: false,
});
