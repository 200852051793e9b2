import { TsignError } from "../../errors.ts";
import { readCertificates } from "../../evidence/legacy/read.ts";
import type { Evidence } from "../../evidence/model.ts";
import type { Io } from "../../io/io.ts";
import { readBlob } from "../../net/input.ts";
import type { Needs } from "../../services/trust/sources.ts";
import type { TrustedMaterial } from "../../trust/material.ts";
import type { Policy, TrustMaterial } from "../../verify/model.ts";
import type { keyFlags } from "../flags/key.ts";
import type { verificationFlags } from "../flags/verification.ts";
import { flagName } from "../parser/argv.ts";
import type { FlagValues } from "../parser/define.ts";
import { IF_UNLOGGED } from "./refusal-hints.ts";
import {
  keyReferences,
  type NamedSigner,
  readSigners,
  requireOneWay,
  type SignerOptions,
  valuesOf,
} from "./signers.ts";
import { trustOfFlags } from "./trust.ts";
import { orWithoutMirror } from "./unreachable.ts";

type AllFlags = FlagValues<typeof verificationFlags & typeof keyFlags>;
type Flags = Omit<AllFlags, keyof SignerOptions> & SignerOptions;

type Artifact = "signature" | "attestation" | "blob" | "blob attestation";

/** The flags of a verification, parsed. */
export interface Verification {
  readonly trust: TrustMaterial;
  /** The policy without the claims. */
  readonly policy: Omit<Policy, "claims">;
  /** Every accepted signer, with the flag that names it; the policy has the first. */
  readonly signers: readonly [NamedSigner, ...NamedSigner[]];
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
  requireOneWay(flags);
  // Files have nothing to fetch: cosign ignores the number there too.
  if (flags.maxWorkers < 1 && !artifact.startsWith("blob"))
    throw new TsignError("usage", "--max-workers must be greater than 0");
  const withKey = keyReferences(flags).length > 0;
  const read = () => readSigners(io, flags, { extensions: extensionsOf(flags), hint: signersHint });
  // An incomplete identity is refused before, and an unusable key after the warnings.
  const identities = withKey ? undefined : await read();
  if (withKey) warnAboutCertificateFlags(io, flags);
  warnAboutSkippedLog(io, flags, artifact);
  const signers = identities ?? (await read());
  const policy: Verification["policy"] = {
    signer: signers[0].signer,
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
    signers,
    certificate: withKey ? undefined : certificate,
    rekorUrl: flags.offline ? undefined : flags.rekorUrl,
  };
}

/**
 * Refuses a key together with a certificate: a file's signature is verified with one of them.
 *
 * @throws TsignError "usage"
 */
export function refuseKeyAndCertificate(flags: Flags): void {
  if (keyReferences(flags).length === 0 || flags.certificate === "") return;
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

/** The required texts of certificate extensions, by OID. */
function extensionsOf(flags: Flags): ReadonlyMap<string, string> {
  const extensions = new Map<string, string>();
  for (const [name, oid] of Object.entries(WORKFLOW_EXTENSIONS)) {
    const required = flags[name as keyof typeof WORKFLOW_EXTENSIONS];
    if (required !== "") extensions.set(oid, required);
  }
  return extensions;
}

/** Warns of certificate flags that are given with a key. */
function warnAboutCertificateFlags(io: Io, flags: Flags): void {
  const names = Object.keys(WORKFLOW_EXTENSIONS) as (keyof typeof WORKFLOW_EXTENSIONS)[];
  const others = ["certificate", "certificateOidcIssuer", "certificateOidcIssuerRegexp", "sct"] as const;
  const given = [...others, ...names]
    .filter((name) => valuesOf(flags[name]).length > 0)
    .map((name) => `--${flagName(name)}`);
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
