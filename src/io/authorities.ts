import { X509Certificate } from "node:crypto";
import { type Dirent, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { delimiter, join } from "node:path";
import type { SecureContext } from "node:tls";
import { TsignError } from "../errors.ts";
import { wrapPem } from "../format/pem.ts";

/** Node's TLS. Reading certificates does not need it, and loading it takes longer than a request. */
const tls = () => process.getBuiltinModule("node:tls");

/** Where Linux distributions keep CA certificates, in the order of Go's crypto/x509 (root_linux.go). */
const LINUX_PLACES = {
  /** All in one file. */
  files: [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/cacert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
  ],
  /** One file for each. */
  folders: ["/etc/ssl/certs", "/etc/pki/tls/certs"],
};

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Returns the CA certificates that the system trusts (PEM, one each), as Go's crypto/x509 finds them: on Linux the first file
 * that exists and all files of the folders. SSL_CERT_FILE replaces the file, and SSL_CERT_DIR the folders, which it separates by
 * colons. On other systems they replace the system's store. Certificates of the runtime are used only where Linux has no such
 * file, not even an empty one, so a certificate that is removed from the system is not trusted. Unreadable files are skipped.
 *
 * @param linux where Linux keeps them
 */
export function systemAuthorities(
  env: Environment,
  platform: NodeJS.Platform,
  linux = LINUX_PLACES,
): readonly string[] {
  const { SSL_CERT_FILE: file, SSL_CERT_DIR: folders } = env;
  const isLinux = platform === "linux";
  if (!file && !folders && !isLinux) {
    return [...new Set([...tls().rootCertificates, ...tls().getCACertificates("system")])];
  }
  const texts = firstOf(file ? [file] : isLinux ? linux.files : []);
  for (const folder of folders ? folders.split(delimiter) : isLinux ? linux.folders : [])
    texts.push(...filesOf(folder));
  // Distributions keep each certificate in two files, mostly with the same line ends.
  const blocks = new Set(texts.flatMap((text) => text.match(BLOCK) ?? []));
  const found = new Map<string, string>();
  for (const block of blocks) found.set(block.replaceAll(/\s/g, ""), wrapPem(block));
  if (texts.length === 0 && !file && !folders) return tls().rootCertificates;
  return [...found.values()];
}

/** Makes the system's CA certificates those of all connections that have none of their own: of optional packages, and to proxies. */
export function trustSystemAuthorities(env: Environment, platform: NodeJS.Platform): void {
  tls().setDefaultCACertificates([...systemAuthorities(env, platform)]);
}

/** A PEM block without header lines. */
const BLOCK = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]*-----END CERTIFICATE-----/g;

function firstOf(paths: readonly string[]): string[] {
  for (const path of paths) {
    const text = contentOf(path);
    if (text !== undefined) return [text];
  }
  return [];
}

function contentOf(path: string): string | undefined {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return undefined;
  }
}

/** Reads all files of a folder. Links to another name in the same folder, as c_rehash makes them, are skipped. */
function filesOf(folder: string): string[] {
  let entries: Dirent[];
  try {
    entries = readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
  return entries.flatMap((entry) => {
    const path = join(folder, entry.name);
    if (!entry.isFile() && !(entry.isSymbolicLink() && !isWithin(path))) return [];
    return contentOf(path) ?? [];
  });
}

function isWithin(link: string): boolean {
  try {
    return !/[\\/]/.test(readlinkSync(link));
  } catch {
    return true;
  }
}

/**
 * Creates the TLS settings for connections that trust certain certificates and nothing else. As in Go, each of them may be an
 * intermediate or the server's own.
 *
 * @param authorities PEM, one each; invalid ones are skipped, as by Go
 * @param own the client's certificate and key (PEM)
 * @throws TsignError "input" without a valid CA certificate: a runtime could trust its own list then
 */
export function contextOf(authorities: readonly string[], own: { cert?: string; key?: string } = {}): SecureContext {
  const create = (ca: readonly string[]) => {
    if (ca.length > 0) return tls().createSecureContext({ ...own, ca: [...ca], allowPartialTrustChain: true });
    throw new TsignError("input", "read CA certificates: found none", {
      hint: "install the system's CA certificates, or set SSL_CERT_FILE to a file that contains them",
    });
  };
  try {
    return create(authorities);
  } catch (error) {
    const valid = authorities.filter(isCertificate);
    if (valid.length === authorities.length) throw error;
    return create(valid);
  }
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).raw.length > 0;
  } catch {
    return false;
  }
}
