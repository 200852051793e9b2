import { TsignError } from "../../errors.ts";
import { digestOf } from "../../format/digest.ts";
import type { Io } from "../../io/io.ts";
import { isArchive } from "../../oci/layout/archive-files.ts";
import { loadTrust, type Needs, type TrustFiles, type TrustSources } from "../../services/trust/sources.ts";
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
  return loadTrustOrSaved(io, { files: flags, needs, warn });
}

/**
 * Loads trusted material, also from a trusted root that `tsign save` stored in an archive, with a warning that names its digest.
 *
 * @throws TsignError what `loadTrust` throws, and "input" for an archive without a trusted root
 */
export async function loadTrustOrSaved(io: Io, sources: TrustSources): Promise<TrustedMaterial> {
  const { files, warn } = sources;
  const { trustedRoot: path = "" } = files;
  if (!isArchive(path)) return loadTrust(io, sources);
  const trustedRoot = await readSavedRoot(io, path);
  warn(
    `using the trusted root in ${path}, ${digestOf(trustedRoot)}: compare this digest with the one that \`tsign save\` printed`,
  );
  return loadTrust(io, { ...sources, trustedRoot });
}

/** The flags with trusted material; "" if not given. */
type TrustFlags = Required<TrustFiles>;
