import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { TsignError } from "../errors.ts";
import { type PemBlock, readPem, writePem } from "../format/pem.ts";
import type { Io, TlsOptions } from "../io/io.ts";

const MAX_PEM = 16 * 1024 * 1024;

/** Paths of the PEM files for TLS connections to a registry; "" for none. */
export interface TlsFiles {
  readonly caFile: string;
  readonly clientCertFile: string;
  readonly clientKeyFile: string;
}

/**
 * Reads and checks CA certificates, client certificate and key: OpenSSL silently ignores an invalid CA certificate, and
 * reports a wrong key only when it connects.
 *
 * @throws TsignError "usage" or "input"
 */
export async function readTlsFiles(io: Pick<Io, "files">, files: TlsFiles): Promise<TlsOptions> {
  const { caFile, clientCertFile, clientKeyFile } = files;
  if ((clientCertFile === "") !== (clientKeyFile === "")) {
    const [given, other] =
      clientCertFile === ""
        ? ["--registry-client-key", "--registry-client-cert"]
        : ["--registry-client-cert", "--registry-client-key"];
    throw new TsignError("usage", `${given} requires ${other}`);
  }
  const ca = caFile === "" ? {} : { ca: pemOf((await readCertificates(io, caFile)).map(({ raw }) => raw)) };
  if (clientCertFile === "") return ca;
  const chain = await readCertificates(io, clientCertFile);
  const key = await readKey(io, clientKeyFile);
  if (!chain[0]?.checkPrivateKey(key)) {
    throw new TsignError("input", `read ${clientKeyFile}: the key does not match the certificate in ${clientCertFile}`);
  }
  const pkcs8 = key.export({ type: "pkcs8", format: "pem" });
  return { ...ca, cert: pemOf(chain.map(({ raw }) => raw)), key: String(pkcs8) };
}

function pemOf(certificates: readonly Uint8Array[]): string {
  return certificates.map((der) => writePem("CERTIFICATE", der)).join("");
}

async function readCertificates(io: Pick<Io, "files">, path: string): Promise<X509Certificate[]> {
  const blocks = (await readBlocks(io, path)).filter(({ label }) => /^((X509|TRUSTED) )?CERTIFICATE$/.test(label));
  if (blocks.length === 0) throw new TsignError("input", `read ${path}: missing PEM block of type CERTIFICATE`);
  return blocks.map(({ bytes }) => {
    try {
      return new X509Certificate(bytes);
    } catch (cause) {
      throw new TsignError("input", `read ${path}: invalid certificate`, { cause });
    }
  });
}

async function readKey(io: Pick<Io, "files">, path: string): Promise<KeyObject> {
  const block = (await readBlocks(io, path)).find(({ label }) => label.endsWith("PRIVATE KEY"));
  if (!block) throw new TsignError("input", `read ${path}: missing PEM block of type PRIVATE KEY`);
  if (block.label.startsWith("ENCRYPTED")) {
    throw new TsignError("input", `read ${path}: encrypted private keys are not supported for TLS`, {
      hint: "decrypt the key first, for example with `openssl pkey`",
    });
  }
  try {
    return createPrivateKey(writePem(block.label, block.bytes));
  } catch (cause) {
    throw new TsignError("input", `read ${path}: invalid private key`, { cause });
  }
}

async function readBlocks(io: Pick<Io, "files">, path: string): Promise<PemBlock[]> {
  return readPem(Buffer.from(await io.files.read(path, { maxBytes: MAX_PEM })).toString("latin1"));
}
