import type { X509Certificate } from "@sigstore/core";
import { ANNOTATION } from "../../evidence/media-types.ts";
import type { Origin, Unreadable } from "../../evidence/model.ts";
import { describePayload } from "../../evidence/read-legacy.ts";
import { readStatement } from "../../evidence/statement.ts";
import { certificateIssuer, certificateNames } from "../../format/certificate-names.ts";
import type { Digest } from "../../format/digest.ts";
import { goJson } from "../../format/go-json.ts";
import { printable } from "../../format/printable.ts";
import type { Lines } from "../../io.ts";
import type { Policy, Verdict, VerifiedSigner } from "../../verify/model.ts";

export type Verified = Extract<Verdict, { ok: true }>;

/** OID, name in JSON, name in text. */
const EXTENSION_NAMES: readonly (readonly [string, string, string])[] = [
  ["1.3.6.1.4.1.57264.1.2", "githubWorkflowTrigger", "GitHub Workflow Trigger"],
  ["1.3.6.1.4.1.57264.1.3", "githubWorkflowSha", "GitHub Workflow SHA"],
  ["1.3.6.1.4.1.57264.1.4", "githubWorkflowName", "GitHub Workflow Name"],
  ["1.3.6.1.4.1.57264.1.5", "githubWorkflowRepository", "GitHub Workflow Repository"],
  ["1.3.6.1.4.1.57264.1.6", "githubWorkflowRef", "GitHub Workflow Ref"],
];

/**
 * Says whom a pattern let in, when it may let in more than its author thinks: not anchored, or for anyone.
 *
 * @param verified what passed; nothing is said of bare keys
 */
export function warnAboutLoosePatterns(stderr: Lines, signer: Policy["signer"], verified: readonly Verified[]): void {
  if (signer.kind !== "identity") return;
  const loose = [...signer.identity.subject, ...signer.identity.issuer].filter((pattern) => pattern.loose);
  if (loose.length === 0) return;
  const found = new Set(
    verified.flatMap((each) =>
      each.signer.kind === "certificate"
        ? [
            `${certificateNames(each.signer.leaf).join(", ")} of issuer ${certificateIssuer(each.signer.leaf) ?? "none"}`,
          ]
        : [],
    ),
  );
  const patterns = loose.map(({ text }) => text).join(" or ");
  stderr.write(
    `WARNING: ${patterns} lets in more names than it may seem: it is not anchored by ^ and $, or takes anyone. ` +
      `Signed by exactly: ${printable([...found].join("; "))}\n`,
  );
}

/** What was checked of every signature that is about to be printed, on stderr. */
export function printHeader(
  stderr: Lines,
  options: { name: string; verified: readonly Verified[]; claims: boolean; annotations: boolean; log: boolean },
): void {
  const checks = [
    options.annotations ? "The specified annotations were verified." : "",
    options.claims ? "The cosign claims were validated" : "",
    options.log ? "Existence of the claims in the transparency log was verified offline" : "",
    options.verified.some(({ signer }) => signer.kind === "key")
      ? "The signatures were verified against the specified public key"
      : "The code-signing certificate was verified using trusted certificate authority certificates",
  ];
  const lines = [
    "",
    `Verification for ${options.name} --`,
    "The following checks were performed on each of these signatures:",
    ...checks.filter((check) => check !== "").map((check) => `  - ${check}`),
  ];
  for (const line of lines) stderr.write(`${line}\n`);
}

/**
 * The verified signatures as cosign's JSON: one line, between an empty one and the end. Payloads that have no such form,
 * which only --check-claims=false lets pass, are left out with a warning.
 */
export function printJson(
  io: { stdout: Lines; stderr: Lines },
  options: { reference: string; subject: Digest; verified: readonly Verified[] },
) {
  const entries = options.verified.flatMap((each) => {
    const entry = toCosignJson(each, options);
    if (entry === undefined) {
      const { where } = each.evidence.origin;
      io.stderr.write(`WARNING: ${where}: what is signed has no form in JSON: --output text prints it\n`);
    }
    return entry === undefined ? [] : [entry];
  });
  if (entries.length === 0) return;
  io.stdout.write("\n");
  io.stdout.write(`${goJson(entries)}\n`);
}

