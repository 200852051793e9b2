import { TsignError } from "../errors.ts";
import type { Evidence, Unreadable } from "../evidence/model.ts";
import type { Digest } from "../format/digest.ts";
import type { TransportIo } from "../net/retry.ts";
import type { ImageStore } from "../oci/types.ts";
import { findStored, isWanted } from "./candidates.ts";
import type { ImageTarget } from "./open.ts";
import { protectedManifests } from "./protected.ts";
import { type Recognized, type Retention, type Standing, standings } from "./superseded.ts";
import { failureOf } from "./verdict.ts";
import { type VerifyImageOptions, verifyImage } from "./verify.ts";

/** One signature of an image, and what `prune` does with it. */
export interface Planned {
  readonly candidate: Evidence | Unreadable;
  /** Undefined for a signature that does not verify. */
  readonly recognized: Recognized | undefined;
  /** Why it stays, or the newer signatures that replace it. */
  readonly standing: Standing;
}

/**
 * Decides which signatures of an image newer ones of the same signer replace. Only what verifies for the given signers is recognized;
 * everything else stays, and so does a manifest that a tag, an index or another referrer needs. Attestations are not considered.
 *
 * @returns every signature in the order in which it is stored
 * @throws TsignError as `verify` if none verifies; the error of a place that cannot be searched, as others may need what is there
 */
export async function planPrune(
  io: TransportIo,
  target: ImageTarget,
  { verification, retention }: { verification: VerifyImageOptions; retention: Retention },
): Promise<Planned[]> {
  const candidates: (Evidence | Unreadable)[] = [];
  for await (const found of findStored(target, verification)) {
    if ("incomplete" in found) throw found.incomplete;
    if (isWanted(found, verification.wanted, () => {})) candidates.push(found);
  }
  const judged: Judged[] = [];
  for (const candidate of candidates) judged.push(await judge(io, target, candidate, verification));
  const recognized = judged.flatMap((each) => each.recognized ?? []);
  if (recognized.length === 0) throw await reasonOf(io, target, candidates, verification);
  const decided = standings(recognized, retention);
  const removed = recognized.filter((each) => "newer" in (decided.get(each) ?? {}));
  const reasons = removed.length > 0 ? await protectedManifests(target, removed.map(manifestOf)) : new Map();
  return judged.map(({ candidate, recognized, failure }) => {
    if (!recognized) return { candidate, recognized, standing: { kept: `not recognized: ${failure}` } };
    const standing = decided.get(recognized) ?? { kept: "it was not compared" };
    const reason: string | undefined = reasons.get(manifestOf(recognized));
    return { candidate, recognized, standing: "newer" in standing && reason ? { kept: reason } : standing };
  });
}

interface Judged {
  readonly candidate: Evidence | Unreadable;
  readonly recognized: Recognized | undefined;
  readonly failure: string;
}

async function judge(
  io: TransportIo,
  target: ImageTarget,
  candidate: Evidence | Unreadable,
  options: VerifyImageOptions,
): Promise<Judged> {
  if ("unreadable" in candidate) {
    return { candidate, recognized: undefined, failure: failureOf(candidate, undefined).reason };
  }
  const { verified, failures } = await verifyImage(io, target, { ...options, given: [candidate] });
  const [first] = verified;
  const [failed] = failures;
  if (!first) return { candidate, recognized: undefined, failure: `${failed?.check}: ${failed?.reason}` };
  const claimed = await claimedTime(target.attachments, candidate);
  return { candidate, recognized: { evidence: candidate, verified: first, claimed }, failure: "" };
}

/** The time of signing that the manifest of a bundle states. */
async function claimedTime(store: ImageStore, { origin }: Evidence): Promise<Date | undefined> {
  if (!origin.stored || origin.stored.layer) return undefined;
  const stored = await store.manifest(origin.stored.manifest);
  const time = new Date(stored?.manifest.annotations["org.opencontainers.image.created"] ?? Number.NaN);
  return Number.isNaN(time.getTime()) ? undefined : time;
}

/** The error of `verify` for an image of which no signature verifies. */
async function reasonOf(
  io: TransportIo,
  target: ImageTarget,
  candidates: readonly (Evidence | Unreadable)[],
  options: VerifyImageOptions,
): Promise<unknown> {
  const given = candidates.filter((each) => "content" in each);
  const [unreadable] = candidates.filter((each) => "unreadable" in each);
  if (given.length === 0 && unreadable) {
    return new TsignError("no-match-bundle", `no matching signatures: ${unreadable.unreadable}`);
  }
  const verdict = await verifyImage(io, target, { ...options, given });
  return verdict.ok ? new TsignError("internal", `${target.name}: the verdict changed`) : verdict.error;
}

/** The manifest that contains a signature. */
export function manifestOf({ evidence }: Pick<Recognized, "evidence">): Digest {
  const { stored, where } = evidence.origin;
  if (!stored) throw new TsignError("internal", `${where} is not stored in a repository`);
  return stored.manifest;
}
