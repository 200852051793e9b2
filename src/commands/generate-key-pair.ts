import { defineCommand, flag } from "../cli/parser/define.ts";

export default defineCommand({
  usage: "[flags] [k8s://NAMESPACE/SECRET | gitlab://PROJECT | github://OWNER[/REPO]]",
  summary: "Generate a key pair",
  about:
    "Generates an ECDSA P-256 key pair: an encrypted private key in PREFIX.key and a public key in PREFIX.pub. The password is read from COSIGN_PASSWORD, a terminal prompt, or stdin.\nWith --kms, the key is generated in a key management service: awskms:///alias/NAME, gcpkms://projects/…, azurekms://VAULT/NAME, hashivault://NAME, openbao://NAME, or the scheme of a plugin. With an argument, the key pair is stored in a Kubernetes secret, or in the variables of a GitLab project or GitHub repository.",
  examples: [
    "# Generate cosign.key and cosign.pub",
    "tsign generate-key-pair",
    "# Generate release.key and release.pub without a prompt",
    "COSIGN_PASSWORD=secret tsign generate-key-pair --output-key-prefix release",
    "# Generate a key in AWS KMS",
    "tsign generate-key-pair --kms awskms:///alias/release",
    "# Store the key pair in a Kubernetes secret",
    "tsign generate-key-pair k8s://team/signing-key",
  ],
  args: { min: 0, max: Number.POSITIVE_INFINITY },
  flags: {
    kms: flag.string("reference to a key to generate in a key management service"),
    outputKeyPrefix: flag.string("file name prefix of the key pair, before .key and .pub", { default: "cosign" }),
  },
});
