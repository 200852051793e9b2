import type { RuleText } from "../schema.ts";
import { type Outcome, ruleOf } from "./combine.ts";
import { allOf, anyOf, type Draft, evidenceOf, type Member, merge } from "./draft.ts";
import { fromScope } from "./patterns.ts";
import { keySigners, trustFile } from "./signers.ts";
import type { Fields } from "./source.ts";

const LEFT_OUT = "the requirement has no equal";
/** The transport for images in registries. */
const DOCKER = "docker";

export interface PolicyJsonOptions {
  /** Whether signatures made for another repository count. */
  readonly anyRepository: boolean;
}

/**
 * Reads containers' policy.json (containers-policy.json(5)): the rules of its `docker` transport, longest scopes first, and the
 * default last.
 */
export function readPolicyJson(document: Fields, draft: Draft, options: PolicyJsonOptions): RuleText[] {
  const transports = document.fields("transports");
  const docker = transports?.fields(DOCKER);
  for (const name of transports?.rest() ?? []) {
    draft.note("unused", transports?.place(name) ?? "", `transport ${name} is not for images in registries`);
  }
  const scopes = (docker?.names() ?? []).filter((scope) => scope !== "");
  let isOpen = false;
  const rules: RuleText[] = [];
  for (const scope of [...scopes].sort(bySpecificity)) {
    const outcome = readRequirements(docker as Fields, scope, draft, options);
    if (scope.includes("@")) {
      const [digest = ""] = /sha256:[0-9a-f]{64}$/.exec(scope) ?? [];
      draft.note("refused", docker?.place(scope) ?? "", "a scope of one digest has no equal: the digest is denied");
      if (digest !== "") draft.digests.push({ digest, reason: `imported scope ${scope}` });
      continue;
    }
    const { images, untranslated } = fromScope(scope);
    if (untranslated.length > 0) {
      draft.note(
        "refused",
        docker?.place(scope) ?? "",
        `scope "${scope}" has no equal: nothing is accepted by default`,
      );
      isOpen = true;
    }
    if (scope.startsWith("*.") && !("refuse" in outcome)) {
      draft.note(
        "stricter",
        docker?.place(scope) ?? "",
        "hosts with a port are not matched: what no scope matches is refused",
      );
      isOpen = true;
    }
    if (images.length > 0) rules.push(ruleOf(unit(scope, outcome), images));
  }
  const byDefault = docker?.has("")
    ? readRequirements(docker, "", draft, options)
    : readRequirements(document, "default", draft, options);
  document.read("default");
  draft.unknown(document, LEFT_OUT);
  rules.push(ruleOf(unit("default", isOpen ? { refuse: "no imported scope matches" } : byDefault), ["**"]));
  return rules;
}

function unit(name: string, outcome: Outcome) {
  return { name, place: "", images: [], everywhere: false, effect: "enforce" as const, pinned: false, outcome };
}

/** Longer scopes before shorter ones that match the same images; hosts with `*` last. */
function bySpecificity(one: string, other: string): number {
  return (
    Number(one.startsWith("*.")) - Number(other.startsWith("*.")) || other.length - one.length || (one < other ? -1 : 1)
  );
}

/** All requirements of a scope together. */
function readRequirements(at: Fields, scope: string, draft: Draft, options: PolicyJsonOptions): Outcome {
  const members: Member[] = [];
  const place = at.place(scope);
  let accepts = false;
  let refusal: string | undefined;
  for (const requirement of at.list(scope)) {
    const type = requirement.text("type");
    if (type === "insecureAcceptAnything") accepts = true;
    else if (type === "reject") refusal ??= "rejected by the imported policy";
    else if (type === "sigstoreSigned") {
      const read = readSigned(requirement, draft, options);
      if (typeof read === "string") refusal ??= read;
      else members.push(read);
    } else refusal ??= `requirement ${type ?? "without a type"} has no equal`;
    if (type !== "reject" && refusal !== undefined) draft.note("refused", requirement.place(), refusal);
    if (refusal === undefined && draft.unknown(requirement, LEFT_OUT)) refusal ??= "a requirement with unknown fields";
  }
  if (refusal !== undefined) return { refuse: refusal };
  if (members.length === 0) return accepts ? { accept: true } : { refuse: "no requirement" };
  draft.note("forms", place, "containers reads the legacy form only; both forms are accepted here");
  return { signatures: evidenceOf(merge(members, { draft, place, build: allOf })) };
}

