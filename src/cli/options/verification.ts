import { TsignError } from "../../errors.ts";
import { readCertificates } from "../../evidence/legacy/read.ts";
import type { Evidence } from "../../evidence/model.ts";
import type { HashName } from "../../format/digest.ts";
import type { Io } from "../../io/io.ts";
import { defaultHashes } from "../../keys/index.ts";
import { loadPublicKey } from "../../keys/reference.ts";
import { readBlob } from "../../net/input.ts";
import type { Needs } from "../../services/trust/sources.ts";
import type { TrustedMaterial } from "../../trust/material.ts";
import type { IdentityPolicy, Policy, TrustMaterial } from "../../verify/model.ts";
import type { keyFlags } from "../flags/key.ts";
import type { verificationFlags } from "../flags/verification.ts";
import { flagName } from "../parser/argv.ts";
import type { FlagValues } from "../parser/define.ts";
import { keyReference } from "./key.ts";
import { IF_UNLOGGED } from "./refusal-hints.ts";
import { trustOfFlags } from "./trust.ts";
import { orWithoutMirror } from "./unreachable.ts";

type Flags = FlagValues<typeof verificationFlags & typeof keyFlags>;

type Artifact = "signature" | "attestation" | "blob" | "blob attestation";

/** The flags of a verification, parsed. */
export interface Verification {
  readonly trust: TrustMaterial;
  /** The policy without the claims. */
  readonly policy: Omit<Policy, "claims">;
  /** The certificate to verify with in place of the stored one; undefined with a key. */
  readonly certificate: Extract<Evidence["key"], { kind: "certificate" }> | undefined;
  /** The Rekor v1 log in which legacy signatures without a log entry are looked up; undefined with --offline. */
  readonly rekorUrl: string | undefined;
}

const WORKFLOW_EXTENSIONS = {
  certificateGithubWorkflowTrigger: "1.3.6.1.4.1.57264.1.2",
  certificateGithubWorkflowSha: "1.3.6.1.4.1.57264.1.3",
  certificateGithubWorkflowName: "1.3.6.1.4.1.57264.1.4",
  certificateGithubWorkflowRepository: "1.3.6.1.4.1.57264.1.5",
  certificateGithubWorkflowRef: "1.3.6.1.4.1.57264.1.6",
} as const;

/**
 * Reads the required key or identity and the trusted material, in the order in which cosign checks them.
 *
 * @param artifact.kind what is verified, as the warning about the log calls it
 * @param artifact.signersHint names what lists the signers, for a command line without an identity
 * @throws TsignError
 */
export async function readVerification(
  io: Io,
  flags: Flags,
  { kind: artifact, signersHint }: { readonly kind: Artifact; readonly signersHint: string | undefined },
): Promise<Verification> {
  const reference = keyReference(flags);
  const ways = [reference, flags.certificateIdentity, flags.certificateIdentityRegexp].filter((each) => each !== "");
  if (ways.length > 1) {
    throw new TsignError(
      "usage",
      "exactly one of: key reference (--key), or certificate identity (--certificate-identity or " +
        "--certificate-identity-regexp) must be provided",
    );
  }
  // Files have nothing to fetch: cosign ignores the number there too.
  if (flags.maxWorkers < 1 && !artifact.startsWith("blob"))
    throw new TsignError("usage", "--max-workers must be greater than 0");
  const identity = reference === "" ? await readIdentity(flags, signersHint) : undefined;
  if (reference !== "") warnAboutCertificateFlags(io, flags);
  warnAboutSkippedLog(io, flags, artifact);
  const policy: Verification["policy"] = {
    signer: identity ? { kind: "identity", identity } : await readKeyPolicy(io, flags, reference),
    log: flags.insecureIgnoreTlog || flags.privateInfrastructure ? "insecureSkip" : "required",
    timestamp: flags.useSignedTimestamps || flags.timestampCertificateChain !== "" ? "required" : "optional",
    sct: flags.insecureIgnoreSct
      ? "insecureSkip"
      : { detached: flags.sct === "" ? undefined : await readBlob(io, flags.sct) },
  };
  const trusted = await orWithoutMirror(() => trustOfFlags(io, flags, needsOf(policy)), {
    operation: "fetch the trusted root",
    hint: withoutMirrorHint(flags, policy),
  });
  const certificate = flags.certificate === "" ? undefined : await readGivenCertificate(io, flags);
  return {
    trust: { ...trusted, now: io.now() },
    policy,
    certificate: identity ? certificate : undefined,
    rekorUrl: flags.offline ? undefined : flags.rekorUrl,
  };
}

/**
 * Refuses a key together with a certificate: a file's signature is verified with one of them.
 *
 * @throws TsignError "usage"
 */
export function refuseKeyAndCertificate(flags: Flags): void {
  if (keyReference(flags) === "" || flags.certificate === "") return;
  throw new TsignError("usage", `--certificate and ${flags.sk ? "--sk" : "--key"} cannot be used together`);
}

