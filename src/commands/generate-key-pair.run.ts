import { createServiceKey, storeKeyPair, writeKeyPair } from "../cli/options/key-files.ts";
import type { Run } from "../cli/parser/define.ts";
import { generatePrivateKey } from "../keys/reference.ts";
import type definition from "./generate-key-pair.ts";

export const run: Run<typeof definition> = async (io, { args, flags }) => {
  const [place] = args;
  if (flags.kms !== "") return createServiceKey(io, flags.kms, flags.outputKeyPrefix);
  if (place !== undefined) return storeKeyPair(io, place, generatePrivateKey());
  await writeKeyPair(io, { key: generatePrivateKey(), prefix: flags.outputKeyPrefix, assumeYes: false });
};
