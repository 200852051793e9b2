import { TsignError } from "../../errors.ts";
import type { Io } from "../../io/io.ts";
import { loadTrust, type Needs, type TrustFiles } from "../../services/trust/sources.ts";
import type { TrustedMaterial } from "../../trust/material.ts";

/**
 * Loads the trusted material of the flags, else of the environment, else of the TUF repository; warnings go to stderr.
 *
 * @throws TsignError "usage" for flags that cannot be used together, and what `loadTrust` throws
 */
export async function trustOfFlags(io: Io, flags: TrustFlags, needs: Needs): Promise<TrustedMaterial> {
  if (flags.certificateChain !== "" && (flags.caRoots !== "" || flags.caIntermediates !== "")) {
    throw new TsignError(
      "usage",
      `--certificate-chain and ${flags.caRoots === "" ? "--ca-intermediates" : "--ca-roots"} cannot be used together`,
    );
  }
  return loadTrust(io, { files: flags, needs, warn: (text) => io.stderr.write(`WARNING: ${text}\n`) });
}

/** The flags with trusted material; "" if not given. */
type TrustFlags = Required<TrustFiles>;