/** A `sigstoreSigned` requirement; the reason if it has no equal. */
function readSigned(fields: Fields, draft: Draft, { anyRepository }: PolicyJsonOptions): Member | string {
  const identity = fields.fields("signedIdentity");
  const identityType = identity?.text("type") ?? "matchRepoDigestOrExact";
  for (const name of ["prefix", "signedPrefix", "dockerReference", "dockerRepository"]) identity?.read(name);
  const logKeys = sources(fields, "rekorPublicKey");
  const [keys, fulcio, pki] = [sources(fields, "key"), fields.fields("fulcio"), fields.fields("pki")];
  const log = logKeys.length > 0 ? "required" : "insecure-skip";
  const owned = logKeys.length === 0 ? undefined : `the log keys ${logKeys.map(shown).join(", ")}`;
  let signers: string[] | string;
  if (keys.length > 0) {
    const names = keys.flatMap((key) => keySigners("key", key, draft));
    const trust = owned && trustFile("log", { draft, place: fields.place(), what: owned, ignoreSct: false });
    signers = names.map((name) => draft.withTrust(name, trust));
  } else if (fulcio) signers = readFulcio(fulcio, owned, draft);
  else signers = pki ? readPki(pki, draft) : "a requirement without keys";
  if (typeof signers === "string") return signers;
  if (identityType !== "matchRepository" && identityType !== "exactRepository") {
    return `signedIdentity ${identityType} accepts no signature of cosign or tsign`;
  }
  if (!anyRepository) {
    return `signedIdentity ${identityType} has no equal: with --any-signed-repository signatures for other repositories count`;
  }
  draft.note(
    "unused",
    fields.place("signedIdentity"),
    `signedIdentity ${identityType} is not checked: --any-signed-repository`,
  );
  return { signers: anyOf(signers), log, timestamp: "optional", form: "any" };
}

/** `keyPath`, `keyPaths`, `keyData` and `keyDatas`: paths and PEM texts. */
function sources(fields: Fields, name: string): string[] {
  const decoded = (data: string) => Buffer.from(data, "base64").toString("utf8");
  const [path, data] = [fields.text(`${name}Path`), fields.text(`${name}Data`)];
  return [
    ...(path === undefined ? [] : [path]),
    ...fields.texts(`${name}Paths`),
    ...(data === undefined ? [] : [decoded(data)]),
    ...fields.texts(`${name}Datas`).map(decoded),
  ];
}

/** A path; of PEM text its kind. */
function shown(source: string): string {
  return source.includes("-----BEGIN") ? "given inline" : source;
}

function readFulcio(fulcio: Fields, logKeys: string | undefined, draft: Draft): string[] | string {
  const [authority] = sources(fulcio, "ca");
  const [issuer, email] = [fulcio.text("oidcIssuer"), fulcio.text("subjectEmail")];
  if (authority === undefined || issuer === undefined || email === undefined || logKeys === undefined)
    return "incomplete fulcio";
  if (draft.unknown(fulcio, LEFT_OUT)) return "fulcio with unknown fields";
  draft.note(
    "unused",
    fulcio.place(),
    "containers checks no signed certificate timestamp; neither does the imported policy",
  );
  const what = `the authority ${shown(authority)} and ${logKeys}`;
  const trust = trustFile("fulcio", { draft, place: fulcio.place(), what, ignoreSct: true });
  return [draft.signer(email.replace(/@.*/, ""), { identity: email, issuer, trust })];
}

function readPki(pki: Fields, draft: Draft): string[] | string {
  const [roots] = sources(pki, "caRoots");
  const [intermediates] = sources(pki, "caIntermediates");
  const [email, host] = [pki.text("subjectEmail"), pki.text("subjectHostname")];
  const identity = email ?? host;
  if (roots === undefined || identity === undefined) return "incomplete pki";
  if (email !== undefined && host !== undefined) return "pki with subjectEmail and subjectHostname has no equal";
  if (draft.unknown(pki, LEFT_OUT)) return "pki with unknown fields";
  const file = (source: string, name: string) => {
    if (!source.includes("-----BEGIN")) return source;
    draft.note("file", pki.place(), `write the certificates that are given inline into ${name}`);
    return name;
  };
  const trust = draft.trusted("pki", {
    authorities: file(roots, "pki-roots.pem"),
    ...(intermediates === undefined ? {} : { intermediates: file(intermediates, "pki-intermediates.pem") }),
    insecureIgnoreSct: true,
  });
  return [draft.signer(identity.replace(/@.*/, ""), { identity, issuer: { none: true }, trust })];
}
