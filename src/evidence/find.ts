import { TsignError } from "../errors.ts";
import type { Digest } from "../format/digest.ts";
import { inParallel } from "../oci/parallel.ts";
import { attachmentTag } from "../oci/tags.ts";
import type { Descriptor, ImageStore, StoredManifest } from "../oci/types.ts";
import {
  BUNDLE_ANNOTATION,
  BUNDLE_MEDIA_TYPE_PREFIX,
  MAX_CANDIDATES,
  SIGNATURE_ARTIFACT_TYPE,
  SIMPLE_SIGNING_MEDIA_TYPE,
} from "./media-types.ts";
import type { Evidence, Origin, Unreadable } from "./model.ts";
import { readBundle } from "./read-bundle.ts";
import { readAttestationLayer, readSignatureLayer } from "./read-legacy.ts";
import { refuseOtherType } from "./statement.ts";

export interface FindOptions {
  readonly subject: Digest;
  /** Which stored forms to look for. */
  readonly forms: { readonly legacy: boolean; readonly bundle: boolean };
  /** Which legacy tag to look under: of signatures by default. */
  readonly attachment?: "sig" | "att";
  readonly tagPrefix: string;
  /** Largest payload or bundle, in bytes. */
  readonly maxBytes: number;
  /** Most fetches at a time. */
  readonly workers: number;
}

/**
 * Everything stored beside an image that claims to sign it: the layers of its `.sig` tag, then its referrers, each in
 * stored order. A candidate that cannot be fetched or read is yielded as Unreadable, so that it hides no other; a listing
 * that fails is thrown, so that it never looks like "no signatures".
 */
export async function findEvidence(store: ImageStore, options: FindOptions): Promise<(Evidence | Unreadable)[]> {
  const { legacy, bundle } = options.forms;
  const [tagged, referring] = await Promise.all([
    legacy ? findTagged(store, options) : [],
    legacy || bundle ? findReferring(store, options) : [],
  ]);
  return [...tagged, ...referring];
}

async function findTagged(store: ImageStore, options: FindOptions): Promise<(Evidence | Unreadable)[]> {
  const attachment = options.attachment ?? "sig";
  const tag = attachmentTag(options.subject, attachment, options.tagPrefix);
  const stored = await store.manifest(tag);
  const kind = attachment === "att" ? "att-tag" : "sig-tag";
  return stored ? readSignatureImage({ store, stored, where: `${store.name}:${tag}`, kind, options }) : [];
}

async function findReferring(store: ImageStore, options: FindOptions): Promise<(Evidence | Unreadable)[]> {
  const listed = await store.referrers(options.subject);
  if (listed.length > MAX_CANDIDATES) {
    throw new TsignError("limit", `${store.name} lists ${listed.length} referrers, more than ${MAX_CANDIDATES}`);
  }
  const found = await inParallel(listed, options.workers, (descriptor) => readReferrer(store, descriptor, options));
  return found.flat();
}

/** A referrer that is neither a bundle nor a signature image (an SBOM, say) is no candidate. */
async function readReferrer(
  store: ImageStore,
  descriptor: Descriptor,
  options: FindOptions,
): Promise<(Evidence | Unreadable)[]> {
  const where = `${store.name}@${descriptor.digest}`;
  const origin: Origin = { kind: "referrer", where };
  try {
    const stored = await store.manifest(descriptor.digest);
    if (!stored) return [{ origin, unreadable: "listed as a referrer, but not there" }];
    const [layer, ...others] = stored.manifest.layers;
    if (layer && others.length === 0 && isBundle(stored)) {
      if (!options.forms.bundle) return [];
      const bytes = await store.blob(layer, { maxBytes: options.maxBytes });
      const evidence = readBundle(bytes, origin);
      const { annotations } = stored.manifest;
      refuseOtherType(evidence.content, annotations[BUNDLE_ANNOTATION.predicateType]);
      return [{ ...evidence, annotations, document: bytes }];
    }
    if (options.forms.legacy && options.attachment !== "att" && isSignatureImage(stored)) {
      return await readSignatureImage({ store, stored, where, kind: "referrer", options });
    }
    return [];
  } catch (error) {
    return [{ origin, unreadable: reason(error) }];
  }
}

/**
 * Whether a referrer is a bundle: by its layer's media type, or by its own where the layer has a general one, as what
 * `oras attach --artifact-type=…` stores. What the layer holds decides in the end.
 */
export function isBundle({ manifest }: StoredManifest): boolean {
  const types = [manifest.layers[0]?.mediaType, manifest.artifactType];
  return types.some((type) => type?.startsWith(BUNDLE_MEDIA_TYPE_PREFIX));
}

/** Whether a referrer is a legacy signature image (cosign's OCI 1.1 mode). */
export function isSignatureImage({ manifest }: StoredManifest): boolean {
  return (
    (manifest.artifactType ?? manifest.config?.mediaType) === SIGNATURE_ARTIFACT_TYPE ||
    (manifest.layers.length > 0 && manifest.layers.every((layer) => layer.mediaType === SIMPLE_SIGNING_MEDIA_TYPE))
  );
}

async function readSignatureImage(from: {
  store: ImageStore;
  stored: StoredManifest;
  where: string;
  kind: Origin["kind"];
  options: FindOptions;
}): Promise<(Evidence | Unreadable)[]> {
  const { layers } = from.stored.manifest;
  if (layers.length > MAX_CANDIDATES) {
    throw new TsignError("limit", `${from.where} has ${layers.length} layers, more than ${MAX_CANDIDATES}`);
  }
  const payloads = new Map<Digest, Promise<Uint8Array>>(); // several signatures may share one payload
  return inParallel(layers, from.options.workers, async (layer, index) => {
    const origin: Origin = { kind: from.kind, where: `${from.where}, layer ${index + 1}` };
    try {
      const payload = payloads.get(layer.digest) ?? from.store.blob(layer, { maxBytes: from.options.maxBytes });
      payloads.set(layer.digest, payload);
      const read = from.kind === "att-tag" ? readAttestationLayer : readSignatureLayer;
      return read({ payload: await payload, annotations: layer.annotations ?? {}, origin });
    } catch (error) {
      return { origin, unreadable: reason(error) };
    }
  });
}

/** The message of an expected failure; a defect of our own, or the user's stop, is no candidate's fault. */
function reason(error: unknown): string {
  if (!(error instanceof TsignError) || error.code === "internal" || error.code === "cancelled") throw error;
  return error.message;
}
