import type { TrustPolicy } from "./model.ts";
import { pathBeside } from "./sources.ts";

/**
 * The files that a policy names: keys, trusted material, CUE and Rego policies. Not what is at a URL or in a key service, and not
 * keys that are written into the policy.
 *
 * @returns each reference once, as it is written, with its path
 */
export function filesOf({ path, signers, denied, trust, rules }: TrustPolicy): { reference: string; path: string }[] {
  const keys = [...signers.values()].flatMap((signer) => (signer.kind === "key" ? [signer.reference] : []));
  const materials = [...trust.values()].flatMap((each) => [
    ...[each.trustedRoot, each.authorities, each.intermediates, each.timestampAuthority],
  ]);
  const policies = rules
    .flatMap(({ demands }) => demands)
    .flatMap(({ attestation }) => attestation?.policies ?? [])
    .flatMap((each) => ("file" in each ? [each.file] : []));
  const all = [...keys, ...denied.keys.map(({ reference }) => reference), ...materials, ...policies];
  const named = new Set(all.filter((each) => each !== undefined && !each.includes("-----BEGIN") && !isElsewhere(each)));
  return [...named].map((reference) => ({ reference: reference ?? "", path: pathBeside(path, reference ?? "") }));
}

/** Whether a reference is a URL, or names a key in a service. */
function isElsewhere(reference: string | undefined): boolean {
  return /^[a-z][a-z0-9+.-]+:/i.test(reference ?? "");
}
