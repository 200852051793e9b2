import { naming, TsignError } from "../errors.ts";
import { readCertificates } from "../evidence/legacy/read.ts";
import type { Io } from "../io/io.ts";
import { readBlob } from "../net/input.ts";
import {
  ALWAYS,
  type Authority,
  type Log,
  NO_TRUST,
  type TimestampAuthority,
  type TrustedMaterial,
} from "../trust/material.ts";

/** Files that take the place of the trusted root's parts, as cosign's variables do. */
const OVERRIDES = {
  authorities: "SIGSTORE_ROOT_FILE",
  logs: "SIGSTORE_REKOR_PUBLIC_KEY",
  ctLogs: "SIGSTORE_CT_LOG_PUBLIC_KEY_FILE",
  timestampAuthorities: "SIGSTORE_TSA_CERTIFICATE_FILE",
} as const;

/** What of the trusted material a command will need. */
export type Needs = ReadonlySet<keyof TrustedMaterial>;

/** The flags that name trust. */
export interface TrustFlags {
  readonly trustedRoot: string;
  readonly certificateChain: string;
  readonly caRoots: string;
  readonly caIntermediates: string;
  readonly timestampCertificateChain: string;
}

/**
 * Whom to trust: what the flags name takes precedence part by part; then the SIGSTORE_* files; then --trusted-root, or the
 * root that TUF distributes, which is asked for only when a part of it is needed.
 *
 * @throws TsignError
 */
export async function loadTrust(io: Io, flags: TrustFlags, needs: Needs): Promise<TrustedMaterial> {
  if (flags.certificateChain !== "" && (flags.caRoots !== "" || flags.caIntermediates !== "")) {
    throw new TsignError("usage", "--certificate-chain and --ca-roots or --ca-intermediates exclude one another");
  }
  const named = { ...(await readOverrides(io, flags)), ...(await readFlags(io, flags)) };
  if (flags.trustedRoot !== "") {
    const { readTrustedRoot } = await import("../trust/trusted-root.ts");
    return { ...readTrustedRoot(await readBlob(io, flags.trustedRoot), flags.trustedRoot), ...named };
  }
  const missing = [...needs].filter((part) => named[part] === undefined);
  if (missing.length === 0) return { ...NO_TRUST, ...named };
  return { ...(await distributedRoot(io)), ...named };
}

/** The trusted root of the TUF repository in use. */
async function distributedRoot(io: Io): Promise<TrustedMaterial> {
  const { currentRepository } = await import("../services/tuf/index.ts");
  const { readDistributedRoot } = await import("./distributed-root.ts");
  return readDistributedRoot(io, await currentRepository(io));
}

/**
 * A file of the TUF repository in use: `trusted_root.json`, `signing_config.v0.2.json`.
 *
 * @throws TsignError
 */
export async function distributedTarget(io: Io, name: string): Promise<Uint8Array> {
  const { loadTarget } = await import("../services/tuf/index.ts");
  return loadTarget(io, name);
}

async function readFlags(io: Io, flags: TrustFlags): Promise<Partial<TrustedMaterial>> {
  const chain = await readPemCertificates(io, flags.certificateChain);
  const roots = await readPemCertificates(io, flags.caRoots);
  const intermediates = await readPemCertificates(io, flags.caIntermediates);
  const authority: Authority = {
    roots: [...chain.slice(-1), ...roots],
    intermediates: [...chain.slice(0, -1), ...intermediates],
    validFor: ALWAYS,
  };
  const timestamps = await readPemCertificates(io, flags.timestampCertificateChain);
  return {
    ...(authority.roots.length > 0 ? { authorities: [authority] } : {}),
    ...(timestamps.length > 0 ? { timestampAuthorities: [await timestampAuthorityOf(timestamps)] } : {}),
  };
}

async function readOverrides(io: Io, flags: TrustFlags): Promise<Partial<TrustedMaterial>> {
  const file = (part: keyof typeof OVERRIDES) => (flags.trustedRoot === "" ? (io.env[OVERRIDES[part]] ?? "") : "");
  const certificates = await readPemCertificates(io, file("authorities"));
  const timestamps = await readPemCertificates(io, file("timestampAuthorities"));
  const logs = await readLogs(io, file("logs"));
  const ctLogs = await readLogs(io, file("ctLogs"));
  return {
    ...(certificates.length > 0 ? { authorities: [await authorityOfFile(certificates)] } : {}),
    ...(timestamps.length > 0 ? { timestampAuthorities: [await timestampAuthorityOf(timestamps)] } : {}),
    ...(logs.length > 0 ? { logs } : {}),
    ...(ctLogs.length > 0 ? { ctLogs } : {}),
  };
}

// Most commands name no files of trust, and do without what reads them.
async function timestampAuthorityOf(chain: readonly Uint8Array[]): Promise<TimestampAuthority> {
  return (await import("./options/trust-files.ts")).timestampAuthority(chain);
}

async function authorityOfFile(certificates: readonly Uint8Array[]): Promise<Authority> {
  return (await import("./options/trust-files.ts")).authorityOf(certificates);
}

async function readLogs(io: Io, path: string): Promise<Log[]> {
  if (path === "") return [];
  const { logsOf } = await import("./options/trust-files.ts");
  return logsOf(Buffer.from(await readBlob(io, path)).toString("latin1"), { path, baseUrl: path });
}

async function readPemCertificates(io: Io, path: string): Promise<Uint8Array[]> {
  if (path === "") return [];
  const certificates = readCertificates(Buffer.from(await readBlob(io, path)).toString("latin1"), path);
  if (certificates.length === 0) throw new TsignError("input", `${path} holds no certificate`);
  const { parseCertificate } = await import("../trust/certificate.ts");
  for (const der of certificates) await naming(path, () => parseCertificate(der)); // each must be usable
  return certificates;
}
