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
import { trustOfFlags } from "./trust.ts";
import { orWithoutMirror } from "./unreachable.ts";

type Flags = FlagValues<typeof verificationFlags & typeof keyFlags>;

type Artifact = "signature" | "attestation" | "blob" | "blob attestation";

/** What the flags of a verification mean, parsed once. */
export interface Verification {
  readonly trust: TrustMaterial;
  /** All of it but what the signed document must claim. */
  readonly policy: Omit<Policy, "claims">;
  /** A certificate to verify with instead of the one stored with the signature; with a key there is none. */
  readonly certificate: Extract<Evidence["key"], { kind: "certificate" }> | undefined;
  /** Rekor v1 that legacy signatures without their log entry are looked up in; undefined with --offline. */
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
 * Reads the key or identity to require, and whom to trust, in cosign's order of checks.
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
  // A file's signature is not fetched: the number decides nothing there, as in cosign.
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
 * A file's signature is by a key or by a certificate; with both, one would count for nothing.
 *
 * @throws TsignError "usage"
 */
export function refuseKeyAndCertificate(flags: Flags): void {
  if (keyReference(flags) === "" || flags.certificate === "") return;
  throw new TsignError("usage", "exactly one of --key, --sk or --certificate says whose signature it is");
}

/**
 * A Sigstore bundle brings its certificate and its proofs; others beside it would count for nothing.
 *
 * @param names of the flags that only a legacy signature has use for
 * @throws TsignError "usage"
 */
export function refuseBesideBundle<Name extends string>(
  flags: Readonly<Record<Name, string>>,
  names: readonly Name[],
): void {
  const given = names.find((name) => flags[name] !== "");
  if (given === undefined) return;
  throw new TsignError("usage", `--${flagName(given)} cannot be used with a Sigstore bundle`, {
    hint: "the bundle holds certificate and timestamps; a --trusted-root file names the authorities",
  });
}

async function readKeyPolicy(io: Io, flags: Flags, reference: string): Promise<Policy["signer"]> {
  const key = await loadPublicKey(io, reference);
  return { kind: "key", key, hashes: readHashes(flags) ?? defaultHashes(key) };
}

/** The hash the user named; undefined when it was left to the key. */
function readHashes({ signatureDigestAlgorithm }: Flags): readonly HashName[] | undefined {
  const name = signatureDigestAlgorithm.trim().toLowerCase();
  if (name === "" || name === "sha256") return undefined;
  if (name === "sha384" || name === "sha512") return [name];
  throw new TsignError("usage", `unknown digest algorithm: ${signatureDigestAlgorithm}`, {
    hint: "sha256, sha384 or sha512",
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

/** What a certificate must state means nothing for a key, and is not passed over in silence. */
function warnAboutCertificateFlags(io: Io, flags: Flags): void {
  const names = Object.keys(WORKFLOW_EXTENSIONS) as (keyof typeof WORKFLOW_EXTENSIONS)[];
  const others = ["certificate", "certificateOidcIssuer", "certificateOidcIssuerRegexp", "sct"] as const;
  const given = [...others, ...names].filter((name) => flags[name] !== "").map((name) => `--${flagName(name)}`);
  if (given.length > 0) io.stderr.write(`WARNING: no effect of ${given.join(", ")}: --key says who signed\n`);
}

/** What to do where the trusted root cannot be fetched. --offline covers the look-up in the log alone, as in cosign. */
function withoutMirrorHint({ offline }: Flags, { signer, log }: Verification["policy"]): string {
  const file = `pass --trusted-root FILE${offline ? ", which --offline requires" : " to verify without a network"}`;
  if (signer.kind !== "key" || log !== "required") return file;
  return `${file}; if it was signed without a transparency log on purpose, add --insecure-ignore-tlog`;
}

/** What of the distributed trust these flags make necessary. */
function needsOf(policy: Verification["policy"]): Needs {
  const needs = new Set<keyof TrustedMaterial>();
  if (policy.signer.kind === "identity") needs.add("authorities");
  if (policy.signer.kind === "identity" && policy.sct !== "insecureSkip") needs.add("ctLogs");
  if (policy.log === "required") needs.add("logs");
  if (policy.timestamp === "required") needs.add("timestampAuthorities");
  return needs;
}

/** Says that the log is left out, unless the user has no public log in the first place. */
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
