import { registryFlags } from "../cli/flags/registry.ts";
import { signingFlags } from "../cli/flags/signing.ts";
import { verificationFlags } from "../cli/flags/verification.ts";
import { defineCommand } from "../cli/parser/define.ts";
import { shape } from "../cli/parser/shape.ts";

export default defineCommand({
  usage: "[flags] [image]",
  summary: "Check what signing and verifying depend on",
  about:
    "Checks this machine's clock, the proxies, the trust material and every service of the signing config and, with an image, its registry, the login and the list of what is attached to the image. Prints for each what is wrong and what to do. Nothing is changed: no log entry and no certificate is made, and no file is written. Whether the registry accepts pushes is not checked. Exits 1 if a check failed.",
  examples: [
    "# Check the clock, the trust material and the services",
    "tsign doctor",
    "# Check the registry of an image, too",
    "tsign doctor registry.example/app:v1",
    "# Check a private deployment",
    "tsign doctor --signing-config sc.json --trusted-root root.json registry.example/app:v1",
  ],
  result: shape.object({
    checks: shape.list(
      shape.object(
        {
          check: shape.choice([
            ...(["registry", "login", "referrers", "trust", "signing config", "service", "proxy", "clock"] as const),
          ]),
          subject: shape.text("a host, a file, a mirror"),
          state: shape.choice(["ok", "warning", "failed", "skipped"]),
          detail: shape.text(),
        },
        { hint: shape.text("what to do"), code: shape.text("code of the error") },
      ),
    ),
  }),
  args: { min: 0, max: 1 },
  flags: {
    ...registryFlags,
    signingConfig: signingFlags.signingConfig,
    trustedRoot: verificationFlags.trustedRoot,
  },
  bindEnvironment: false,
});
