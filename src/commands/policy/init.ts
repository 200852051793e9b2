import { registryFlags } from "../../cli/flags/registry.ts";
import { defineCommand, flag } from "../../cli/parser/define.ts";
import { shape } from "../../cli/parser/shape.ts";

export default defineCommand({
  usage: "[flags] <image…>",
  summary: "Write a trust policy for the signers of images",
  about:
    "Verifies what is stored with each image, and prints a trust policy with one rule for each repository that demands the signers and attestations found. Certificates name their identity; keys are named with --key. Review the result: it trusts everyone who has signed so far. What it accepts is printed on stderr.",
  examples: [
    "# Write a policy for two images",
    "tsign policy init --output-file tsign.policy.yaml registry.example/app:v1 registry.example/api:v1",
    "# Name the key that has signed, which images cannot do",
    "tsign policy init --key release.pub registry.example/app:v1",
  ],
  result: shape.object({ policy: shape.text("the policy, as YAML") }),
  args: { min: 1, max: Number.POSITIVE_INFINITY },
  flags: {
    ...registryFlags,
    certificateIdentity: flag.string("identity expected in certificates: an email address or URI", {
      needs: "certificateOidcIssuer",
    }),
    certificateIdentityRegexp: flag.string("regular expression (RE2) for the whole certificate identity"),
    certificateOidcIssuer: flag.string("OIDC issuer expected in certificates"),
    certificateOidcIssuerRegexp: flag.string("regular expression (RE2) for the certificate's whole OIDC issuer"),
    insecureIgnoreSct: flag.bool("write a policy that skips signed certificate timestamps (insecure)", {
      weakens: { when: true, effect: "the policy does not demand signed certificate timestamps" },
    }),
    insecureIgnoreTlog: flag.bool("write a policy that skips the transparency log (insecure)", {
      weakens: { when: true, effect: "the policy does not demand a transparency log entry" },
    }),
    key: flag.strings("public keys that may have signed: files, URLs or keys in services"),
    trustedRoot: flag.string("trusted root file, which the policy names"),
  },
  exclusive: [
    ["certificateIdentity", "certificateIdentityRegexp"],
    ["certificateOidcIssuer", "certificateOidcIssuerRegexp"],
  ],
});
