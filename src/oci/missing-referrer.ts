import { TsignError } from "../errors.ts";
import type { ListedDescriptor } from "./types.ts";

/**
 * Builds the error for a listed referrer whose manifest does not exist. `cosign clean` deletes manifests and leaves the fallback
 * index behind, so an entry from there is reported as one of an out-of-date index.
 *
 * @returns a TsignError "registry"
 */
export function missingReferrer({ fallbackIndex }: Pick<ListedDescriptor, "fallbackIndex">): TsignError {
  const reason =
    fallbackIndex === undefined
      ? "the registry lists it as a referrer"
      : `the referrers index ${fallbackIndex} still lists it and is out of date`;
  return new TsignError("registry", `manifest not found, but ${reason}`);
}
