import type { ErrorCode } from "../../errors.ts";

/** The help page of an error code. */
export interface ErrorPage {
  /** A sentence: what an error of this code means. */
  readonly meaning: string;
  /** What usually leads to it, the commonest first. */
  readonly causes: readonly string[];
  /** What to do, in the order to try it. */
  readonly remedies: readonly string[];
  /** A command that fails with it and the line it prints. */
  readonly example: { readonly command: string; readonly error: string };
}

/** The pages of the codes with which a verification ends, in the order of errors.ts. */
export const VERIFICATION_ERROR_PAGES = {
  "image-not-found": {
    meaning: "The image to verify does not exist. `tsign verify` exits with 11.",
    causes: [
      "the tag or the digest is misspelt",
      "the image was pushed to another registry or repository",
      "the registry hides private images from anonymous users",
    ],
    remedies: [
      "check the reference, for example with `tsign tree IMAGE`",
      "run `tsign login REGISTRY` if it is private",
    ],
    example: {
      command: "tsign verify --key cosign.pub registry.example/app:no-such-tag",
      error: "no such image: registry.example/app:no-such-tag",
    },
  },
  "no-signatures": {
    meaning: "The image has no signature in any format. `tsign verify` exits with 10.",
    causes: [
      "the image was never signed",
      "the tag was moved to a new image after signing",
      "signatures are kept in another repository (COSIGN_REPOSITORY)",
      "a mirror copied the image without its signatures",
      "the signature is on an index, and a platform's image is verified, or the other way round",
    ],
    remedies: [
      "run `tsign tree IMAGE` to see what is attached to it",
      "set COSIGN_REPOSITORY as it was when signing",
      "copy images with `tsign copy`, which takes signatures along",
    ],
    example: {
      command: "tsign verify --key cosign.pub registry.example/app:v1",
      error: "no signatures found for registry.example/app@sha256:…",
    },
  },
  "no-match": {
    meaning:
      "The image has signatures, at least one of them in the legacy format, and none satisfies the policy. " +
      "`tsign verify` exits with 12.",
    causes: [
      "the image was signed with another key or by another identity",
      "an annotation given with -a is not among the signed ones",
      "the signature is not in the transparency log, and is required to be",
      "the trusted root is not that of the services used for signing",
    ],
    remedies: [
      "read the line of each signature: it names the check that failed and both values",
      "run `tsign tree --signers IMAGE` to see who signed",
      "pass --trusted-root FILE for a Sigstore of your own",
    ],
    example: {
      command: "tsign verify --key other.pub registry.example/app:v1",
      error: "no matching signatures: 1 found for registry.example/app:v1, none verified (signature: …)",
    },
  },
  "no-match-bundle": {
    meaning:
      "The image has signatures or attestations, all of them Sigstore bundles, and none satisfies the policy. " +
      "The exit code is 1, as cosign's.",
    causes: [
      "the image was signed with another key or by another identity",
      "the attestations have another predicate type than --type",
      "the trusted root is not that of the services used for signing",
    ],
    remedies: [
      "read the line of each signature: it names the check that failed and both values",
      "run `tsign tree --signers IMAGE` to see who signed",
      "run `tsign bundle inspect FILE` on a bundle that was downloaded",
    ],
    example: {
      command:
        "tsign verify --certificate-identity a@example.com --certificate-oidc-issuer https://issuer.example IMAGE",
      error: "no matching signatures: 1 found for IMAGE, none verified (identity: …)",
    },
  },
  "bad-signature": {
    meaning: "The signature of a file does not verify.",
    causes: [
      "the file was changed after it was signed, for example its line endings",
      "the bundle or the signature is that of another file",
      "the file was signed with another key or by another identity",
    ],
    remedies: [
      "compare the digest of the file with the one in `tsign bundle inspect FILE`",
      "fetch the file and its bundle again from where they were published",
    ],
    example: {
      command: "tsign verify-blob --key cosign.pub --bundle file.sigstore.json file",
      error: "file.sigstore.json does not verify file: signature: not valid for this key and this content",
    },
  },
  policy: {
    meaning:
      "Attestations verify, and what they state does not satisfy the policies of --policy; or an image does not satisfy the " +
      "trust policy of --trust-policy.",
    causes: [
      "the predicate violates a rule of the policy",
      "the policy expects another predicate type or version",
      "a signer that the trust policy demands has not signed, is retired or is denied",
    ],
    remedies: [
      "print what the trust policy demands and what is missing with `tsign policy explain POLICY IMAGE`",
      "read the messages of the rules, which stand above the error",
      "print what was attested with `tsign download attestation IMAGE`",
    ],
    example: {
      command: "tsign verify-attestation --policy policy.rego --type slsaprovenance1 --key cosign.pub IMAGE",
      error: "1 of 1 attestations do not satisfy the policies",
    },
  },
  untrusted: {
    meaning: "A certificate, a trusted root or TUF metadata is not trusted, or no longer valid.",
    causes: [
      "the trust root is outdated, or that of another Sigstore",
      "the metadata of a TUF mirror has expired",
      "the clock of this machine is wrong",
      "a certificate has no path to a trusted root",
    ],
    remedies: [
      "run `tsign initialize` to fetch the current trust root",
      "check the clock",
      "pass --trusted-root FILE, or run `tsign initialize --mirror URL --root FILE`, for another Sigstore",
    ],
    example: {
      command: "tsign initialize --mirror https://tuf.example",
      error: "TUF: timestamp.json (version 12) expired at 2026-01-01T00:00:00Z",
    },
  },
  "bad-bundle": {
    meaning: "A bundle, envelope, payload or other document is malformed.",
    causes: [
      "the file is not a bundle: a signature, a certificate or an HTML page",
      "the file was cut off or edited",
      "the bundle was made by a program that does not follow the specification",
    ],
    remedies: [
      "run `tsign bundle inspect FILE` to see how far it can be read",
      "run `tsign bundle upgrade FILE` for a bundle of an older version",
      "fetch the file again",
    ],
    example: {
      command: "tsign verify-blob --key cosign.pub --bundle cosign.pub file",
      error: "cosign.pub is not valid JSON",
    },
  },
} as const satisfies Partial<Record<ErrorCode, ErrorPage>>;
