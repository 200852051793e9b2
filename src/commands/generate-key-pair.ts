import { defineCommand, flag } from "../cli/parser/define.ts";

export default defineCommand({
  usage: "[flags] [k8s://NAMESPACE/SECRET | gitlab://PROJECT | github://OWNER[/REPO]]",
  summary: "Make a new key pair",
  about:
    "Makes an ECDSA P-256 key pair: an encrypted private key in PREFIX.key and the public key in PREFIX.pub. The password is " +
    "taken from COSIGN_PASSWORD, asked for on a terminal, or read from stdin.\nWith --kms the key is made in a service and stays " +
    "there: awskms:///alias/NAME, gcpkms://projects/…, azurekms://VAULT/NAME, hashivault://NAME, openbao://NAME, or a plugin's " +
    "scheme. With an argument the pair is kept in a Kubernetes secret, or in the variables of a forge.",
  examples: [
    "tsign generate-key-pair",
    "COSIGN_PASSWORD=secret tsign generate-key-pair --output-key-prefix release",
    "tsign generate-key-pair --kms awskms:///alias/release",
    "tsign generate-key-pair k8s://team/signing-key",
  ],
  args: { min: 0, max: Number.POSITIVE_INFINITY },
  flags: {
    kms: flag.string("key management service to make the key in, and the key's name there"),
    outputKeyPrefix: flag.string("name of the key files, without .key and .pub", { default: "cosign" }),
  },
});
