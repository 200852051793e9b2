import { TsignError } from "../../errors.ts";
import { missingReferrer } from "../../oci/missing-referrer.ts";
import { mapAhead } from "../../oci/parallel.ts";
import type { Descriptor, ListedDescriptor, StoredManifest } from "../../oci/types.ts";
import { isBundle, isSignatureImage, mayBeOurs } from "../kinds.ts";
import { BUNDLE_ANNOTATION } from "../media-types.ts";
import type { Found, Incomplete, Origin, Unreadable } from "../model.ts";
import { MAX_AT_ONCE, SMALL } from "./blobs.ts";
import { incomplete, readSignatureImage, type Search, spend, unreadable } from "./layers.ts";

/** Most referrers of one image. */
const MAX_REFERRERS = 100_000;
/** Most referrers of other types to fetch if there are no candidates: some registries list wrong types. */
const MAX_OTHERS = 32;

/** The result of reading a referrer; an image stands for its layers, undefined for no candidate. */
type Read = Found | { readonly image: StoredManifest; readonly where: string } | undefined;

/** Finds bundles and signature images among an image's referrers, small ones first. */
export async function* findReferring(search: Search): AsyncGenerator<Found, void, undefined> {
  const { options } = search;
  const large: Candidate[] = [];
  const looked = { candidates: 0, others: [] as ListedDescriptor[], total: 0 };
  const ahead = { limit: options.workers };
  const opened = mapAhead(listed(search, looked), ahead, (each) => openReferrer(search, each));
  yield* readAll(search, small(opened, large));
  if (looked.candidates === 0 && looked.others.length === looked.total) {
    yield* readAll(
      search,
      small(
        mapAhead(looked.others, ahead, (each) => openReferrer(search, each)),
        large,
      ),
    );
  }
  yield* readAll(search, large);
}

/** A classified referrer, with only the needed parts of its manifest. */
type Candidate =
  | {
      readonly kind: "bundle";
      readonly layer: Descriptor;
      readonly stated: string | undefined;
      readonly origin: Origin;
    }
  | { readonly kind: "image"; readonly stored: StoredManifest; readonly where: string }
  | { readonly kind: "other" }
  | { readonly kind: "found"; readonly found: Unreadable | Incomplete };

/** Lists the referrers that may be signatures, and the errors for unreadable entries and lists. */
async function* listed(
  { store, options }: Search,
  looked: { candidates: number; others: ListedDescriptor[]; total: number },
): AsyncGenerator<ListedDescriptor | Unreadable | Incomplete, void, undefined> {
  const origin: Origin = { kind: "referrer", where: `${store.name}@${options.subject}` };
  try {
    for await (const entry of store.referrers(options.subject)) {
      if ("unreadable" in entry) yield { origin, unreadable: entry.unreadable };
      else if (mayBeOurs(entry)) {
        if (++looked.candidates > MAX_REFERRERS) {
          throw new TsignError(
            "limit",
            `${origin.where} has more than ${MAX_REFERRERS} referrers that may be signatures`,
          );
        }
        yield entry;
      } else {
        looked.total++;
        if (looked.others.length < MAX_OTHERS) looked.others.push(entry);
      }
    }
  } catch (error) {
    yield incomplete(origin, error);
  }
}

async function openReferrer(
  { store, options }: Search,
  entry: ListedDescriptor | Unreadable | Incomplete,
): Promise<Candidate> {
  if (!("digest" in entry)) return { kind: "found", found: entry };
  const where = `${store.name}@${entry.digest}`;
  try {
    const stored = await store.manifest(entry.digest);
    if (!stored) throw missingReferrer(entry);
    const [layer, ...others] = stored.manifest.layers;
    if (layer && others.length === 0 && isBundle(stored)) {
      if (!options.forms.bundle) return { kind: "other" };
      const origin: Origin = { kind: "referrer", where, stored: { manifest: entry.digest } };
      return { kind: "bundle", layer, stated: stored.manifest.annotations[BUNDLE_ANNOTATION.predicateType], origin };
    }
    const wanted = options.forms.legacy && options.attachment !== "att" && isSignatureImage(stored);
    return wanted ? { kind: "image", stored, where } : { kind: "other" };
  } catch (error) {
    return { kind: "found", found: unreadable({ kind: "referrer", where }, error) };
  }
}

/** Yields small candidates and collects large ones, which are read last. */
async function* small(candidates: AsyncIterable<Candidate>, large: Candidate[]): AsyncGenerator<Candidate> {
  for await (const candidate of candidates) {
    if (candidate.kind === "bundle" && candidate.layer.size > SMALL) large.push(candidate);
    else if (candidate.kind !== "other") yield candidate;
  }
}

async function* readAll(
  search: Search,
  candidates: AsyncIterable<Candidate> | Iterable<Candidate>,
): AsyncGenerator<Found, void, undefined> {
  const ahead = { limit: search.options.workers, weigh: weightOf, budget: MAX_AT_ONCE };
  for await (const read of mapAhead(candidates, ahead, (each) => readCandidate(search, each))) {
    if (read === undefined) continue;
    if (!("image" in read)) yield read;
    else yield* readSignatureImage(search, { stored: read.image, where: read.where, kind: "referrer" });
  }
}

function weightOf(candidate: Candidate): number {
  return candidate.kind === "bundle" ? candidate.layer.size : 0;
}

async function readCandidate(search: Search, candidate: Candidate): Promise<Read> {
  if (candidate.kind === "found") return candidate.found;
  if (candidate.kind === "other") return undefined;
  if (candidate.kind === "image") return { image: candidate.stored, where: candidate.where };
  const { layer, stated, origin } = candidate;
  try {
    return await search.bundles.read(layer, { origin, stated, spend: () => spend(search, layer) });
  } catch (error) {
    return unreadable(origin, error);
  }
}