/**
 * Refuses flags that a Sigstore bundle makes useless: it contains the certificate, timestamps and log entries.
 *
 * @param names of the flags that only legacy signatures need
 * @throws TsignError "usage"
 */
export function rejectFlagsUnusedWithBundle<Name extends string>(
  flags: Readonly<Record<Name, string>>,
  names: readonly Name[],
): void {
  const given = names.find((name) => flags[name] !== "");
  if (given === undefined) return;
  throw new TsignError("usage", `--${flagName(given)} cannot be used with a Sigstore bundle`, {
    hint: "leave it out: the certificate and timestamps come from the bundle, the authorities from --trusted-root",
  });
}

async function readKeyPolicy(io: Io, flags: Flags, reference: string): Promise<Policy["signer"]> {
  const key = await loadPublicKey(io, reference);
  return { kind: "key", key, hashes: readHashes(flags) ?? defaultHashes(key) };
}

/** The hash of --signature-digest-algorithm; undefined to take the hash of the key. */
function readHashes({ signatureDigestAlgorithm }: Flags): readonly HashName[] | undefined {
  const name = signatureDigestAlgorithm.trim().toLowerCase();
  if (name === "" || name === "sha256") return undefined;
  if (name === "sha384" || name === "sha512") return [name];
  throw new TsignError("usage", `unknown digest algorithm: ${signatureDigestAlgorithm}`, {
    hint: "use sha256, sha384 or sha512",
  });
}

async function readIdentity(flags: Flags, hint: string | undefined): Promise<IdentityPolicy> {
  const { exactly, matching } = await import("../../verify/patterns.ts");
  const patterns = async (exact: string, pattern: string) => [
    ...(exact === "" ? [] : [exactly(exact)]),
    ...(pattern === "" ? [] : [await matching(pattern)]),
  ];
  const subject = await patterns(flags.certificateIdentity, flags.certificateIdentityRegexp);
  if (subject.length === 0) {
    throw new TsignError("usage", "--certificate-identity or --certificate-identity-regexp is required without --key", {
      hint,
    });
  }
  const issuer = await patterns(flags.certificateOidcIssuer, flags.certificateOidcIssuerRegexp);
  if (issuer.length === 0) {
    throw new TsignError(
      "usage",
      "--certificate-oidc-issuer or --certificate-oidc-issuer-regexp is required without --key",
      { hint },
    );
  }
  const extensions = new Map<string, string>();
  for (const [name, oid] of Object.entries(WORKFLOW_EXTENSIONS)) {
    const required = flags[name as keyof typeof WORKFLOW_EXTENSIONS];
    if (required !== "") extensions.set(oid, required);
  }
  return { subject, issuer, extensions };
}

/** Warns of certificate flags that are given with a key. */
function warnAboutCertificateFlags(io: Io, flags: Flags): void {
  const names = Object.keys(WORKFLOW_EXTENSIONS) as (keyof typeof WORKFLOW_EXTENSIONS)[];
  const others = ["certificate", "certificateOidcIssuer", "certificateOidcIssuerRegexp", "sct"] as const;
  const given = [...others, ...names].filter((name) => flags[name] !== "").map((name) => `--${flagName(name)}`);
  if (given.length > 0)
    io.stderr.write(`WARNING: ${given.join(", ")} ${given.length === 1 ? "is" : "are"} ignored with --key\n`);
}

/** What to do where the trusted root cannot be fetched. --offline covers the look-up in the log alone, as in cosign. */
function withoutMirrorHint({ offline }: Flags, { signer, log }: Verification["policy"]): string {
  const file = `pass --trusted-root FILE${offline ? ", which --offline requires" : " to verify without a network"}`;
  if (signer.kind !== "key" || log !== "required") return file;
  return `${file}; ${IF_UNLOGGED}`;
}

/** The parts of the trusted root that these flags need. */
function needsOf(policy: Verification["policy"]): Needs {
  const needs = new Set<keyof TrustedMaterial>();
  if (policy.signer.kind === "identity") needs.add("authorities");
  if (policy.signer.kind === "identity" && policy.sct !== "insecureSkip") needs.add("ctLogs");
  if (policy.log === "required") needs.add("logs");
  if (policy.timestamp === "required") needs.add("timestampAuthorities");
  return needs;
}

/** Warns that the log is skipped, except with --private-infrastructure. */
function warnAboutSkippedLog(io: Io, flags: Flags, artifact: Artifact): void {
  if (!flags.insecureIgnoreTlog || flags.privateInfrastructure) return;
  io.stderr.write(
    "WARNING: Skipping tlog verification is an insecure practice that lacks transparency and auditability verification " +
      `for the ${artifact}.\n`,
  );
}

async function readGivenCertificate(io: Io, flags: Flags): Promise<Verification["certificate"]> {
  const bytes = await readBlob(io, flags.certificate);
  const text = Buffer.from(bytes).toString("latin1");
  const decoded = text.includes("-----BEGIN") ? text : Buffer.from(text, "base64").toString("latin1");
  const [leaf = bytes, ...chain] = readCertificates(decoded, flags.certificate);
  return { kind: "certificate", leaf, chain, binding: false };
}
