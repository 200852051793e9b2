import type { Evidence } from "../evidence/model.ts";
import { type Digest, parseDigest } from "../format/digest.ts";
import type { Decided } from "./decide.ts";
import type { TrustPolicy } from "./model.ts";
import { SUMMARY_TYPE } from "./read-demands.ts";

/** Who decided, and by which policy, as a verification summary names them. */
export interface SummaryNames {
  /** URI of the verifier: `verifier.id`. */
  readonly verifier: string;
  /** Version of this program. */
  readonly version: string;
  /** URI of the policy: `policy.uri`. */
  readonly policy: string;
}

/**
 * Returns the SLSA verification summary of an image that satisfies a policy: an in-toto statement that states PASSED (SLSA v1.1,
 * "Verification Summary Attestation"). Its level is the highest SLSA build level that the rule demands.
 *
 * @param of.resource where the image is expected to be fetched from: `registry/repository`
 * @param of.source the repository in which the signatures and attestations were found
 * @param of.now when it was decided
 * @returns JSON; undefined for an image that is accepted without being verified, of which no summary can state that it passed
 */
export function verificationSummary(
  { decision, verified, evidence }: Decided,
  of: {
    readonly policy: TrustPolicy;
    readonly names: SummaryNames;
    readonly digest: Digest;
    readonly resource: string;
    readonly source: string;
    readonly now: Date;
  },
): Uint8Array | undefined {
  const { policy, names, digest, resource, source, now } = of;
  if (!decision.ok || verified.length === 0 || decision.digest !== digest) return undefined;
  const levels = policy.rules
    .filter(({ place }) => place === decision.rule?.place)
    .flatMap(({ demands }) =>
      demands.map(({ attestation }) => attestation?.slsa?.level ?? attestation?.vsa?.level ?? 0),
    );
  const level = Math.max(0, ...levels);
  const statement = {
    _type: "https://in-toto.io/Statement/v1",
    subject: [{ name: resource, digest: digestMap(digest) }],
    predicateType: SUMMARY_TYPE,
    predicate: {
      verifier: { id: names.verifier, version: { tsign: names.version } },
      timeVerified: now.toISOString().replace(/\.\d+Z$/, "Z"),
      resourceUri: `oci://${resource}`,
      policy: { uri: names.policy, digest: digestMap(policy.digest) },
      inputAttestations: evidence.flatMap((each) => inputOf(each, source)).toSorted((a, b) => (a.uri < b.uri ? -1 : 1)), // so that an equal decision has an equal summary
      verificationResult: "PASSED",
      verifiedLevels: [level === 0 ? "SLSA_BUILD_LEVEL_UNEVALUATED" : `SLSA_BUILD_LEVEL_${level}`],
      slsaVersion: "1.1",
    },
  };
  return Buffer.from(JSON.stringify(statement));
}

/** A signature or attestation as a ResourceDescriptor: the digest of the manifest or layer that contains it. */
function inputOf({ origin: { stored } }: Evidence, source: string) {
  if (stored === undefined) return [];
  const digest = stored.layer?.digest ?? stored.manifest;
  return [{ uri: `oci://${source}@${stored.manifest}`, digest: digestMap(digest) }];
}

function digestMap(digest: Digest): Record<string, string> {
  const { algorithm, hex } = parseDigest(digest);
  return { [algorithm]: hex };
}
