import type { Run } from "../cli/parser/define.ts";
import { verifySignatures } from "../cli/verify-images.ts";
import type definition from "./verify.ts";

export const run: Run<typeof definition> = (io, { args, flags, answer }) =>
  verifySignatures(io, args, { flags, answer });
