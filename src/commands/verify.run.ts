import { readImageInputs } from "../cli/options/image-sources.ts";
import type { Run } from "../cli/parser/define.ts";
import { verifySignatures } from "../cli/verify-images.ts";
import type definition from "./verify.ts";

export const run: Run<typeof definition> = async (io, { args, flags, given, answer }) => {
  const { images, setDigest, pinAfter } = await readImageInputs(io, args, flags);
  await pinAfter(() => verifySignatures(io, images, { flags, given, answer, onVerified: setDigest }));
};
