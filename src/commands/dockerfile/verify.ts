import { EXCLUSIVE_FLAGS, IMAGE_EXIT_CODES, imageVerificationFlags } from "../../cli/flags/image-verification.ts";
import { defineCommand, flag } from "../../cli/parser/define.ts";

export default defineCommand({
  usage: "[flags] <Dockerfile>",
  summary: "Verify the images that a Dockerfile is built on",
  about:
    "Verifies every image a Dockerfile names in FROM, COPY --from and RUN --mount, and the frontend of its `# syntax=` line, as " +
    "`tsign verify` does. Docker's own frontend, docker/dockerfile, is named in a warning and not verified. The file is read as BuildKit reads it; what BuildKit refuses is refused. Stage names are followed. " +
    "FROM sees the arguments declared before the first FROM: each has the default of its ARG, else the value of the " +
    "environment variable of that name, else none.",
  examples: [
    "tsign dockerfile verify --key cosign.pub Dockerfile",
    "tsign dockerfile verify --key cosign.pub --base-image-only Dockerfile",
    "tsign dockerfile verify --key cosign.pub --platform linux/arm64 Dockerfile",
  ],
  args: { min: 1, max: 1 },
  flags: {
    ...imageVerificationFlags,
    baseImageOnly: flag.bool("verify the image that the last stage stands on, and no other but the frontend", {
      weakens: { when: true, effect: "only the image that the last stage stands on is verified" },
    }),
    insecureIgnoreFrontend: flag.bool(
      "do not verify the frontend of `# syntax=`, the image that reads the Dockerfile",
      { weakens: { when: true, effect: "the frontend of the Dockerfile is not verified" } },
    ),
    platform: flag.string("platform that is built for: os/architecture[/variant], by default linux on this machine"),
  },
  exclusive: EXCLUSIVE_FLAGS,
  exitCodes: IMAGE_EXIT_CODES,
});
