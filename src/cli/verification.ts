import { readBlob } from "../blob.ts";
import { TsignError } from "../errors.ts";
import type { Evidence } from "../evidence/model.ts";
import { readCertificates } from "../evidence/read-legacy.ts";
import type { HashName } from "../format/digest.ts";
import type { Io } from "../io.ts";
import { defaultHashes, loadPublicKey } from "../keys/index.ts";
import type { CertificateAuthorities } from "../trust/certificate-path.ts";
import type { IdentityPolicy, Policy, TrustMaterial } from "../verify/model.ts";
import type { FlagValues } from "./define.ts";
import type { keyFlags } from "./flags/key.ts";
import type { verificationFlags } from "./flags/verification.ts";

type Flags = FlagValues<typeof verificationFlags & typeof keyFlags>;

/** What the flags of a verification mean, parsed once. */
export interface Verification {
  readonly trust: TrustMaterial;
  readonly signer: Policy["signer"];
  /** A certificate to verify with instead of the one stored with the signature. */
  readonly certificate: Extract<Evidence["key"], { kind: "certificate" }> | undefined;
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
 * @param what is verified, for the warning about the log: `signature` or `blob`
 * @throws TsignError
 */
export async function readVerification(io: Io, flags: Flags, what: string): Promise<Verification> {
  const ways = [flags.key, flags.certificateIdentity, flags.certificateIdentityRegexp].filter((each) => each !== "");
  if (ways.length > 1) {
    throw new TsignError(
      "usage",
      "exactly one of: key reference (--key), or certificate identity (--certificate-identity or " +
        "--certificate-identity-regexp) must be provided",
    );
  }
  if (flags.maxWorkers < 1) throw new TsignError("usage", "--max-workers must be greater than 0");
  const identity = flags.key === "" ? await readIdentity(flags) : undefined;
  requireSkippedLog(io, flags, { what, certificate: identity !== undefined });
  const trust = { authorities: await readAuthorities(io, flags), now: io.now() };
  const certificate = flags.certificate === "" ? undefined : await readGivenCertificate(io, flags);
  if (identity) return { trust, signer: { kind: "identity", identity }, certificate };
  const key = await loadPublicKey(io, flags.key);
  return { trust, signer: { kind: "key", key, hashes: readHashes(flags) ?? defaultHashes(key) }, certificate };
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

async function readIdentity(flags: Flags): Promise<IdentityPolicy> {
  const { exactly, matching } = await import("../verify/patterns.ts");
  const patterns = async (exact: string, pattern: string) => [
    ...(exact === "" ? [] : [exactly(exact)]),
    ...(pattern === "" ? [] : [await matching(pattern)]),
  ];
  const subject = await patterns(flags.certificateIdentity, flags.certificateIdentityRegexp);
  if (subject.length === 0) {
    throw new TsignError("usage", "--certificate-identity or --certificate-identity-regexp is required without --key");
  }
  const issuer = await patterns(flags.certificateOidcIssuer, flags.certificateOidcIssuerRegexp);
  if (issuer.length === 0) {
    throw new TsignError(
      "usage",
      "--certificate-oidc-issuer or --certificate-oidc-issuer-regexp is required without --key",
    );
  }
  const extensions = new Map<string, string>();
  for (const [name, oid] of Object.entries(WORKFLOW_EXTENSIONS)) {
    const required = flags[name as keyof typeof WORKFLOW_EXTENSIONS];
    if (required !== "") extensions.set(oid, required);
  }
  return { subject, issuer, extensions };
}

/** This version checks neither log nor SCT: only who says that they need not be checked gets an answer. */
function requireSkippedLog(io: Io, flags: Flags, options: { what: string; certificate: boolean }): void {
  if (!flags.insecureIgnoreTlog && !flags.privateInfrastructure) {
    throw new TsignError("unsupported", "checking the transparency log is not available in this version", {
      hint: "--insecure-ignore-tlog verifies without it, --private-infrastructure the same without a warning",
    });
  }
  if (options.certificate && !flags.insecureIgnoreSct) {
    throw new TsignError("unsupported", "checking certificate transparency is not available in this version", {
      hint: "--insecure-ignore-sct verifies without it",
    });
  }
  if (flags.privateInfrastructure) return;
  io.stderr.write(
    "WARNING: Skipping tlog verification is an insecure practice that lacks transparency and auditability verification " +
      `for the ${options.what}.\n`,
  );
}

async function readAuthorities(io: Io, flags: Flags): Promise<CertificateAuthorities> {
  if (flags.certificateChain !== "" && (flags.caRoots !== "" || flags.caIntermediates !== "")) {
    throw new TsignError("usage", "--certificate-chain and --ca-roots or --ca-intermediates exclude one another");
  }
  const fromRoot = await readRootFile(io, flags.trustedRoot);
  const chain = await readPemCertificates(io, flags.certificateChain);
  const roots = await readPemCertificates(io, flags.caRoots);
  const intermediates = await readPemCertificates(io, flags.caIntermediates);
  return {
    roots: [...fromRoot.roots, ...chain.slice(-1), ...roots],
    intermediates: [...fromRoot.intermediates, ...chain.slice(0, -1), ...intermediates],
  };
}

async function readRootFile(io: Io, path: string): Promise<CertificateAuthorities> {
  if (path === "") return { roots: [], intermediates: [] };
  const { readTrustedRoot } = await import("../trust/trusted-root.ts");
  return readTrustedRoot(await readBlob(io, path), { path, at: io.now() });
}

async function readPemCertificates(io: Io, path: string): Promise<Uint8Array[]> {
  if (path === "") return [];
  const certificates = readCertificates(Buffer.from(await readBlob(io, path)).toString("latin1"), path);
  if (certificates.length === 0) throw new TsignError("input", `${path} holds no certificate`);
  return certificates;
}

async function readGivenCertificate(io: Io, flags: Flags): Promise<Verification["certificate"]> {
  const bytes = await readBlob(io, flags.certificate);
  const text = Buffer.from(bytes).toString("latin1");
  const decoded = text.includes("-----BEGIN") ? text : Buffer.from(text, "base64").toString("latin1");
  const [leaf = bytes, ...chain] = readCertificates(decoded, flags.certificate);
  return { kind: "certificate", leaf, chain, binding: false };
}
