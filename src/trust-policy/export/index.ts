import { stringify } from "yaml";
import { TsignError } from "../../errors.ts";
import type { Io } from "../../io/io.ts";
import { readPolicyDocument } from "../document.ts";
import { parseImagePattern } from "../image-names.ts";
import { meets } from "../import/combine.ts";
import { readTrustPolicy } from "../read.ts";
import type { PolicyFile, RuleText } from "../schema.ts";
import { PolicySources } from "../sources.ts";
import { writeClusterImagePolicies } from "./cip.ts";
import { type ExportContext, type ExportNote, imagesOf } from "./context.ts";
import { writeImageValidatingPolicies } from "./ivp.ts";
import { writePolicyJson } from "./policy-json.ts";

export const FORMATS = ["cip", "ivp", "policy.json"] as const;
export type Format = (typeof FORMATS)[number];

/**
 * Writes a trust policy for another program. What that cannot demand is refused there, and named; nothing is accepted that the
 * policy refuses.
 *
 * @param content of the policy
 * @param path of its file
 * @returns the documents of the other program
 * @throws TsignError "input" for a policy that cannot be read, or that denies what the other program cannot deny
 */
export async function exportPolicy(
  io: Io,
  file: { readonly content: Uint8Array; readonly path: string },
  format: Format,
): Promise<{ readonly documents: readonly unknown[]; readonly notes: readonly ExportNote[] }> {
  const { content, path } = file;
  const read = await readTrustPolicy(content, path);
  const written = readPolicyDocument(content, path).value as PolicyFile;
  const notes: ExportNote[] = [];
  const sources = new PolicySources(io, read, () => {});
  const pem = async (reference: string) => (await sources.key(reference)).pem;
  const policy = await withKeys(written, pem);
  const context: ExportContext = {
    policy,
    sources,
    pem,
    note: (kind, rule, text) => {
      const place = rule === undefined ? path : (read.rules[rule]?.place ?? path);
      notes.push({ kind, place, text });
    },
  };
  requireDeniable(policy, format);
  if (policy.unmatched === "warn" || policy.unmatched === "audit") {
    context.note(
      "stricter",
      undefined,
      `unmatched: ${policy.unmatched} is not exported: images that no rule matches are refused`,
    );
  }
  if (policy.mirrors !== undefined) {
    context.note("needs", undefined, "mirrors are not exported: name them in that program's own settings");
  }
  if (format !== "policy.json") noteOverlaps(policy.rules, context);
  const write = { cip: writeClusterImagePolicies, ivp: writeImageValidatingPolicies, "policy.json": writePolicyJson };
  return { documents: await write[format](context), notes };
}

/** The policy with its keys inline and in one form, which shows whether two of them are the same. Services are not asked. */
async function withKeys(policy: PolicyFile, pem: (reference: string) => Promise<string>): Promise<PolicyFile> {
  const signers = Object.entries(policy.signers ?? {}).map(async ([name, signer]) => {
    if (signer.key === undefined || signer.key.includes("://")) return [name, signer] as const;
    return [name, { ...signer, key: await pem(signer.key) }] as const;
  });
  return policy.signers === undefined ? policy : { ...policy, signers: Object.fromEntries(await Promise.all(signers)) };
}

/** Nothing outvotes a denial, so that a program that cannot deny would accept what is denied. */
function requireDeniable({ denied = {} }: PolicyFile, format: Format): void {
  for (const [field, items] of Object.entries(denied)) {
    if (!items || items.length === 0 || (field === "digests" && format === "cip")) continue;
    throw new TsignError("input", `export to ${format}: denied.${field} has no equal`, {
      hint: "remove it from a copy of the policy, and deny it in another way",
    });
  }
}

/** In Kubernetes all policies that match an image must be met, not only the first. */
function noteOverlaps(rules: readonly RuleText[], { note }: ExportContext): void {
  const patterns = rules.map((rule) => imagesOf(rule).map((image) => parseImagePattern(image)));
  for (const [index, own] of patterns.entries()) {
    const later = patterns.findIndex(
      (others, at) =>
        at > index &&
        others.some((other) => own.some((one) => !("wrong" in one) && !("wrong" in other) && meets(one, other))),
    );
    if (later >= 0) note("stricter", index, `images that rule ${later + 1} matches, too, must meet both`);
  }
}

/** The YAML of several documents. */
export function yamlOf(documents: readonly unknown[]): string {
  return documents.map((each) => stringify(each, { lineWidth: 0, aliasDuplicateObjects: false })).join("---\n");
}
