import { countOf, type Draft, type Member, merge, pemBlocks } from "./draft.ts";
import { identitySigner, keySigners, SIGSTORE_FIELDS, sctTrust, trustFile } from "./signers.ts";
import type { Fields } from "./source.ts";

/** Kyverno's variables, which are replaced when it decides. */
const VARIABLE = /\{\{|\$\(/;
/** Names of extensions that differ from this program's. */
const EXTENSIONS: Readonly<Record<string, string>> = { githubWorkflowSha: "githubWorkflowSHA" };

interface Context {
  readonly draft: Draft;
  readonly name: string;
  readonly form: "any" | "bundle";
}

/**
 * Reads an attestor set: `count` of its entries, all of them without `count`.
 *
 * @returns undefined if it cannot be met without an entry that has no equal, which is noted
 */
export function readAttestorSet(set: Fields, context: Context): Member | undefined {
  const { draft } = context;
  const count = set.count("count") ?? 0;
  const entries = set.list("entries");
  const members: Member[] = [];
  let total = 0;
  for (const entry of entries) {
    const read = readEntry(entry, context);
    total += read?.length ?? 1;
    members.push(...(read ?? []));
  }
  const needed = count === 0 ? total : count;
  const unknown = draft.unknown(set, "the attestor set cannot be met");
  if (unknown || members.length < needed || members.length === 0) return undefined;
  if (members.length < total) {
    draft.note("stricter", set.place("entries"), `${total - members.length} of ${total} entries do not count`);
  }
  return merge(members, { draft, place: set.place("entries"), build: (signers) => countOf(needed, signers) });
}

/** The members of an entry: one, or one for each of several keys. Undefined if it has no equal, which is noted. */
function readEntry(entry: Fields, context: Context): Member[] | undefined {
  const { draft } = context;
  const refuse = (text: string, ...path: string[]) => {
    draft.note("refused", entry.place(...path), `${text}: its signatures do not count`);
    return undefined;
  };
  if (entry.contains(VARIABLE)) return refuse("variables have no equal");
  const nested = entry.fields("attestor");
  const [keys, keyless] = [entry.fields("keys"), entry.fields("keyless")];
  if (entry.has("certificates")) return refuse("certificates have no equal", "certificates");
  if (entry.has("annotations")) return refuse("annotations have no equal", "annotations");
  if (entry.text("repository") !== undefined) {
    draft.note(
      "stricter",
      entry.place("repository"),
      "repository: signatures are looked for beside the image, or in COSIGN_REPOSITORY",
    );
  }
  const algorithm = entry.text("signatureAlgorithm");
  noteAlgorithm(algorithm, entry, draft);
  if (draft.unknown(entry, "its signatures do not count")) return undefined;
  if (nested) {
    const read = readAttestorSet(nested, context);
    return read === undefined ? undefined : [read];
  }
  if (keys) return readKeys(keys, context);
  if (keyless) return readKeyless(keyless, context);
  return refuse("an entry without keys, keyless or attestor");
}

function noteAlgorithm(algorithm: string | undefined, fields: Fields, draft: Draft): void {
  if (algorithm === undefined || algorithm === "sha256") return;
  draft.note(
    "stricter",
    fields.place("signatureAlgorithm"),
    `signatureAlgorithm ${algorithm}: only the hash that is usual for the key counts`,
  );
}

interface Evidence extends Pick<Member, "log" | "timestamp"> {
  readonly ignoreSct: boolean;
  /** What a trusted root must contain, if the entry has keys or certificates of its own. */
  readonly own: readonly string[];
}

/** Reads `rekor` and `ctlog`. */
function readEvidence(fields: Fields, draft: Draft): Evidence | undefined {
  const [rekor, ctlog] = [fields.fields("rekor"), fields.fields("ctlog")];
  if (rekor) draft.unused(rekor, "url");
  const ignoresLog = rekor?.flag("ignoreTlog") === true;
  const chain = ctlog?.text("tsaCertChain");
  const own = [
    ...(rekor?.text("pubkey") !== undefined && !ignoresLog ? ["rekor.pubkey"] : []),
    ...(ctlog?.text("pubkey") === undefined ? [] : ["ctlog.pubkey"]),
    ...(chain === undefined ? [] : ["ctlog.tsaCertChain"]),
  ];
  const ignoreSct = ctlog?.flag("ignoreSCT") === true;
  const unknown = [rekor, ctlog].some(
    (each) => each && draft.unknown(each, "signatures by this attestor do not count"),
  );
  if (unknown) return undefined;
  return {
    log: ignoresLog ? "insecure-skip" : "required",
    timestamp: chain === undefined ? "optional" : "required",
    ignoreSct,
    own,
  };
}

function readKeys(keys: Fields, { draft, name, form }: Context): Member[] | undefined {
  const evidence = readEvidence(keys, draft);
  noteAlgorithm(keys.text("signatureAlgorithm"), keys, draft);
  const [data, kms, secret] = [keys.text("publicKeys"), keys.text("kms"), keys.fields("secret")];
  const secretName = secret?.text("name");
  const reference =
    data ?? (secretName === undefined ? kms : `k8s://${secret?.text("namespace") ?? "kyverno"}/${secretName}`);
  if (!evidence || reference === undefined || draft.unknown(keys, "its signatures do not count")) {
    draft.note("refused", keys.place(), "keys that cannot be imported: their signatures do not count");
    return undefined;
  }
  const { log, timestamp, own } = evidence;
  const trust =
    own.length === 0
      ? undefined
      : trustFile(name, { draft, place: keys.place(), what: own.join(", "), ignoreSct: false });
  const isPem = pemBlocks(reference).length > 0;
  // Several references to keys are separated by commas or white space in a field.
  const references = isPem ? [reference] : reference.split(/[\s,]+/).filter((each) => each !== "");
  return references
    .flatMap((each) => keySigners(name, each, draft))
    .map((signer) => ({ signers: draft.withTrust(signer, trust), log, timestamp, form }));
}

function readKeyless(keyless: Fields, { draft, name, form }: Context): Member[] | undefined {
  const evidence = readEvidence(keyless, draft);
  const roots = keyless.text("roots");
  const extensions = keyless.fields("additionalExtensions");
  const texts = Object.fromEntries(
    (extensions?.names() ?? []).map((each) => [EXTENSIONS[each] ?? each, extensions?.text(each) ?? ""]),
  );
  if (!evidence) return undefined;
  const { log, timestamp, ignoreSct } = evidence;
  const own = [...evidence.own, ...(roots === undefined ? [] : ["roots"])];
  const trust =
    own.length === 0
      ? sctTrust(ignoreSct, draft)
      : trustFile(name, { draft, place: keyless.place(), what: own.join(", "), ignoreSct });
  const signer = identitySigner(keyless, { draft, trust, wild: true, names: SIGSTORE_FIELDS, extensions: texts });
  if (signer === undefined || draft.unknown(keyless, "its signatures do not count")) return undefined;
  return [{ signers: signer, log, timestamp, form }];
}
