import { TsignError } from "../../errors.ts";
import type { Io } from "../../io/io.ts";
import { loadTrust, type Needs, type TrustFiles } from "../../services/trust/sources.ts";
import type { TrustedMaterial } from "../../trust/material.ts";

/**
 * Whom the flags say to trust, else the environment, else the TUF repository in use; warnings go to stderr.
 *
 * @throws TsignError "usage" for flags that exclude one another, and what `loadTrust` throws
 */
export async function trustOfFlags(io: Io, flags: TrustFlags, needs: Needs): Promise<TrustedMaterial> {
  if (flags.certificateChain !== "" && (flags.caRoots !== "" || flags.caIntermediates !== "")) {
    throw new TsignError("usage", "--certificate-chain and --ca-roots or --ca-intermediates exclude one another");
  }
  return loadTrust(io, { files: flags, needs, warn: (text) => io.stderr.write(`WARNING: ${text}\n`) });
}

/** The flags that name trust; empty where they are not given. */
type TrustFlags = Required<TrustFiles>;
