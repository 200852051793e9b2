import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { TsignError } from "../errors.ts";
import { type PemBlock, readPem, writePem } from "../format/pem.ts";
import type { Io, TlsOptions } from "../io/io.ts";

const MAX_PEM = 16 * 1024 * 1024;

/** Names of the PEM files that hold what a registry's TLS needs; "" for none. */
export interface TlsFiles {
  readonly caFile: string;
  readonly clientCertFile: string;
  readonly clientKeyFile: string;
}

/**
 * Reads authorities, client certificate and key, and checks that they are that: OpenSSL passes over a broken authority in
 * silence and finds out about a wrong key only when it connects.
 *
 * @throws TsignError "usage" or "input"
 */
export async function readTlsFiles(io: Pick<Io, "files">, files: TlsFiles): Promise<TlsOptions> {
  const { caFile, clientCertFile, clientKeyFile } = files;
  if ((clientCertFile === "") !== (clientKeyFile === "")) {
    throw new TsignError("usage", "--registry-client-cert and --registry-client-key go together");
  }
  const ca = caFile === "" ? {} : { ca: pemOf((await readCertificates(io, caFile)).map(({ raw }) => raw)) };
  if (clientCertFile === "") return ca;
  const chain = await readCertificates(io, clientCertFile);
  const key = await readKey(io, clientKeyFile);
  if (!chain[0]?.checkPrivateKey(key)) {
    throw new TsignError("input", `the key in ${clientKeyFile} is not that of the certificate in ${clientCertFile}`);
  }
  const pkcs8 = key.export({ type: "pkcs8", format: "pem" });
  return { ...ca, cert: pemOf(chain.map(({ raw }) => raw)), key: String(pkcs8) };
}

function pemOf(certificates: readonly Uint8Array[]): string {
  return certificates.map((der) => writePem("CERTIFICATE", der)).join("");
}

async function readCertificates(io: Pick<Io, "files">, path: string): Promise<X509Certificate[]> {
  const blocks = (await readBlocks(io, path)).filter(({ label }) => /^((X509|TRUSTED) )?CERTIFICATE$/.test(label));
  if (blocks.length === 0) throw new TsignError("input", `${path} holds no PEM block of type CERTIFICATE`);
  return blocks.map(({ bytes }) => {
    try {
      return new X509Certificate(bytes);
    } catch (cause) {
      throw new TsignError("input", `${path} holds a certificate that cannot be read`, { cause });
    }
  });
}

async function readKey(io: Pick<Io, "files">, path: string): Promise<KeyObject> {
  const block = (await readBlocks(io, path)).find(({ label }) => label.endsWith("PRIVATE KEY"));
  if (!block) throw new TsignError("input", `${path} holds no PEM block of type PRIVATE KEY`);
  if (block.label.startsWith("ENCRYPTED")) {
    throw new TsignError("input", `the private key in ${path} is encrypted: a TLS client key must not be`);
  }
  try {
    return createPrivateKey(writePem(block.label, block.bytes));
  } catch (cause) {
    throw new TsignError("input", `the private key in ${path} cannot be read`, { cause });
  }
}

async function readBlocks(io: Pick<Io, "files">, path: string): Promise<PemBlock[]> {
  return readPem(Buffer.from(await io.files.read(path, { maxBytes: MAX_PEM })).toString("latin1"));
}
