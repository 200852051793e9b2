import type { Digest } from "../format/digest.ts";
import type { PolicySource } from "../policy/index.ts";
import type { Glob } from "./glob.ts";
import type { ImagePattern } from "./image-names.ts";
import type { PolicyFile } from "./schema.ts";

/** What happens if the demands of a rule are not met: the image is refused, a warning is printed, or it is only recorded. */
export type Effect = "enforce" | "warn" | "audit";

/** A text in a certificate or statement, as demanded. */
export interface TextPattern {
  readonly text: string;
  /** Whether it may match unintended texts, with the reason. */
  readonly loose?: string;
  /** Whether it stands for a missing text; then it matches no text. */
  readonly none?: true;
  matches(value: string): boolean;
}

/** Who must have signed, in the names of signers. A principal (a key, or an identity of an issuer) counts once. */
export type Requirement =
  | { readonly kind: "signer"; readonly name: string }
  | { readonly kind: "any" | "all"; readonly members: readonly Requirement[] }
  | { readonly kind: "atLeast"; readonly count: number; readonly members: readonly Requirement[] }
  /** Different principals that are all the same signer: two people of a team. */
  | { readonly kind: "different"; readonly count: number; readonly name: string };

/** A signer. `until`: only signatures with a trusted time before it count. */
export type Signer = {
  readonly name: string;
  readonly trust: string | undefined;
  readonly until: Date | undefined;
} & (
  | { readonly kind: "key"; readonly reference: string }
  | {
      readonly kind: "identity";
      readonly identity: TextPattern;
      readonly issuer: TextPattern;
      /** By OID. */
      readonly extensions: ReadonlyMap<string, TextPattern>;
    }
);

/** What signatures, or attestations of one type, must satisfy. Durations in milliseconds. */
export interface Demand {
  readonly signers: Requirement;
  readonly log: "required" | "insecureSkip";
  /** Logs that count; undefined for all trusted ones. */
  readonly logs: readonly string[] | undefined;
  readonly timestamp: "required" | "optional";
  readonly form: "any" | "bundle" | "legacy";
  readonly maxAge: number | undefined;
  readonly trust: string | undefined;
  /** Undefined for signatures. */
  readonly attestation: AttestationDemand | undefined;
}

/** What the statement of an attestation must satisfy. */
export interface AttestationDemand {
  /** A URI. */
  readonly predicateType: string;
  readonly policies: readonly PolicyText[];
  readonly slsa: SlsaDemand | undefined;
  readonly vulnerabilities: VulnerabilityDemand | undefined;
  readonly vsa: VsaDemand | undefined;
}

/** A CUE or Rego policy, inline or in a file beside the trust policy. */
export type PolicyText = PolicySource | { readonly file: string };

export interface SlsaDemand {
  readonly builder: TextPattern | undefined;
  readonly source: TextPattern | undefined;
  readonly ref: TextPattern | undefined;
  readonly commit: string | undefined;
  readonly buildType: TextPattern | undefined;
  readonly level: number | undefined;
}

/** What a SLSA verification summary must state, besides that the verification passed. */
export interface VsaDemand {
  readonly verifier: TextPattern;
  readonly policy: TextPattern | undefined;
  /** Any of them, sha256; undefined for any content. */
  readonly policyDigests: readonly Digest[] | undefined;
  /** "own": the repository of the image that is decided on. */
  readonly resource: TextPattern | "own" | undefined;
  readonly level: number | undefined;
}

export const SEVERITIES = ["none", "negligible", "low", "medium", "high", "critical"] as const;

export interface VulnerabilityDemand {
  readonly maxAge: number | undefined;
  readonly worst: (typeof SEVERITIES)[number] | undefined;
  readonly ignore: readonly string[];
}

export interface Rule {
  /** From 0. */
  readonly index: number;
  /** Its name in the file, else `rule 1` and so on. */
  readonly name: string;
  /** `file:line:column`. */
  readonly place: string;
  readonly images: readonly ImagePattern[];
  readonly files: readonly Glob[];
  readonly effect: Effect;
  /** Whether the image must be named by its digest. */
  readonly pinned: boolean;
  readonly demands: readonly Demand[];
  /** Whether it accepts without a signature. */
  readonly acceptsAnything: boolean;
  /** Why it refuses whatever is signed; undefined if it does not. */
  readonly refuses: string | undefined;
}

/** What no rule can outvote. `reason` is shown when it strikes. */
export interface Denied {
  readonly keys: readonly { readonly reference: string; readonly reason: string }[];
  readonly identities: readonly {
    readonly identity: TextPattern;
    readonly issuer: TextPattern | undefined;
    readonly reason: string;
  }[];
  readonly digests: readonly { readonly digest: Digest; readonly reason: string }[];
  /** `log` in hex, lower case. */
  readonly logEntries: readonly { readonly log: string; readonly index: number; readonly reason: string }[];
}

/** Where images are read in place of their own registry. The name that an image is asked for by decides everything else. */
export interface Mirror {
  /** Normal name of a registry, or of a repository or a path with repositories below it. */
  readonly source: string;
  /** What takes its place. */
  readonly mirror: string;
  readonly only: boolean;
  readonly tags: boolean;
}

/** A trust policy, checked. */
export interface TrustPolicy {
  /** Path of the file; references to files in it are relative to its folder. */
  readonly path: string;
  /** Digest of the file's content. */
  readonly digest: Digest;
  readonly unmatched: Effect;
  readonly mirrors: readonly Mirror[];
  readonly trust: ReadonlyMap<string, NonNullable<PolicyFile["trust"]>[string]>;
  readonly signers: ReadonlyMap<string, Signer>;
  readonly builders: readonly { readonly builder: TextPattern; readonly level: number }[];
  readonly denied: Denied;
  readonly rules: readonly Rule[];
  readonly cases: readonly PolicyCase[];
}

/** A case for a policy: an image or a file with saved signatures, and the expected decision. */
export interface PolicyCase {
  readonly name: string;
  /** `file:line:column`. */
  readonly place: string;
  /** Path of its file; bundles and layouts are relative to its folder. */
  readonly path: string;
  readonly subject:
    | { readonly kind: "image"; readonly reference: string; readonly digest: Digest | undefined }
    | { readonly kind: "file"; readonly file: string; readonly digest: Digest };
  readonly bundles: readonly string[];
  readonly layout: string | undefined;
  /** When it is decided; undefined for now. */
  readonly at: Date | undefined;
  readonly expect: "accept" | "warn" | "audit" | "refuse";
  readonly rule: string | undefined;
  readonly reason: string | undefined;
}
