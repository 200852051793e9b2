import { readBlob } from "../blob.ts";
import { TsignError } from "../errors.ts";
import type { Io } from "../io.ts";

/**
 * Requires that every statement satisfies every policy.
 *
 * @param paths CUE (.cue) and Rego (.rego) files
 * @throws TsignError "usage" for another kind of file, "no-match-bundle" with every reason
 */
export async function requirePolicies(
  io: Io,
  paths: readonly string[],
  statements: readonly { where: string; statement: Uint8Array }[],
): Promise<void> {
  const other = paths.find((path) => !/\.(cue|rego)$/.test(path));
  if (other) throw new TsignError("usage", `${other}: invalid policy format, expected .cue or .rego`);
  for (const path of paths) await readBlob(io, path);
  throw new TsignError("unsupported", `${paths.join(", ")}: policies are not available in this version`, {
    hint: `${statements.length} attestations verify without --policy`,
  });
}
