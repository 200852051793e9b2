import { isDeepStrictEqual } from "node:util";
import type { AttestationText } from "../schema.ts";
import type { Outcome, Unit } from "./combine.ts";
import { anyOf, type Draft, evidenceOf, type Member, merge } from "./draft.ts";
import { fromClusterImagePolicy } from "./patterns.ts";
import { identitySigner, keySigners, SIGSTORE_FIELDS, sctTrust, trustFile } from "./signers.ts";
import type { Fields } from "./source.ts";

/** Namespace of policy-controller, in which it looks for Secrets that name none. */
const NAMESPACE = "cosign-system";
const PUBLIC_REKOR = /^https:\/\/rekor\.sigstore\.dev\/?$/;
const SHA256 = "sha256";

/** One authority: who must have signed, or attested what. */
interface Authority {
  readonly member: Member;
  /** Undefined for signatures. */
  readonly attestations: readonly Omit<AttestationText, "signers">[] | undefined;
}

/** Reads a ClusterImagePolicy of policy-controller (v1alpha1 and v1beta1 have the same fields). */
export function readClusterImagePolicy(document: Fields, draft: Draft): Unit {
  const metadata = document.fields("metadata");
  const name = metadata?.text("name") ?? "policy";
  document.text("apiVersion");
  document.text("kind");
  document.read("status");
  const spec = document.fields("spec") ?? document;
  const globs = spec.list("images").map((image) => image.text("glob") ?? "");
  const { images, untranslated } = fromClusterImagePolicy(globs);
  for (const glob of untranslated) {
    draft.note("refused", spec.place("images"), `glob "${glob}" has no equal: images that only it matches are refused`);
  }
  draft.broader(spec, "match");
  const mode = spec.text("mode");
  return {
    ...{ name, place: spec.place(), images, everywhere: untranslated.length > 0, pinned: false },
    effect: mode === "warn" ? "warn" : "enforce",
    outcome: outcomeOf(spec, name, draft),
  };
}

function outcomeOf(spec: Fields, name: string, draft: Draft): Outcome {
  const refuse = (text: string, ...path: string[]): Outcome => {
    draft.note("refused", spec.place(...path), `${text}: ${name} refuses its images`);
    return { refuse: `imported policy ${name}: ${text}` };
  };
  const authorities: Authority[] = [];
  let passes = false;
  let fails: string | undefined;
  for (const [index, fields] of spec.list("authorities").entries()) {
    const fixed = fields.fields("static");
    if (fixed?.text("action") === "pass") passes = true;
    else if (fixed) fails = fixed.text("message") ?? "disallowed by a static authority";
    else {
      const read = readAuthority(fields, fields.text("name") ?? `${name}-authority-${index}`, draft);
      if (read) authorities.push(read);
    }
  }
  if (spec.has("policy")) return refuse("policy on all authorities has no equal", "policy");
  if (draft.unknown(spec, `${name} refuses its images`)) return { refuse: `imported policy ${name}: unknown fields` };
  if (passes) return { accept: true };
  if (authorities.length === 0) {
    return fails === undefined ? refuse("no authority can be met", "authorities") : { refuse: fails };
  }
  const context = { draft, place: spec.place("authorities"), build: anyOf };
  const [first] = authorities;
  const kinds = authorities.map(({ attestations }) => attestations);
  if (kinds.every((each) => each === undefined)) {
    noteForms(draft, spec, "policy-controller reads image signatures in the legacy form only");
    return {
      signatures: evidenceOf(
        merge(
          authorities.map(({ member }) => member),
          context,
        ),
      ),
    };
  }
  const same = kinds.every((each) => each?.length === 1 && isDeepStrictEqual(each, first?.attestations));
  if (authorities.length > 1 && !same)
    return refuse("alternatives that demand different attestations have no equal", "authorities");
  noteForms(draft, spec, "policy-controller reads attestations in one of the two forms");
  const evidence = evidenceOf(
    merge(
      authorities.map(({ member }) => member),
      context,
    ),
  );
  return { attestations: (first?.attestations ?? []).map(({ type, ...more }) => ({ type, ...evidence, ...more })) };
}

function noteForms(draft: Draft, spec: Fields, text: string): void {
  draft.note("forms", spec.place("authorities"), `${text}; both forms are accepted here`);
}

function readAuthority(fields: Fields, name: string, draft: Draft): Authority | undefined {
  const leftOut = "signatures by this authority do not count";
  const { roots, ...evidence } = readEvidence(fields, draft);
  const attestations = fields.has("attestations")
    ? fields.list("attestations").map((each) => readAttestation(each, draft))
    : undefined;
  for (const source of fields.list("source")) {
    draft.unused(source, "signaturePullSecrets");
    for (const field of ["oci", "tagPrefix"]) {
      if (source.text(field) === undefined) continue;
      draft.note(
        "stricter",
        source.place(field),
        `${field}: signatures are looked for beside the image, or in COSIGN_REPOSITORY`,
      );
    }
    if (draft.unknown(source, leftOut)) return undefined;
  }
  const format = fields.text("signatureFormat");
  const form = format === "bundle" ? "bundle" : "any";
  const named = fields.has("key")
    ? readKey(fields.fields("key"), name, draft)
    : readKeyless(fields.fields("keyless"), fields, draft);
  const signers = withRoot(named, fields, roots, draft);
  if (draft.unknown(fields, leftOut)) return undefined;
  if (!signers || signers.length === 0 || attestations?.includes(undefined)) {
    draft.note("refused", fields.place(), leftOut);
    return undefined;
  }
  return {
    member: { signers: anyOf(signers), ...evidence, form },
    attestations: attestations?.flatMap((each) => (each === undefined ? [] : [each])),
  };
}

