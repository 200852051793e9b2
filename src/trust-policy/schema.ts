import * as z from "zod/mini";

/** The shape of a trust policy, version 1. What relates several fields is checked by read.ts. Texts are for editors. */

const described = <T extends z.ZodMiniType>(type: T, description: string): T =>
  type.check(z.describe(description)) as T; // a copy

const name = z.string().check(z.regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/));
const text = z.string().check(z.minLength(1));
const texts = z.array(text).check(z.minLength(1));
const list = z.union([text, texts]);

/** Durations: 90d, 12h, 30m. */
const duration = described(z.string().check(z.regex(/^[1-9][0-9]{0,5}[mhdw]$/)), "a number with m, h, d or w: 90d");
const time = described(
  z.string().check(z.regex(/^\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\dZ)?$/)),
  "2026-01-31T12:00:00Z, or 2026-01-31 for its start in UTC",
);

/** A text: exactly, by glob, or by a regular expression that must match all of it. */
const pattern = described(
  z.union([
    text,
    z.strictObject({ glob: text }),
    z.strictObject({ regexp: described(text, "RE2; it must match the whole text") }),
  ]),
  "the exact text, {glob: …} with * (no /) and **, or {regexp: …} (RE2) for the whole text",
);
const issuer = z.union([
  text,
  z.strictObject({ glob: text }),
  z.strictObject({ regexp: text }),
  z.strictObject({ none: z.literal(true) }),
]);

/** Who must have signed: a signer's name, or several of them. A principal counts once in each of these. */
const requirement = described(
  z.union([
    name,
    z.strictObject({
      get any(): z.ZodMiniType {
        return z.array(requirement).check(z.minLength(1));
      },
    }),
    z.strictObject({
      get all(): z.ZodMiniType {
        return z.array(requirement).check(z.minLength(1));
      },
    }),
    z.strictObject({
      atLeast: z.int().check(z.minimum(1), z.maximum(64)),
      get of(): z.ZodMiniType {
        return z.union([name, z.array(requirement).check(z.minLength(1))]);
      },
    }),
  ]),
  "a signer's name, {any: […]}, {all: […]}, {atLeast: n, of: […]}, or {atLeast: n, of: NAME} for different people",
) as z.ZodMiniType<Requirement>;

export type Requirement =
  | string
  | { readonly any: readonly Requirement[] }
  | { readonly all: readonly Requirement[] }
  | { readonly atLeast: number; readonly of: string | readonly Requirement[] };

export type PatternText = string | { readonly glob: string } | { readonly regexp: string };

const signer = z.strictObject({
  key: z.optional(described(text, "PEM, or a reference: a file, URL, env://, awskms://, k8s:// and so on")),
  identity: z.optional(pattern),
  issuer: z.optional(
    described(issuer, "the OIDC issuer; {none: true} for certificates of an own authority without one"),
  ),
  extensions: z.optional(
    described(z.record(z.string(), pattern), "Fulcio's extensions, by name (sourceRepositoryURI) or OID"),
  ),
  trust: z.optional(described(name, "trusted material for this signer, instead of the rule's")),
  until: z.optional(described(time, "retired: only signatures with a trusted time before this one count")),
});

const trust = z.strictObject({
  trustedRoot: z.optional(described(text, "a trusted root file or URL")),
  authorities: z.optional(described(text, "PEM file of root certificates")),
  intermediates: z.optional(described(text, "PEM file of intermediate certificates")),
  timestampAuthority: z.optional(described(text, "PEM file of a timestamp authority's chain, root last")),
  insecureIgnoreSct: z.optional(described(z.literal(true), "certificates need no signed certificate timestamp")),
});

const because = z.optional(described(text, "shown when it strikes"));
const denied = z.strictObject({
  keys: z.optional(z.array(z.strictObject({ key: text, reason: because }))),
  identities: z.optional(z.array(z.strictObject({ identity: pattern, issuer: z.optional(pattern), reason: because }))),
  digests: z.optional(z.array(z.strictObject({ digest: text, reason: because }))),
  logEntries: z.optional(
    z.array(z.strictObject({ log: described(text, "the log's id, hex"), index: z.int(), reason: because })),
  ),
});

const evidence = {
  signers: described(requirement, "who must have signed"),
  log: z.optional(z.enum(["required", "insecure-skip"])),
  logs: z.optional(described(texts, "the logs that count: URLs as in the trusted root, or ids in hex")),
  timestamp: z.optional(z.enum(["required", "optional"])),
  form: z.optional(z.enum(["any", "bundle", "legacy"])),
  maxAge: z.optional(duration),
  trust: z.optional(name),
};

const policyFile = z.union([
  z.strictObject({ cue: described(text, "CUE, inline") }),
  z.strictObject({ rego: described(text, "Rego, inline") }),
  z.strictObject({ file: described(text, "a .cue or .rego file") }),
]);

