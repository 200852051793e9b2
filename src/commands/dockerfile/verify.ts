import { EXCLUSIVE_FLAGS, imageVerificationFlags } from "../../cli/flags/image-verification.ts";
import { defineCommand, flag } from "../../cli/parser/define.ts";
import { IMAGE_EXIT_CODES, verifySignatures } from "../../cli/verify-images.ts";
import { TsignError } from "../../errors.ts";
import { printable } from "../../format/printable.ts";
import type { Io } from "../../io/io.ts";
import { readBlob } from "../../net/input.ts";
import { dockerfileImages } from "../../sources/dockerfile.ts";
import { isDockersFrontend } from "../../sources/dockerfile-frontend.ts";

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
  async run(io, { args: [path = ""], flags }) {
    const { images, notices, frontend } = dockerfileImages(await readBlob(io, path), {
      path,
      env: io.env,
      baseOnly: flags.baseImageOnly,
      ignoreFrontend: (image) => flags.insecureIgnoreFrontend || isDockersFrontend(image),
      platform: readPlatform(io, flags.platform),
    });
    for (const notice of notices) io.stderr.write(`${printable(notice)}\n`);
    if (frontend !== undefined && !images.includes(frontend)) {
      io.stderr.write(`WARNING: the frontend ${printable(frontend)} runs the build, and is not verified\n`);
    } else if (frontend !== undefined) {
      io.stderr.write(
        `- frontend of the build, from its syntax line: ${printable(frontend)} (--insecure-ignore-frontend leaves it out)\n`,
      );
    }
    io.stderr.write(`Extracted image(s): ${printable(images.join(", "))}\n`);
    await verifySignatures(io, images, flags);
  },
});

/** Names of architectures in images, by Node's. */
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: "amd64", ia32: "386", arm: "arm/v7" };

/** Dockerfiles are built in a Linux virtual machine on other systems. */
function readPlatform(io: Io, platform: string): string {
  if (platform === "") return `linux/${ARCHITECTURES[io.platform.arch] ?? io.platform.arch}`;
  if (/^[a-z0-9]+\/[a-z0-9_]+(\/[a-z0-9.]+)?$/.test(platform)) return platform;
  throw new TsignError("usage", `--platform: "${platform}" is not os/architecture or os/architecture/variant`);
}