/** What is demanded besides who has signed, and the TrustRoot of the log and the timestamp authority. */
interface AuthorityEvidence extends Pick<Member, "log" | "timestamp"> {
  readonly roots: readonly string[];
}

function readEvidence(fields: Fields, draft: Draft): AuthorityEvidence {
  const stamping = fields.fields("rfc3161timestamp")?.text("trustRootRef");
  const log = fields.fields("ctlog");
  const [url, logging] = [log?.text("url"), log?.text("trustRootRef")];
  const roots = [stamping, logging].flatMap((each) => each ?? []);
  // With a timestamp, policy-controller looks for no log entry.
  if (stamping !== undefined) return { log: "insecure-skip", timestamp: "required", roots };
  if (url !== undefined && !PUBLIC_REKOR.test(url)) {
    draft.note("file", fields.place("ctlog"), `ctlog ${url}: its key must be in the trusted root in use`);
  }
  const isKeyless = fields.has("keyless");
  if (isKeyless && !log && fields.fields("keyless")?.has("trustRootRef")) {
    draft.note("stricter", fields.place("keyless"), "no ctlog beside trustRootRef: a log entry is demanded here");
  }
  return { log: log || isKeyless ? "required" : "insecure-skip", timestamp: "optional", roots };
}

/** Trusts what a TrustRoot contains for keys; undefined for several TrustRoots, which have no equal. */
function withRoot(
  signers: string[] | undefined,
  fields: Fields,
  roots: readonly string[],
  draft: Draft,
): string[] | undefined {
  const own = fields.fields("keyless")?.text("trustRootRef");
  const named = new Set([...roots, ...(own === undefined ? [] : [own])]);
  const [root] = named;
  if (named.size > 1 || (fields.has("keyless") && root !== own)) {
    draft.note("refused", fields.place(), "an authority with several trusted roots has no equal");
    return undefined;
  }
  if (root === undefined || fields.has("keyless")) return signers;
  const what = `the logs and timestamp authorities of the TrustRoot ${root}`;
  const trust = trustFile(root, { draft, place: fields.place(), what, ignoreSct: false });
  return signers?.map((each) => draft.withTrust(each, trust));
}

function readKey(key: Fields | undefined, name: string, draft: Draft): string[] | undefined {
  if (!key) return undefined;
  const hash = key.text("hashAlgorithm");
  if (hash !== undefined && hash !== SHA256) {
    draft.note(
      "stricter",
      key.place("hashAlgorithm"),
      `hashAlgorithm ${hash}: only the hash that is usual for the key counts`,
    );
  }
  const data = key.text("data");
  const kms = key.text("kms");
  const secret = key.fields("secretRef");
  if (draft.unknown(key, "signatures by this key do not count")) return undefined;
  if (data !== undefined) return keySigners(name, data, draft);
  if (kms !== undefined) return keySigners(name, kms, draft);
  const secretName = secret?.text("name");
  if (secretName === undefined) return undefined;
  draft.note("file", key.place("secretRef"), `secretRef: the Secret must contain the key as cosign.pub`);
  return keySigners(name, `k8s://${secret?.text("namespace") ?? NAMESPACE}/${secretName}`, draft);
}

function readKeyless(keyless: Fields | undefined, fields: Fields, draft: Draft): string[] | undefined {
  if (!keyless) {
    draft.note("refused", fields.place(), "authority without key, keyless or static");
    return undefined;
  }
  if (keyless.has("ca-cert")) {
    draft.note("refused", keyless.place("ca-cert"), "ca-cert: policy-controller accepts no signature with it");
    return undefined;
  }
  draft.unused(keyless, "url");
  const ignoreSct = keyless.flag("insecureIgnoreSCT") === true;
  const root = keyless.text("trustRootRef");
  const what = `the certificate authorities and logs of the TrustRoot ${root}`;
  const trust =
    root === undefined
      ? sctTrust(ignoreSct, draft)
      : trustFile(ignoreSct ? `${root}-without-sct` : root, {
          draft,
          place: keyless.place("trustRootRef"),
          what,
          ignoreSct,
        });
  const identities = keyless
    .list("identities")
    .map((each) => identitySigner(each, { draft, trust, wild: false, names: SIGSTORE_FIELDS }));
  if (draft.unknown(keyless, "signatures by this authority do not count")) return undefined;
  return identities.flatMap((each) => (each === undefined ? [] : [each]));
}

function readAttestation(fields: Fields, draft: Draft): Omit<AttestationText, "signers"> | undefined {
  const name = fields.text("name") ?? "attestation";
  const type = fields.text("predicateType");
  const policy = fields.fields("policy");
  if (type === undefined || draft.unknown(fields, "this attestation is never met")) return undefined;
  if (!policy) return { type };
  const language = policy.text("type");
  if (language !== "cue" && language !== "rego") {
    draft.note("refused", policy.place(), "expected a policy in CUE or Rego");
    return undefined;
  }
  const data = policy.text("data");
  const elsewhere = ["remote", "configMapRef"].find((each) => policy.has(each));
  if (data !== undefined) return { type, policy: [language === "cue" ? { cue: data } : { rego: data }] };
  if (elsewhere === undefined) return undefined;
  const file = `${name.replace(/[^A-Za-z0-9._-]+/g, "-")}.${language}`;
  draft.note("file", policy.place(elsewhere), `${elsewhere}: write the policy into ${file}`);
  return { type, policy: [{ file }] };
}
