import { toLegacyLogEntry, writeLegacyTimestamp } from "../../evidence/legacy/proofs.ts";
import type { Digest } from "../../format/digest.ts";
import { goJson } from "../../format/go-json.ts";
import { printable } from "../../format/printable.ts";
import { isSignedBy } from "../../images/any-signer.ts";
import type { Lines, Output } from "../../io/io.ts";
import type { Policy, VerifiedContent, VerifiedSigner } from "../../verify/model.ts";
import type { Verified } from "../../verify/verify.ts";

/** OID, name in JSON, name in text. */
const EXTENSION_NAMES: readonly (readonly [string, string, string])[] = [
  ["1.3.6.1.4.1.57264.1.2", "githubWorkflowTrigger", "GitHub Workflow Trigger"],
  ["1.3.6.1.4.1.57264.1.3", "githubWorkflowSha", "GitHub Workflow SHA"],
  ["1.3.6.1.4.1.57264.1.4", "githubWorkflowName", "GitHub Workflow Name"],
  ["1.3.6.1.4.1.57264.1.5", "githubWorkflowRepository", "GitHub Workflow Repository"],
  ["1.3.6.1.4.1.57264.1.6", "githubWorkflowRef", "GitHub Workflow Ref"],
];
const ISSUER_OID = "1.3.6.1.4.1.57264.1.1";

/**
 * Names in `optional` that the verifier fills in, from the certificate, the log and the timestamps. A signed annotation of
 * such a name would look like a verified fact, so it is left out with a warning.
 */
const RESERVED =
  /^(Subject|Issuer|Bundle|RFC3161Timestamp|githubWorkflow(Trigger|Sha|Name|Repository|Ref)|1\.3\.6\.1\.4\.1\.57264\..*)$/s;

/**
 * Warns about identity patterns that may match more names than intended, because they are not anchored or match anything,
 * and names the certificates that they matched.
 *
 * @param verified what verified; bare keys are not named
 */
function warnAboutLoosePatterns(stderr: Lines, signer: Policy["signer"], verified: readonly Verified[]): void {
  if (signer.kind !== "identity") return;
  const loose = [...signer.identity.subject, ...signer.identity.issuer].filter((pattern) => pattern.loose);
  if (loose.length === 0) return;
  const found = new Set(
    verified.flatMap((each) =>
      each.signer.kind === "certificate" ? [`${each.signer.name} (issuer ${each.signer.issuer ?? "none"})`] : [],
    ),
  );
  const patterns = [...new Set(loose.map(({ text }) => text.replace(/^a match for /, "")))].join(" and ");
  stderr.write(
    `WARNING: ${patterns} may match unintended identities: anchor patterns with ^ and $; ` +
      `matched ${printable([...found].join("; "))}\n`,
  );
}

/**
 * Prints which of several accepted signers have signed, and warns about patterns that may match more than intended.
 *
 * @param signers with the flags that name them
 */
export function printAcceptedBy(
  stderr: Lines,
  signers: readonly { readonly signer: Policy["signer"]; readonly name: string }[],
  verified: readonly Verified[],
): void {
  for (const { signer, name } of signers) {
    const accepted = signers.length === 1 ? verified : verified.filter((each) => isSignedBy(each, signer));
    if (accepted.length === 0) continue;
    if (signers.length > 1) stderr.write(`Accepted by ${printable(name)}\n`);
    warnAboutLoosePatterns(stderr, signer, accepted);
  }
}

