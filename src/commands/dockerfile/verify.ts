import { EXCLUSIVE_FLAGS, IMAGE_EXIT_CODES, imageVerificationFlags } from "../../cli/flags/image-verification.ts";
import { STRICT_BY_CODE } from "../../cli/flags/reporting.ts";
import { trustPolicyFlags } from "../../cli/flags/trust-policy.ts";
import { defineCommand, flag } from "../../cli/parser/define.ts";
import { shape } from "../../cli/parser/shape.ts";

export default defineCommand({
  usage: "[flags] <Dockerfile>",
  summary: "Verify the base images of a Dockerfile",
  about:
    "Verifies every image that a Dockerfile references in FROM, COPY --from and RUN --mount, and the frontend in its `# syntax=` line, like `tsign verify`. Docker's own frontend, docker/dockerfile, is not verified; a warning names it. Build stage names are resolved. The file is parsed like BuildKit parses it, and a file that BuildKit rejects is rejected. In FROM, a build argument has the default of its ARG or else the value of the environment variable with its name.",
  examples: [
    "# Verify every image of a Dockerfile",
    "tsign dockerfile verify --key cosign.pub Dockerfile",
    "# Verify only the base image of the last stage",
    "tsign dockerfile verify --key cosign.pub --base-image-only Dockerfile",
    "# Verify the images for another platform",
    "tsign dockerfile verify --key cosign.pub --platform linux/arm64 Dockerfile",
  ],
  result: shape.reference<void>("images.json#/$defs/result"),
  args: { min: 1, max: 1 },
  flags: {
    ...imageVerificationFlags,
    ...trustPolicyFlags,
    baseImageOnly: flag.bool("verify only the base image of the last stage, and the frontend", {
      weakens: { when: true, effect: "only the base image of the last stage is verified" },
    }),
    insecureIgnoreFrontend: flag.bool("skip verification of the frontend image in the `# syntax=` line (insecure)", {
      weakens: { when: true, effect: "the frontend of the Dockerfile is not verified" },
    }),
    platform: flag.string(
      "target platform of the build: os/architecture[/variant], by default Linux on this machine's architecture",
    ),
  },
  exclusive: EXCLUSIVE_FLAGS,
  exitCodes: IMAGE_EXIT_CODES,
  strictExitCodes: STRICT_BY_CODE,
});
