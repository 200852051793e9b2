import { EXCLUSIVE_FLAGS, IMAGE_EXIT_CODES, imageVerificationFlags } from "../cli/flags/image-verification.ts";
import { defineCommand } from "../cli/parser/define.ts";

export default defineCommand({
  usage: "[flags] <image…>",
  summary: "Verify signatures of container images",
  about:
    "Finds every signature of each image, in both stored forms, and succeeds if at least one of them satisfies the policy: " +
    "made with --key, or by the identity given. Prints the good ones; for the others it tells why they failed.",
  examples: [
    "# signed by an identity",
    "tsign verify --certificate-identity alice@example.com --certificate-oidc-issuer https://issuer.example registry.example/app:v1",
    "# signed with a key, without a log",
    "tsign verify --key cosign.pub --insecure-ignore-tlog registry.example/app@sha256:…",
    "tsign verify --key cosign.pub --insecure-ignore-tlog -a env=prod registry.example/app:v1 registry.example/web:v1",
  ],
  args: { min: 1, max: Number.POSITIVE_INFINITY },
  flags: imageVerificationFlags,
  exclusive: EXCLUSIVE_FLAGS,
  exitCodes: IMAGE_EXIT_CODES,
});
