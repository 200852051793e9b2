import { readImageFile } from "../../cli/options/image-sources.ts";
import { requireOneRegistry } from "../../cli/options/sent-credentials.ts";
import type { Run } from "../../cli/parser/define.ts";
import { verifySignatures } from "../../cli/verify-images.ts";
import { printable } from "../../format/printable.ts";
import type definition from "./verify.ts";

export const run: Run<typeof definition> = async (io, { args: [path = ""], flags, given, answer }) => {
  const { read } = await readImageFile(io, path, { format: "kubernetes" });
  const images = [...new Set(read.images.map(({ image }) => image))];
  requireOneRegistry(images, { path, flags });
  io.stderr.write(`Extracted image(s): ${printable(images.join(", "))}\n`);
  await verifySignatures(io, images, { flags, given, answer });
};
