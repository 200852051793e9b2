import { SIGN_PREDICATE_TYPE } from "../evidence/media-types.ts";
import type { Digest } from "../format/digest.ts";
import { parseDigest } from "../format/digest.ts";
import { goJson } from "../format/go-json.ts";

/** The signed facts about an image. */
export interface SignedClaims {
  /** Digest of the image's manifest or index. */
  readonly digest: Digest;
  /** The `-a` values. */
  readonly annotations: Readonly<Record<string, string>>;
}

/**
 * Returns the simple-signing payload that cosign signs in the legacy form: Go's JSON, compact, annotation keys sorted bytewise,
 * `"optional":null` if there are none (cosign's SIGNATURE_SPEC, "Payload").
 *
 * @param claims.dockerReference the name of the repository, or the `--sign-container-identity`
 */
export function simpleSigningPayload(claims: SignedClaims & { dockerReference: string }): Uint8Array {
  const keys = Object.keys(claims.annotations).sort(bytewise);
  const optional = keys.length === 0 ? null : Object.fromEntries(keys.map((key) => [key, claims.annotations[key]]));
  return Buffer.from(
    goJson({
      critical: {
        identity: { "docker-reference": claims.dockerReference },
        image: { "docker-manifest-digest": claims.digest },
        type: "cosign container image signature",
      },
      optional,
    }),
  );
}

/**
 * Returns the in-toto statement that `sign` signs in the bundle form: one subject without a name, always with annotations, and
 * an empty predicate.
 */
export function signStatement(claims: SignedClaims): Uint8Array {
  const { algorithm, hex } = parseDigest(claims.digest);
  return Buffer.from(
    JSON.stringify({
      _type: "https://in-toto.io/Statement/v1",
      subject: [{ digest: { [algorithm]: hex }, annotations: claims.annotations }],
      predicateType: SIGN_PREDICATE_TYPE,
      predicate: {},
    }),
  );
}

function bytewise(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
