import { SIGN_PREDICATE_TYPE } from "../evidence/media-types.ts";
import type { Digest } from "../format/digest.ts";
import { parseDigest } from "../format/digest.ts";
import { goJson } from "../format/go-json.ts";

/** What a signature of an image says. */
export interface SignedClaims {
  /** Digest of the image's manifest or index. */
  readonly digest: Digest;
  /** The `-a` values. */
  readonly annotations: Readonly<Record<string, string>>;
}

/**
 * The simple-signing payload cosign signs in the legacy form: Go's JSON, compact, annotation keys sorted bytewise,
 * `"optional":null` without any (cosign's SIGNATURE_SPEC, "Payload").
 *
 * @param claims with `dockerReference`: the repository's name, or a `--sign-container-identity`
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
 * The in-toto statement that `sign` makes in the bundle form: one subject without a name, its annotations always present,
 * and an empty predicate.
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