const vsa = z.strictObject({
  verifier: described(pattern, "verifier.id: who must have verified"),
  policy: z.optional(described(pattern, "policy.uri: by which policy")),
  policyDigest: z.optional(described(list, "policy.digest: by which content of it, one or several: sha256:…")),
  resource: z.optional(
    described(
      z.union([
        text,
        z.strictObject({ glob: text }),
        z.strictObject({ regexp: text }),
        z.strictObject({ own: z.literal(true) }),
      ]),
      "resourceUri: for which place; {own: true} for the repository of the image that is decided on",
    ),
  ),
  level: z.optional(described(z.int().check(z.minimum(1), z.maximum(4)), "the SLSA build level in verifiedLevels")),
});

const attestation = z.strictObject({
  type: described(text, "a predicate type: a URI, or slsaprovenance1, vuln, spdxjson, cyclonedx and so on"),
  ...evidence,
  policy: z.optional(z.array(policyFile)),
  slsa: z.optional(
    z.strictObject({
      builder: z.optional(pattern),
      source: z.optional(described(pattern, "the source repository: https://github.com/acme/app")),
      ref: z.optional(pattern),
      commit: z.optional(text),
      buildType: z.optional(pattern),
      level: z.optional(z.int().check(z.minimum(1), z.maximum(4))),
    }),
  ),
  vsa: z.optional(described(vsa, "a verification summary that states PASSED")),
  vulnerabilities: z.optional(
    z.strictObject({
      maxAge: z.optional(described(duration, "greatest age of the scan")),
      worst: z.optional(
        described(z.enum(["none", "negligible", "low", "medium", "high", "critical"]), "the worst severity accepted"),
      ),
      ignore: z.optional(described(texts, "ids of accepted vulnerabilities: CVE-…")),
    }),
  ),
});

const mirror = z.strictObject({
  source: described(text, "a registry, or a repository or path with all below it: docker.io/library"),
  mirror: described(text, "what is read in its place: mirror.example/library"),
  only: z.optional(described(z.literal(true), "the source is never asked, also if the mirror fails")),
  tags: z.optional(described(z.literal(false), "the mirror is asked for digests only")),
});

const effect = z.enum(["enforce", "warn", "audit"]);

const rule = z.strictObject({
  name: z.optional(text),
  images: z.optional(described(list, "patterns: registry.example/team/*, registry.example/**")),
  files: z.optional(described(list, "names of files, without folders: *.tar.gz")),
  effect: z.optional(effect),
  digest: z.optional(described(z.literal("required"), "the image must be named by its digest")),
  signatures: z.optional(z.strictObject(evidence)),
  attestations: z.optional(z.array(attestation).check(z.minLength(1))),
  insecureAcceptAnything: z.optional(described(z.literal(true), "accepts without a signature")),
  refuse: z.optional(described(text, "refuses whatever is signed; the text is the reason that is shown")),
});

const testCase = z.strictObject({
  name: described(text, "what is tested"),
  image: z.optional(described(text, "the image as a user names it")),
  file: z.optional(described(text, "the file's name")),
  digest: z.optional(described(text, "of an image that is named by tag, or of the file: sha256:…")),
  bundles: z.optional(described(texts, "files with Sigstore bundles, one or one a line")),
  layout: z.optional(described(text, "the folder that `tsign save` wrote, with the image and its signatures")),
  at: z.optional(described(time, "when it is decided; default now")),
  expect: described(z.enum(["accept", "warn", "audit", "refuse"]), "the decision"),
  rule: z.optional(described(text, "the name of the rule that decides")),
  reason: z.optional(described(text, "a part of the reasons for a refusal")),
});
const tests = z.array(testCase).check(z.minLength(1));

/** A file of cases beside a policy, version 1. */
export const CasesFile = z.strictObject({ version: z.literal(1), tests });

/** A trust policy, version 1, as it is written. */
export const PolicyFile = z.strictObject({
  version: described(z.literal(1), "the version of this format"),
  unmatched: z.optional(described(z.enum(["refuse", "warn", "audit"]), "for what no rule matches; default refuse")),
  mirrors: z.optional(
    described(z.array(mirror).check(z.minLength(1)), "where images are read; rules match the names of the sources"),
  ),
  trust: z.optional(z.record(name, trust)),
  signers: z.optional(z.record(name, signer)),
  groups: z.optional(z.record(name, requirement)),
  builders: z.optional(
    described(
      z.array(z.strictObject({ builder: pattern, level: z.int().check(z.minimum(1), z.maximum(4)) })),
      "the SLSA build level that builders are trusted for",
    ),
  ),
  denied: z.optional(described(denied, "what no rule can outvote")),
  rules: described(z.array(rule).check(z.minLength(1)), "the first rule that matches decides"),
  tests: z.optional(described(tests, "cases for `tsign policy test`")),
});

export type PolicyFile = z.infer<typeof PolicyFile>;
export type RuleText = PolicyFile["rules"][number];
export type SignerText = NonNullable<PolicyFile["signers"]>[string];
export type AttestationText = NonNullable<RuleText["attestations"]>[number];
export type CaseText = z.infer<typeof testCase>;
export type EvidenceText = NonNullable<RuleText["signatures"]>;

/** The JSON Schema (2020-12) of a trust policy, for editors. */
export function policySchema(): unknown {
  const { $schema, ...schema } = z.toJSONSchema(PolicyFile) as Record<string, unknown>;
  return { $schema, title: "tsign trust policy, version 1", ...schema };
}