/** A line for each: a legacy payload as it was signed, a bundle in the same shape. Who signed goes to stderr. */
export function printText(
  io: { stdout: Lines; stderr: Lines },
  options: { reference: string; subject: Digest; verified: readonly Verified[] },
): void {
  const { stdout, stderr } = io;
  for (const each of options.verified) {
    const { evidence, signer } = each;
    if (signer.kind === "certificate") for (const line of certificateLines(signer.leaf)) stderr.write(`${line}\n`);
    const { content } = evidence;
    const line =
      content.kind === "simple-signing"
        ? Buffer.from(content.payload).toString("utf8")
        : goJson(toCosignJson(each, options));
    stdout.write(`${line}\n`);
  }
}

function certificateLines(leaf: X509Certificate): string[] {
  return [
    `Certificate subject: ${certificateNames(leaf).join(", ")}`,
    `Certificate issuer URL: ${certificateIssuer(leaf) ?? ""}`,
    ...EXTENSION_NAMES.flatMap(([oid, , title]) => {
      const value = leaf.extension(oid)?.value.toString("utf8");
      return value ? [`${title}: ${value}`] : [];
    }),
  ];
}

function toCosignJson(
  { evidence, signer }: Verified,
  { reference, subject }: { reference: string; subject: Digest },
): unknown {
  const { content, annotations } = evidence;
  if (content.kind === "simple-signing") {
    const claims = describePayload(content.payload);
    if (!claims) return undefined;
    const optional = { ...claims.optional, ...certificateFacts(signer), ...storedProofs(annotations) };
    const keys = Object.keys(optional).sort();
    return {
      critical: {
        identity: { "docker-reference": claims.dockerReference },
        image: { "docker-manifest-digest": claims.manifestDigest ?? "" },
        type: claims.type,
      },
      optional: keys.length === 0 ? null : Object.fromEntries(keys.map((key) => [key, optional[key]])),
    };
  }
  const statement = content.kind === "dsse" ? readStatement(content) : undefined;
  const signed = statement?.subjects.at(-1)?.annotations ?? {};
  return {
    critical: {
      identity: { "docker-reference": reference },
      image: { "docker-manifest-digest": subject },
      type: statement?.predicateType ?? "",
    },
    optional: Object.fromEntries(
      Object.keys(signed)
        .sort()
        .map((key) => [key, signed[key]]),
    ),
  };
}

function certificateFacts(signer: VerifiedSigner): Record<string, unknown> {
  if (signer.kind !== "certificate") return {};
  const { leaf } = signer;
  const facts: Record<string, unknown> = {};
  const issuer = certificateIssuer(leaf);
  const [name] = certificateNames(leaf);
  if (name !== undefined) facts["Subject"] = name;
  if (issuer !== undefined) {
    facts["Issuer"] = issuer;
    facts["1.3.6.1.4.1.57264.1.1"] = issuer;
  }
  for (const [oid, key] of EXTENSION_NAMES) {
    const value = leaf.extension(oid)?.value.toString("utf8");
    if (value !== undefined) Object.assign(facts, { [oid]: value, [key]: value });
  }
  return facts;
}

/** The log entry and timestamp stored with a legacy signature, as they are: nothing of them was checked here. */
function storedProofs(annotations: Readonly<Record<string, string>>): Record<string, unknown> {
  const proofs: Record<string, unknown> = {};
  for (const [key, annotation] of [
    ["Bundle", ANNOTATION.logEntry],
    ["RFC3161Timestamp", ANNOTATION.timestamp],
  ] as const) {
    const text = annotations[annotation];
    if (!text) continue;
    try {
      proofs[key] = JSON.parse(text);
    } catch {
      // not part of what was verified, and not worth failing for
    }
  }
  return proofs;
}

/** Why each candidate failed, a line each. */
export function printFailures(
  stderr: Lines,
  failures: readonly { readonly origin: Origin; readonly step: string; readonly reason: string }[],
): void {
  for (const { origin, step, reason } of failures) stderr.write(`  ${origin.where}: ${step}: ${reason}\n`);
}

/** A candidate that did not pass, in the terms of the report. Reasons quote what strangers wrote. */
export function failureOf(candidate: Exclude<Verdict, { ok: true }> | Unreadable) {
  const [origin, step, reason] =
    "unreadable" in candidate
      ? [candidate.origin, "unreadable", candidate.unreadable]
      : [candidate.evidence.origin, candidate.failed.name, candidate.failed.detail];
  return { origin, step, reason: printable(reason) };
}
