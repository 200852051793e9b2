import { buildPlatform, printFrontend, readImageFile } from "../../cli/options/image-sources.ts";
import { requireOneRegistry } from "../../cli/options/sent-credentials.ts";
import type { Run } from "../../cli/parser/define.ts";
import { verifySignatures } from "../../cli/verify-images.ts";
import { TsignError } from "../../errors.ts";
import { printable } from "../../format/printable.ts";
import type { Io } from "../../io/io.ts";
import { isDockersFrontend } from "../../sources/dockerfile-frontend.ts";
import type definition from "./verify.ts";

export const run: Run<typeof definition> = async (io, { args: [path = ""], flags, given, answer }) => {
  const { read } = await readImageFile(io, path, {
    format: "dockerfile",
    baseOnly: flags.baseImageOnly,
    ignoreFrontend: (image) => flags.insecureIgnoreFrontend || isDockersFrontend(image),
    platform: readPlatform(io, flags.platform),
  });
  printFrontend(io, read, " (skip it with --insecure-ignore-frontend)");
  const images = [...new Set(read.images.map(({ image }) => image))];
  requireOneRegistry(images, { path, flags });
  io.stderr.write(`Extracted image(s): ${printable(images.join(", "))}\n`);
  await verifySignatures(io, images, { flags, given, answer });
};

function readPlatform(io: Io, platform: string): string {
  if (platform === "") return buildPlatform(io);
  if (/^[a-z0-9]+\/[a-z0-9_]+(\/[a-z0-9.]+)?$/.test(platform)) return platform;
  throw new TsignError("usage", `--platform: "${platform}" is not os/architecture or os/architecture/variant`);
}
