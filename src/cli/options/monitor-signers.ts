import { TsignError } from "../../errors.ts";
import { readCertificates } from "../../evidence/legacy/read.ts";
import type { Io } from "../../io/io.ts";
import type { PublicKey } from "../../keys/types.ts";
import type { MonitorConfig } from "../../monitor/config.ts";
import type { Ordered } from "../../monitor/watch.ts";
import { readBlob } from "../../net/input.ts";
import { authorityOf } from "../../services/trust/files.ts";
import { parseCertificate } from "../../trust/certificate.ts";
import type { Authority } from "../../trust/material.ts";
import { EXTENSION_NAMES, extensionOid } from "../../trust-policy/extensions.ts";
import { PolicySources } from "../../trust-policy/sources.ts";
import type { IdentityPolicy, NamePattern } from "../../verify/model.ts";
import { exactly, matching } from "../../verify/patterns.ts";
import { loadTrustPolicy } from "./trust-policy.ts";

/** Issuer of the tokens of GitHub Actions. */
const GITHUB_ISSUER = "https://token.actions.githubusercontent.com";
/** Fulcio's extensions for the repository, the ref and the workflow of a job (fulcio, docs/oid-info.md). */
const [REPOSITORY, REF, WORKFLOW] = [12, 14, 18].map((last) => `1.3.6.1.4.1.57264.1.${last}`) as [
  string,
  string,
  string,
];

/** Identities and keys that sign. */
export interface Signers {
  readonly identities: IdentityPolicy[];
  readonly keys: PublicKey[];
}

/** The identities of a configuration. @throws TsignError "input" for an unknown extension, "usage" for an invalid pattern */
export async function identitiesOf({ identities = [] }: MonitorConfig): Promise<IdentityPolicy[]> {
  const found: IdentityPolicy[] = [];
  for (const { identity, identityRegexp, issuer, issuerRegexp, extensions = {} } of identities) {
    found.push({
      subject: await patterns(identity, identityRegexp),
      issuer: await patterns(issuer, issuerRegexp),
      extensions: new Map(),
      extensionPatterns: extensionsOf(extensions),
    });
  }
  return found;
}

/** The signers of a trust policy, and the earlier keys of its keys. @throws TsignError "input" */
export async function policySigners(io: Io, file: string | undefined): Promise<Signers> {
  const signers: Signers = { identities: [], keys: [] };
  if (file === undefined) return signers;
  const policy = await loadTrustPolicy(io, file);
  const sources = new PolicySources(io, policy, (line) => void io.stderr.write(`WARNING: ${line}\n`));
  for (const each of policy.signers.values()) {
    const signer = await sources.signerOf(each);
    if (signer.kind === "identity") signers.identities.push(signer.identity);
    else signers.keys.push(signer.key, ...(signer.key.earlier ?? []));
  }
  return signers;
}

/** Who signs by our order, as a configuration says. @throws TsignError "input" */
export async function orderedBy(io: Io, config: MonitorConfig): Promise<Ordered> {
  const { identities, keys } = await policySigners(io, config.expectedPolicy);
  const workflows = (config.workflows ?? []).map(workflowOf);
  return { commits: await commitsIn(io, config.commits), identities: [...identities, ...workflows], keys };
}

/** Our own certificate authorities. @throws TsignError "input" for a file without a certificate, "untrusted" for an unusable one */
export async function authoritiesOf(io: Io, { authorities = [] }: MonitorConfig): Promise<Authority[]> {
  const found: Authority[] = [];
  for (const path of authorities) {
    const certificates = readCertificates(Buffer.from(await readBlob(io, path)).toString("latin1"), path);
    for (const each of certificates) parseCertificate(each);
    const authority = authorityOf(certificates);
    if (authority.roots.length === 0) {
      throw new TsignError("input", `read authority "${path}": there is no root certificate in it`, {
        hint: "write the certificates of the authority, PEM, with its root",
      });
    }
    found.push(authority);
  }
  return found;
}

/** The certificates of a workflow's jobs: their names depend on where its steps are, their extensions do not. */
function workflowOf({
  repository,
  ref,
  workflow,
  issuer = GITHUB_ISSUER,
}: NonNullable<MonitorConfig["workflows"]>[number]): IdentityPolicy {
  const extensionPatterns = new Map([[REPOSITORY, exactly(repository)]]);
  if (ref !== undefined) extensionPatterns.set(REF, exactly(ref));
  if (workflow !== undefined) {
    // GitHub writes one slash before the path of the file, GitLab two.
    const starts = ["/", "//"].map((slash) => `${repository}${slash}${workflow}@`);
    extensionPatterns.set(WORKFLOW, {
      text: `${starts[0]}…`,
      matches: (text) => starts.some((start) => text.startsWith(start)),
    });
  }
  const any: NamePattern = { text: "any name", matches: () => true };
  return { subject: [any], issuer: [exactly(issuer)], extensions: new Map(), extensionPatterns };
}

/** The texts that extensions must have, by OID. @throws TsignError "input" for an unknown one, or one twice */
function extensionsOf(texts: Readonly<Record<string, string>>): ReadonlyMap<string, NamePattern> {
  const found = new Map<string, NamePattern>();
  for (const [name, text] of Object.entries(texts)) {
    const oid = extensionOid(name);
    if (oid === undefined) {
      throw new TsignError("input", `identities: unknown extension ${name}`, {
        hint: `write one of ${EXTENSION_NAMES.join(", ")}`,
      });
    }
    if (found.has(oid)) throw new TsignError("input", `identities: duplicate extension ${oid}`);
    found.set(oid, exactly(text));
  }
  return found;
}

async function patterns(text: string | undefined, regexp: string | undefined): Promise<IdentityPolicy["subject"]> {
  return [...(text === undefined ? [] : [exactly(text)]), ...(regexp === undefined ? [] : [await matching(regexp)])];
}

/** The commits in a file, one on each line, as `git rev-list` prints them. @throws TsignError "input" */
async function commitsIn(io: Io, path: string | undefined): Promise<ReadonlySet<string>> {
  if (path === undefined) return new Set();
  const lines = Buffer.from(await readBlob(io, path))
    .toString("utf8")
    .split("\n")
    .filter((line) => line !== "");
  const wrong = lines.findIndex((line) => !/^([0-9a-f]{40}|[0-9a-f]{64})$/.test(line));
  if (wrong < 0) return new Set(lines);
  throw new TsignError("input", `read commits "${path}": line ${wrong + 1} is not the ID of a commit`, {
    hint: "write the file with `git rev-list --all`",
  });
}
