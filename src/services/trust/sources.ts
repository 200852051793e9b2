import { TsignError, withSubject } from "../../errors.ts";
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

/** cosign's variables for files that replace parts of the trusted root. */
const OVERRIDES = {
  authorities: "SIGSTORE_ROOT_FILE",
  logs: "SIGSTORE_REKOR_PUBLIC_KEY",
  ctLogs: "SIGSTORE_CT_LOG_PUBLIC_KEY_FILE",
  timestampAuthorities: "SIGSTORE_TSA_CERTIFICATE_FILE",
} as const;

/** The parts of the trusted material that a command needs. */
export type Needs = ReadonlySet<keyof TrustedMaterial>;

/** Files of trusted material: each a path, `-` or a URL; undefined or empty for none. */
export interface TrustFiles {
  /** A trusted root, JSON (protobuf-specs TrustedRoot). It replaces the SIGSTORE_* files and the one from TUF. */
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
  /** The parts that will be used. TUF is used only for those that no file provides. */
  readonly needs: Needs;
  /** The content of `files.trustedRoot` if it is known already. */
  readonly trustedRoot?: Uint8Array;
  /** Called with a warning if the TUF repository has no usable trusted root. */
  readonly warn: (text: string) => void;
}

/**
 * Loads the trusted material. For each part, `files` take precedence over the SIGSTORE_* files of the environment, and those
 * over the trusted root file or the one from TUF, which is fetched only if a part of it is needed.
 *
 * @throws TsignError "input" for an unreadable or unexpected file, "untrusted" for an unusable certificate or trusted root,
 * and what the TUF client throws
 */
export async function loadTrust(io: Io, { files, needs, warn, trustedRoot }: TrustSources): Promise<TrustedMaterial> {
  const named = { ...(await readOverrides(io, files)), ...(await readNamed(io, files)) };
  if (files.trustedRoot) {
    const { readTrustedRoot } = await import("../../trust/trusted-root.ts");
    return { ...readTrustedRoot(trustedRoot ?? (await readBlob(io, files.trustedRoot)), files.trustedRoot), ...named };
  }
  const missing = [...needs].filter((part) => named[part] === undefined);
  if (missing.length === 0) return { ...NO_TRUST, ...named };
  return { ...(await distributedRoot(io, warn)), ...named };
}

/** Reads the trusted root of the current TUF repository. */
async function distributedRoot(io: Io, warn: TrustSources["warn"]): Promise<TrustedMaterial> {
  const { currentRepository } = await import("../tuf/index.ts");
  const { readDistributedRoot } = await import("./distributed-root.ts");
  return readDistributedRoot(await currentRepository(io), warn);
}

/**
 * Returns a file of the current TUF repository: `trusted_root.json`, `signing_config.v0.2.json`.
 *
 * @throws TsignError "untrusted" if the repository does not list it or does not verify; "network", "timeout" or "service" if it
 * cannot be reached and nothing usable is cached
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

// Loaded on demand, because most commands use no such files.
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
  if (certificates.length === 0) throw new TsignError("input", `${path} does not contain a certificate`);
  const { parseCertificate } = await import("../../trust/certificate.ts");
  for (const der of certificates) await withSubject(path, () => parseCertificate(der)); // checks that each is usable
  return certificates;
}
