import { digestOf, isDigest } from "../format/digest.ts";
import { readPolicyDocument } from "./document.ts";
import { at, errorOf, type Refuse, validate } from "./faults.ts";
import { parseFilePattern, parseImagePattern } from "./image-names.ts";
import { readMirrors } from "./mirrors.ts";
import type { Demand, Denied, Rule, Signer, TrustPolicy } from "./model.ts";
import { compileDenied, compilePattern } from "./patterns.ts";
import { readCases } from "./read-cases.ts";
import { readDemand } from "./read-demands.ts";
import { type RuleContext, readRequirements } from "./read-requirements.ts";
import { readSigner } from "./read-signers.ts";
import { PolicyFile, type RuleText } from "./schema.ts";

/**
 * Reads a trust policy (docs/policy.md), strictly. Opens no file and no key that it names.
 *
 * @param content of the file, YAML or JSON
 * @param path of the file, for errors and for the references in it
 * @throws TsignError "input" for the first fault, with `file:line:column` and what to write; "limit" for a document that is too
 * large
 */
export async function readTrustPolicy(content: string | Uint8Array, path: string): Promise<TrustPolicy> {
  const document = readPolicyDocument(content, path);
  const file = validate<PolicyFile>(document, PolicyFile);
  const refuse: Refuse = (at, reason, hint) => {
    throw errorOf(document, { path: at, reason, hint });
  };
  const trust = new Map(Object.entries(file.trust ?? {}));
  for (const [name, material] of trust) {
    if (Object.keys(material).length === 0)
      refuse(["trust", name], "names no trusted material", "write trustedRoot: FILE");
    if (material.intermediates !== undefined && material.authorities === undefined) {
      refuse(["trust", name, "intermediates"], "intermediates requires authorities", "add authorities: FILE");
    }
  }
  const signers = new Map<string, Signer>();
  for (const [name, text] of Object.entries(file.signers ?? {})) {
    signers.set(name, await readSigner(text, { name, trust, refuse }));
  }
  const requirements = readRequirements(file, signers, refuse);
  const builders = await Promise.all(
    (file.builders ?? []).map(async ({ builder, level }, index) => ({
      builder: await at(["builders", index, "builder"], refuse, () => compilePattern(builder)),
      level,
    })),
  );
  const context = { trust, builders, requirements, refuse };
  const rules: Rule[] = [];
  for (const [index, text] of file.rules.entries()) {
    rules.push({ ...(await readRule(text, index, { ...context, path })), place: document.placeOf(["rules", index]) });
  }
  const unmatched = file.unmatched === undefined || file.unmatched === "refuse" ? "enforce" : file.unmatched;
  return {
    path,
    digest: digestOf(Buffer.from(content)),
    unmatched,
    mirrors: readMirrors(file.mirrors, refuse),
    trust,
    signers,
    builders,
    denied: await readDenied(file, refuse),
    rules,
    cases: readCases(file.tests ?? [], { document, path }),
  };
}

async function readRule(text: RuleText, index: number, context: RuleContext): Promise<Omit<Rule, "place">> {
  const { refuse } = context;
  const place = ["rules", index] as const;
  const listed = (value: string | string[] | undefined) => (typeof value === "string" ? [value] : (value ?? []));
  if (text.images === undefined && text.files === undefined) {
    refuse(place, "missing images or files", "write images: registry.example/team/**");
  }
  const images = listed(text.images).map((pattern, item) => {
    const read = parseImagePattern(pattern);
    if (!("wrong" in read)) return read;
    const field = typeof text.images === "string" ? [] : [item];
    return refuse([...place, "images", ...field], `pattern "${pattern}": ${read.wrong}`, read.hint);
  });
  const files = await Promise.all(
    listed(text.files).map((pattern) => at([...place, "files"], refuse, () => parseFilePattern(pattern))),
  );
  if (text.digest !== undefined && images.length === 0) {
    refuse([...place, "digest"], "digest requires images", "remove it: a file has no digest in its name");
  }
  const demands = [
    ...(text.signatures ? [await readDemand(text.signatures, [...place, "signatures"], context)] : []),
    ...(await Promise.all(
      (text.attestations ?? []).map((each, item) => readDemand(each, [...place, "attestations", item], context)),
    )),
  ];
  const isOwn = ({ attestation }: Demand) => attestation?.vsa?.resource === "own";
  if (files.length > 0 && demands.some(isOwn)) {
    refuse([...place, "files"], "files cannot be used with resource: {own: true}", "write a rule of its own for files");
  }
  const acceptsAnything = text.insecureAcceptAnything === true;
  if (acceptsAnything && demands.length > 0) {
    refuse(
      [...place, "insecureAcceptAnything"],
      "insecureAcceptAnything cannot be used with signatures or attestations",
      "remove one of them",
    );
  }
  if (text.refuse !== undefined && (acceptsAnything || demands.length > 0)) {
    refuse(
      [...place, "refuse"],
      "refuse cannot be used with signatures, attestations or insecureAcceptAnything",
      "remove one of them",
    );
  }
  if (!acceptsAnything && text.refuse === undefined && demands.length === 0) {
    refuse(place, "demands no signature and no attestation", "write signatures: {signers: NAME}");
  }
  const name = text.name ?? `rule ${index + 1}`;
  return {
    index,
    name,
    images,
    files,
    effect: text.effect ?? "enforce",
    pinned: text.digest === "required",
    demands,
    acceptsAnything,
    refuses: text.refuse,
  };
}

async function readDenied({ denied = {} }: PolicyFile, refuse: Refuse): Promise<Denied> {
  const no = "denied by the policy";
  const identities = (denied.identities ?? []).map(async ({ identity, issuer, reason }, index) => {
    const place = ["denied", "identities", index];
    return {
      identity: await at([...place, "identity"], refuse, () => compileDenied(identity)),
      issuer: issuer === undefined ? undefined : await at([...place, "issuer"], refuse, () => compilePattern(issuer)),
      reason: reason ?? no,
    };
  });
  const digests = (denied.digests ?? []).map(({ digest, reason }, index) => {
    if (!isDigest(digest)) {
      return refuse(
        ["denied", "digests", index, "digest"],
        `"${digest}" is not a digest`,
        "write sha256:<64 hex digits>",
      );
    }
    return { digest, reason: reason ?? no };
  });
  const logEntries = (denied.logEntries ?? []).map(({ log, index, reason }, item) => {
    if (!/^[0-9a-f]{64}$/.test(log)) {
      refuse(
        ["denied", "logEntries", item, "log"],
        `"${log}" is not a log id`,
        "write its 64 hex digits in lower case",
      );
    }
    return { log, index, reason: reason ?? no };
  });
  return {
    keys: (denied.keys ?? []).map(({ key, reason }) => ({ reference: key, reason: reason ?? no })),
    identities: await Promise.all(identities),
    digests,
    logEntries,
  };
}
