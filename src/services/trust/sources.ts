import { naming, TsignError } from "../../errors.ts";
import { readCertificates } from "../../evidence/legacy/read.ts";
import type { Io } from "../../io/io.ts";
import { readBlob } from "../../net/input.ts";
import {
  ALWAYS,
  type Authority,
  type Log,
  NO_TRUST,
  type TimestampAuthority,
  type TrustedMaterial,
} from "../../trust/material.ts";

/** Files that take the place of the trusted root's parts, as cosign's variables do. */
const OVERRIDES = {
  authorities: "SIGSTORE_ROOT_FILE",
  logs: "SIGSTORE_REKOR_PUBLIC_KEY",
  ctLogs: "SIGSTORE_CT_LOG_PUBLIC_KEY_FILE",
  timestampAuthorities: "SIGSTORE_TSA_CERTIFICATE_FILE",
} as const;

/** What of the trusted material a command will need. */
export type Needs = ReadonlySet<keyof TrustedMaterial>;

/** Files that say whom to trust: each a path, `-` or a URL, undefined or empty where none is given. */
export interface TrustFiles {
  /** A trusted root, JSON (protobuf-specs TrustedRoot). It takes the place of the SIGSTORE_* files and of TUF's. */
  readonly trustedRoot?: string;
  /** PEM: intermediate certificate authorities, then one root. */
  readonly certificateChain?: string;
  /** PEM: roots of certificate authorities. */
  readonly caRoots?: string;
  /** PEM: intermediate certificate authorities. */
  readonly caIntermediates?: string;
  /** PEM: a timestamp authority's signing certificate, then its chain, the root last. */
  readonly timestampCertificateChain?: string;
}

export interface TrustSources {
  readonly files: TrustFiles;
  /** The parts that will be used. TUF is asked only for what no file names. */
  readonly needs: Needs;
  /** Told, in a sentence, what is trusted with less than usual: the TUF repository has no trusted root. */
  readonly warn: (text: string) => void;
}

/**
 * Whom to trust: what `files` name takes precedence part by part; then the SIGSTORE_* files of the environment; then the
 * trusted root file, or the one that TUF distributes, which is asked for only when a part of it is needed.
 *
 * @throws TsignError "input" for a file that cannot be read or holds something else, "untrusted" for certificates or a
 * trusted root that cannot be used, and whatever the TUF client throws
 */
export async function loadTrust(io: Io, { files, needs, warn }: TrustSources): Promise<TrustedMaterial> {
  const named = { ...(await readOverrides(io, files)), ...(await readNamed(io, files)) };
  if (files.trustedRoot) {
    const { readTrustedRoot } = await import("../../trust/trusted-root.ts");
    return { ...readTrustedRoot(await readBlob(io, files.trustedRoot), files.trustedRoot), ...named };
  }
  const missing = [...needs].filter((part) => named[part] === undefined);
  if (missing.length === 0) return { ...NO_TRUST, ...named };
  return { ...(await distributedRoot(io, warn)), ...named };
}

/** The trusted root of the TUF repository in use. */
async function distributedRoot(io: Io, warn: TrustSources["warn"]): Promise<TrustedMaterial> {
  const { currentRepository } = await import("../tuf/index.ts");
  const { readDistributedRoot } = await import("./distributed-root.ts");
  return readDistributedRoot(await currentRepository(io), warn);
}

/**
 * A file of the TUF repository in use: `trusted_root.json`, `signing_config.v0.2.json`.
 *
 * @throws TsignError "untrusted" when the repository lists no such file or does not verify; "network", "timeout",
 * "registry" when it cannot be reached and nothing usable was kept from before
 */
export async function distributedTarget(io: Io, name: string): Promise<Uint8Array> {
  const { loadTarget } = await import("../tuf/index.ts");
  return loadTarget(io, name);
}

async function readNamed(io: Io, files: TrustFiles): Promise<Partial<TrustedMaterial>> {
  const chain = await readPemCertificates(io, files.certificateChain);
  const roots = await readPemCertificates(io, files.caRoots);
  const intermediates = await readPemCertificates(io, files.caIntermediates);
  const authority: Authority = {
    roots: [...chain.slice(-1), ...roots],
    intermediates: [...chain.slice(0, -1), ...intermediates],
    validFor: ALWAYS,
  };
  const timestamps = await readPemCertificates(io, files.timestampCertificateChain);
  return {
    ...(authority.roots.length > 0 ? { authorities: [authority] } : {}),
    ...(timestamps.length > 0 ? { timestampAuthorities: [await timestampAuthorityOf(timestamps)] } : {}),
  };
}

async function readOverrides(io: Io, { trustedRoot }: TrustFiles): Promise<Partial<TrustedMaterial>> {
  const file = (part: keyof typeof OVERRIDES) => (trustedRoot ? undefined : io.env[OVERRIDES[part]]);
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
  return (await import("./files.ts")).timestampAuthority(chain);
}

async function authorityOfFile(certificates: readonly Uint8Array[]): Promise<Authority> {
  return (await import("./files.ts")).authorityOf(certificates);
}

async function readLogs(io: Io, path: string | undefined): Promise<Log[]> {
  if (!path) return [];
  const { logsOf } = await import("./files.ts");
  return logsOf(Buffer.from(await readBlob(io, path)).toString("latin1"), { path, baseUrl: path });
}

async function readPemCertificates(io: Io, path: string | undefined): Promise<Uint8Array[]> {
  if (!path) return [];
  const certificates = readCertificates(Buffer.from(await readBlob(io, path)).toString("latin1"), path);
  if (certificates.length === 0) throw new TsignError("input", `${path} holds no certificate`);
  const { parseCertificate } = await import("../../trust/certificate.ts");
  for (const der of certificates) await naming(path, () => parseCertificate(der)); // each must be usable
  return certificates;
}
