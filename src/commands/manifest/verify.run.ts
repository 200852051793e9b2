import type { Run } from "../../cli/parser/define.ts";
import { verifySignatures } from "../../cli/verify-images.ts";
import { printable } from "../../format/printable.ts";
import { readBlob } from "../../net/input.ts";
import { manifestImages } from "../../sources/kubernetes.ts";
import type definition from "./verify.ts";

export const run: Run<typeof definition> = async (io, { args: [path = ""], flags, answer }) => {
  const images = manifestImages(await readBlob(io, path), path);
  io.stderr.write(`Extracted image(s): ${printable(images.join(", "))}\n`);
  await verifySignatures(io, images, { flags, answer });
};
