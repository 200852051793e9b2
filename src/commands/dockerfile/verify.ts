import { readBlob } from "../../blob.ts";
import { defineCommand, flag } from "../../cli/define.ts";
import { EXCLUSIVE_FLAGS, imageVerificationFlags } from "../../cli/flags/image-verification.ts";
import { IMAGE_EXIT_CODES, verifyImages } from "../../cli/verify-images.ts";
import { printable } from "../../format/printable.ts";
import { dockerfileImages } from "../../sources/dockerfile.ts";

export default defineCommand({
  usage: "[flags] <Dockerfile>",
  summary: "Verify the images that a Dockerfile is built on",
  about:
    "Verifies every image a Dockerfile names in FROM, COPY --from and RUN --mount, as `tsign verify` does. Stage names are " +
    "followed; build arguments have the default of their ARG, else the value of the environment variable of that name.",
  examples: [
    "tsign dockerfile verify --key cosign.pub Dockerfile",
    "tsign dockerfile verify --key cosign.pub --base-image-only Dockerfile",
  ],
  args: { min: 1, max: 1 },
  flags: {
    ...imageVerificationFlags,
    baseImageOnly: flag.bool("verify the image that the last stage stands on, and no other"),
  },
  exclusive: EXCLUSIVE_FLAGS,
  exitCodes: IMAGE_EXIT_CODES,
  async run(io, { args: [path = ""], flags }) {
    const text = Buffer.from(await readBlob(io, path)).toString("utf8");
    const { images, notices } = dockerfileImages(text, { path, env: io.env, baseOnly: flags.baseImageOnly });
    for (const notice of notices) io.stderr.write(`${printable(notice)}\n`);
    io.stderr.write(`Extracted image(s): ${printable(images.join(", "))}\n`);
    await verifyImages(io, images, flags);
  },
});
