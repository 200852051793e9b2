import { TsignError } from "../errors.ts";
import type { Digest } from "../format/digest.ts";
import { isObject } from "../format/json.ts";
import { parseRepository, type Repository } from "../oci/ref.ts";
import { isSameRepository } from "./image-names.ts";
import type { TextPattern, VsaDemand } from "./model.ts";

const LEVEL = /^SLSA_BUILD_LEVEL_([0-4])$/;

/**
 * Why a verification summary does not satisfy the demand; empty if it does. A summary that does not state PASSED never does
 * (SLSA v1.1, "Verification Summary Attestation").
 *
 * @param statement an in-toto statement of type https://slsa.dev/verification_summary/v1
 * @param image the repository of the image as it is named; undefined for a file
 */
export function vsaFaults(statement: unknown, demand: VsaDemand, image: Repository | undefined): string[] {
  const { verifier, policy, policyDigests, resource, level } = demand;
  const predicate = member(statement, "predicate");
  const result = member(predicate, "verificationResult");
  const levels = member(predicate, "verifiedLevels");
  const stated = Array.isArray(levels) ? levels.map(levelOf) : [];
  const found = Math.max(0, ...stated);
  return [
    ...(result === "PASSED" ? [] : [`verificationResult mismatch: got ${shown(result)}, want PASSED`]),
    ...mismatch("verifier.id", member(member(predicate, "verifier"), "id"), verifier),
    ...(policy ? mismatch("policy.uri", member(member(predicate, "policy"), "uri"), policy) : []),
    ...(policyDigests
      ? digestFaults(member(member(member(predicate, "policy"), "digest"), "sha256"), policyDigests)
      : []),
    ...(resource
      ? mismatch("resourceUri", member(predicate, "resourceUri"), resource === "own" ? ownResource(image) : resource)
      : []),
    ...(level === undefined || found >= level
      ? []
      : [`verifiedLevels mismatch: got SLSA build level ${found}, want at least ${level}`]),
  ];
}

/** The URI of the image's repository, by any of its names: `oci://registry/repository`. */
function ownResource(image: Repository | undefined): TextPattern {
  const isOwn = (uri: string) => {
    if (image === undefined || !uri.startsWith("oci://")) return false;
    try {
      return isSameRepository(parseRepository(uri.slice("oci://".length)), image);
    } catch (error) {
      if (error instanceof TsignError) return false;
      throw error;
    }
  };
  return { text: `oci://${image?.name ?? ""}`, matches: isOwn };
}

function levelOf(stated: unknown): number {
  return typeof stated === "string" ? Number(LEVEL.exec(stated)?.[1] ?? 0) : 0;
}

/** @param actual lower-case hex, or what else is in its place */
function digestFaults(actual: unknown, digests: readonly Digest[]): string[] {
  if (typeof actual === "string" && digests.includes(`sha256:${actual}`)) return [];
  return [`policy.digest mismatch: got ${shown(actual)}, want ${digests.join(" or ")}`];
}

function mismatch(field: string, actual: unknown, pattern: TextPattern): string[] {
  if (typeof actual === "string" && pattern.matches(actual)) return [];
  return [`${field} mismatch: got ${shown(actual)}, want ${pattern.text}`];
}

function shown(value: unknown): string {
  return typeof value === "string" ? value : "none";
}

function member(value: unknown, name: string): unknown {
  return isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
}
