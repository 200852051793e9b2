import type { Run } from "../../cli/parser/define.ts";
import { verifySignatures } from "../../cli/verify-images.ts";
import { TsignError } from "../../errors.ts";
import { printable } from "../../format/printable.ts";
import type { Io } from "../../io/io.ts";
import { readBlob } from "../../net/input.ts";
import { dockerfileImages } from "../../sources/dockerfile.ts";
import { isDockersFrontend } from "../../sources/dockerfile-frontend.ts";
import type definition from "./verify.ts";

export const run: Run<typeof definition> = async (io, { args: [path = ""], flags, answer }) => {
  const { images, notices, frontend } = dockerfileImages(await readBlob(io, path), {
    path,
    env: io.env,
    baseOnly: flags.baseImageOnly,
    ignoreFrontend: (image) => flags.insecureIgnoreFrontend || isDockersFrontend(image),
    platform: readPlatform(io, flags.platform),
  });
  for (const notice of notices) io.stderr.write(`${printable(notice)}\n`);
  if (frontend !== undefined && !images.includes(frontend)) {
    io.stderr.write(`WARNING: the build frontend ${printable(frontend)} is not verified\n`);
  } else if (frontend !== undefined) {
    io.stderr.write(
      `- build frontend, from the syntax line: ${printable(frontend)} (skip it with --insecure-ignore-frontend)\n`,
    );
  }
  io.stderr.write(`Extracted image(s): ${printable(images.join(", "))}\n`);
  await verifySignatures(io, images, { flags, answer });
};

/** Architectures as images name them, by Node's names. */
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: "amd64", ia32: "386", arm: "arm/v7" };

/** Dockerfiles are built in a Linux virtual machine on other systems. */
function readPlatform(io: Io, platform: string): string {
  if (platform === "") return `linux/${ARCHITECTURES[io.platform.arch] ?? io.platform.arch}`;
  if (/^[a-z0-9]+\/[a-z0-9_]+(\/[a-z0-9.]+)?$/.test(platform)) return platform;
  throw new TsignError("usage", `--platform: "${platform}" is not os/architecture or os/architecture/variant`);
}