/** Prints cosign's header on stderr: what was checked for every signature that is printed on stdout. */
export function printHeader(
  stderr: Lines,
  options: { name: string; verified: readonly Verified[]; claims: boolean; annotations: boolean },
): void {
  const { verified } = options;
  const checks = [
    options.annotations ? "The specified annotations were verified." : "",
    options.claims ? "The cosign claims were validated" : "",
    logCheck(verified),
    verified.some(({ signer }) => signer.kind === "key")
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

/** How the log was checked for every signature; empty where it was not. Entries that were looked up were not verified offline. */
function logCheck(verified: readonly Verified[]): string {
  if (!verified.every(({ entries }) => entries.length > 0)) return "";
  const isOffline = verified.every(({ entries }) => entries.every(({ fetched }) => !fetched));
  return isOffline
    ? "Existence of the claims in the transparency log was verified offline"
    : "The claims were present in the transparency log";
}

/**
 * Prints the verified signatures as cosign's JSON: an empty line, then one line. Payloads that are not JSON, which only
 * --check-claims=false accepts, are left out with a warning.
 */
export function printJson(
  io: { stdout: Output; stderr: Lines },
  options: { reference: string; subject: Digest; verified: readonly Verified[] },
) {
  const entries = options.verified.flatMap((each) => {
    const entry = toCosignJson(each, options);
    if (entry === undefined) {
      io.stderr.write(`WARNING: ${each.origin.where}: cannot print the payload as JSON: use --output text\n`);
    }
    warnAboutReserved(io.stderr, each);
    return entry === undefined ? [] : [entry];
  });
  if (entries.length === 0) return;
  io.stdout.write("\n");
  io.stdout.write(`${goJson(entries)}\n`);
}

/** Prints a line for each: a legacy payload as it was signed, a bundle in the same shape. The certificate's facts go to stderr. */
export function printText(
  io: { stdout: Output; stderr: Lines },
  options: { reference: string; subject: Digest; verified: readonly Verified[] },
): void {
  const { stdout, stderr } = io;
  for (const each of options.verified) {
    const { content, signer } = each;
    if (signer.kind === "certificate") for (const line of certificateLines(signer)) stderr.write(`${line}\n`);
    if (content.kind !== "simple-signing") warnAboutReserved(stderr, each);
    const line =
      content.kind === "simple-signing"
        ? Buffer.from(content.payload).toString("utf8")
        : goJson(toCosignJson(each, options));
    stdout.write(`${line}\n`);
  }
}

/** Prints the envelopes of verified attestations as they are stored, a line each. */
export function printEnvelopes(stdout: Output, verified: readonly Verified[]): void {
  for (const { content } of verified) if (content.kind === "statement") stdout.data(`${content.envelope()}\n`);
}

function certificateLines({ name, issuer, extensions }: Extract<VerifiedSigner, { kind: "certificate" }>): string[] {
  return [
    `Certificate subject: ${name}`,
    `Certificate issuer URL: ${issuer ?? ""}`,
    ...EXTENSION_NAMES.flatMap(([oid, , title]) => {
      const value = extensions.get(oid);
      return value ? [`${title}: ${value}`] : [];
    }),
  ];
}

function toCosignJson(verified: Verified, { reference, subject }: { reference: string; subject: Digest }): unknown {
  const { content, signer } = verified;
  const signed = unreserved(signedAnnotations(content));
  if (content.kind !== "simple-signing") {
    return {
      critical: {
        identity: { "docker-reference": reference },
        image: { "docker-manifest-digest": digestIn(content, subject) },
        type: content.kind === "statement" ? content.predicateType : "",
      },
      optional: sorted(signed),
    };
  }
  const { claims } = content;
  if (!claims) return undefined;
  const optional = { ...signed, ...certificateFacts(signer), ...verifiedProofs(verified) };
  return {
    critical: {
      identity: { "docker-reference": claims.dockerReference },
      image: { "docker-manifest-digest": claims.manifestDigest ?? "" },
      type: claims.type,
    },
    optional: Object.keys(optional).length === 0 ? null : sorted(optional),
  };
}

/** The signed annotations. */
function signedAnnotations(content: VerifiedContent): Readonly<Record<string, unknown>> {
  if (content.kind === "simple-signing") return content.claims?.optional ?? {};
  if (content.kind === "statement") return (content.subject ?? content.first)?.annotations ?? {};
  return {};
}

/** The image's digest where the statement names it; for a statement that was not compared with the image, the digest it names first. */
function digestIn(content: VerifiedContent, image: Digest): string {
  if (content.kind !== "statement" || content.subject) return image;
  const [first] = Object.entries(content.first?.digest ?? {});
  return first ? first.join(":") : "";
}

function unreserved(signed: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(signed).filter(([name]) => !RESERVED.test(name)));
}

function warnAboutReserved(stderr: Lines, { content, origin }: Verified): void {
  const names = Object.keys(signedAnnotations(content)).filter((name) => RESERVED.test(name));
  if (names.length === 0) return;
  stderr.write(
    `WARNING: ${printable(origin.where)}: signed annotations with reserved names are left out: ` +
      `${printable(names.join(", "))}\n`,
  );
}

function sorted(members: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const keys = Object.keys(members).sort();
  return Object.fromEntries(keys.map((key) => [key, members[key]]));
}

function certificateFacts(signer: VerifiedSigner): Record<string, unknown> {
  if (signer.kind !== "certificate") return {};
  const { name, issuer, extensions } = signer;
  const facts: Record<string, unknown> = { Subject: name };
  if (issuer !== undefined) facts["Issuer"] = issuer;
  const stated = extensions.get(ISSUER_OID);
  if (stated !== undefined) facts[ISSUER_OID] = stated;
  for (const [oid, key] of EXTENSION_NAMES) {
    const value = extensions.get(oid);
    if (value !== undefined) Object.assign(facts, { [oid]: value, [key]: value });
  }
  return facts;
}

/** The log entry and the timestamp that were verified, in the form that legacy signatures store them in. */
function verifiedProofs({ entries, timestamps }: Verified): Record<string, unknown> {
  // Like cosign, which prints only entries that are stored with the signature.
  const [entry] = entries.flatMap((each) => (each.fetched ? [] : (toLegacyLogEntry(each.entry) ?? [])));
  const [timestamp] = timestamps;
  return {
    ...(entry ? { Bundle: entry } : {}),
    ...(timestamp ? { RFC3161Timestamp: JSON.parse(writeLegacyTimestamp(timestamp.response)) } : {}),
  };
}
