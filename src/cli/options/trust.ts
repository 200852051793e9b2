import { TsignError } from "../../errors.ts";
import { digestOf } from "../../format/digest.ts";
import type { Io } from "../../io/io.ts";
import { isArchive } from "../../oci/layout/archive-files.ts";
import { loadTrust, type Needs, type TrustFiles } from "../../services/trust/sources.ts";
import type { TrustedMaterial } from "../../trust/material.ts";
import { readSavedRoot } from "./saved-root.ts";

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
  const warn = (text: string) => io.stderr.write(`WARNING: ${text}\n`);
  if (!isArchive(flags.trustedRoot)) return loadTrust(io, { files: flags, needs, warn });
  const trustedRoot = await readSavedRoot(io, flags.trustedRoot);
  warn(
    `using the trusted root in ${flags.trustedRoot}, ${digestOf(trustedRoot)}: compare this digest with the one that \`tsign save\` printed`,
  );
  return loadTrust(io, { files: flags, needs, warn, trustedRoot });
}

/** The flags with trusted material; "" if not given. */
type TrustFlags = Required<TrustFiles>;
