import { TsignError } from "../errors.ts";
import { SIGN_PREDICATE_TYPE } from "../evidence/media-types.ts";
import { putBundleReferrer } from "../evidence/write-referrer.ts";
import { parseDigest } from "../format/digest.ts";
import { descriptorOf, openAttachmentStore, openImage, type RegistryImage } from "../images/open.ts";
import { signStatement } from "../sign/payload.ts";
import { registries } from "./handles.ts";
import type { AttestImageOptions, SignedImage, SignImageOptions } from "./signing-types.ts";

/**
 * Signs an image, and stores the signature as a Sigstore bundle that refers to the image.
 *
 * A tag may change between two requests. Use a reference with a digest to sign exactly that image.
 *
 * @param reference `[registry/]repository[:tag][@digest]`
 * @throws TsignError "image-not-found"; "auth", "network", "timeout" or "registry" of the registry; and what the session throws
 */
export async function signImage(reference: string, options: SignImageOptions): Promise<SignedImage> {
  const { annotations = {} } = options;
  return storeSigned(reference, options, SIGN_PREDICATE_TYPE, ({ digest }) =>
    Buffer.from(signStatement({ digest, annotations })).toString("utf8"),
  );
}

/**
 * Signs a statement about an image with any predicate, and stores it as a Sigstore bundle that refers to the image.
 *
 * @param reference `[registry/]repository[:tag][@digest]`
 * @throws TsignError "usage" for a predicate type that is not a URI; otherwise as `signImage`
 */
export async function attestImage(reference: string, options: AttestImageOptions): Promise<SignedImage> {
  const { predicateType, predicate } = options;
  if (!URL.canParse(predicateType))
    throw new TsignError("usage", `invalid predicate type: "${predicateType}" is not a URI`);
  if (predicateType === SIGN_PREDICATE_TYPE) {
    throw new TsignError("usage", "invalid predicate type: this is the type of image signatures", {
      hint: "use signImage to sign an image",
    });
  }
  return storeSigned(reference, options, predicateType, ({ digest, ref }) => {
    const { algorithm, hex } = parseDigest(digest);
    return JSON.stringify({
      _type: "https://in-toto.io/Statement/v1",
      subject: [{ name: ref.name, digest: { [algorithm]: hex } }],
      predicateType,
      predicate,
    });
  });
}

async function storeSigned(
  reference: string,
  options: Omit<SignImageOptions, "annotations">,
  predicateType: string,
  statementOf: (image: RegistryImage) => string,
): Promise<SignedImage> {
  const { io: opened, options: registry } = registries.partsOf(options.registry);
  const { session, attachmentRepository: repository, created = opened.now() } = options;
  const io = repository === undefined ? opened : { ...opened, env: { ...opened.env, COSIGN_REPOSITORY: repository } };
  const image = await openImage(io, reference, { registry, mustExist: true });
  const subject = await descriptorOf(image);
  const bundle = await session.signStatement(statementOf(image));
  const store = await openAttachmentStore(io, image, registry);
  const stored = await putBundleReferrer({ store, subject, bundle, predicateType, created });
  return {
    reference: `${image.ref.name}@${image.digest}`,
    digest: image.digest,
    bundle,
    stored: `${store.name}@${stored.digest}`,
  };
}
