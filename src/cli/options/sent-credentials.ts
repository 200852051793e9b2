import { TsignError } from "../../errors.ts";
import { printable } from "../../format/printable.ts";
import { isLocalName } from "../../images/local.ts";
import { parseReference } from "../../oci/ref.ts";
import type { registryFlags } from "../flags/registry.ts";
import type { FlagValues } from "../parser/define.ts";

/** The flags whose values are sent to every registry that a command contacts. */
export type CredentialFlags = Pick<
  FlagValues<typeof registryFlags>,
  "registryUsername" | "registryPassword" | "registryToken"
>;

/**
 * Refuses credentials of flags for images of several registries when a file names the images: whoever wrote the file would choose
 * who receives them. Stored logins are sent to their own registry only.
 *
 * @param images references, those of the command line included; names that are not references are skipped
 * @param path the file that names them, for the error
 * @throws TsignError "usage"
 */
export function requireOneRegistry(
  images: readonly string[],
  { path, flags }: { path: string; flags: CredentialFlags },
) {
  const { registryUsername, registryPassword, registryToken } = flags;
  const isPassword = registryUsername !== "" && registryPassword !== "";
  if (!isPassword && registryToken === "") return;
  const registries = new Set(images.flatMap(registryOf));
  if (registries.size < 2) return;
  const flag = isPassword ? "--registry-password" : "--registry-token";
  const found = [...registries].sort().map(printable);
  const shown = found.slice(0, SHOWN).join(", ") + (found.length > SHOWN ? `, … (${found.length})` : "");
  throw new TsignError("usage", `read ${printable(path)}: ${flag} requires images of one registry, found ${shown}`, {
    hint: `leave out ${flag}, and run \`tsign login REGISTRY\` for each of them`,
  });
}

/** Most registries that the error names. */
const SHOWN = 5;

function registryOf(image: string): string[] {
  if (isLocalName(image)) return [];
  try {
    return [parseReference(image).registry];
  } catch (error) {
    if (error instanceof TsignError) return []; // refused later, or a folder
    throw error;
  }
}
