import { readImageInputs } from "../cli/options/image-sources.ts";
import type { Run } from "../cli/parser/define.ts";
import { verifySignatures } from "../cli/verify-images.ts";
import type definition from "./verify.ts";

export const run: Run<typeof definition> = async (io, { args, flags, given, answer }) => {
  const { images, setDigest, writePinned } = await readImageInputs(io, args, flags);
  await verifySignatures(io, images, { flags, given, answer, onVerified: setDigest });
  await writePinned();
};
