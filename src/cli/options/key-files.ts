import type { KeyObject } from "node:crypto";
import { TsignError } from "../../errors.ts";
import type { Io } from "../../io/io.ts";
import { confirm, readPassword } from "../../io/prompt.ts";
import { publicKeyFromObject, writeKeyFile } from "../../keys/index.ts";
import { requireProvider } from "../../keys/providers/open.ts";
import { withoutPin } from "../../keys/providers/pkcs11-uri.ts";
import { requireApart, requirePlaces, writeOutput } from "./output-places.ts";

/**
 * Writes PREFIX.key (0600, encrypted) and PREFIX.pub (0644). An existing file of either name is replaced only with consent, and either both
 * files are written or neither.
 *
 * @param options.from file that the key was read from, which is not written over
 *
 * @throws TsignError "cancelled" or "input"
 */
export async function writeKeyPair(
  io: Io,
  options: { key: KeyObject; prefix: string; assumeYes: boolean; from?: string },
): Promise<void> {
  const privatePath = `${options.prefix}.key`;
  const publicPath = `${options.prefix}.pub`;
  const outputs = [privatePath, publicPath].map((path) => ({ shown: "--output-key-prefix:", path }));
  await requireApart(io, outputs, options.from === undefined ? [] : [{ shown: "--key", path: options.from }]);
  await requirePlaces(io, [privatePath, publicPath]);
  const password = await readPassword(io, { confirm: true });
  for (const path of [privatePath, publicPath]) {
    if (!(await io.files.stat(path))) continue;
    const warning = `File ${path} already exists. Overwrite?`;
    const instead = options.from === undefined ? "--output-key-prefix names other files" : undefined;
    await confirm(io, { assumeYes: options.assumeYes, warning, ...(instead === undefined ? {} : { instead }) });
    break; // one answer is for the pair
  }
  const text = await writeKeyFile(io, options.key, password);
  // The public file first: should the second write fail, the private key that still stands is not lost.
  const before = (await io.files.stat(publicPath))
    ? await io.files.read(publicPath, { maxBytes: 1024 * 1024 })
    : undefined;
  await io.files.write(publicPath, publicKeyFromObject(options.key).pem, { mode: 0o644 });
  try {
    await io.files.write(privatePath, text, { mode: 0o600 });
  } catch (error) {
    if (before) await io.files.write(publicPath, before, { mode: 0o644 });
    else await io.files.remove(publicPath);
    throw error;
  }
  io.stderr.write(`Private key written to ${privatePath}\n`);
  io.stderr.write(`Public key written to ${publicPath}\n`);
}

/**
 * Makes a key in a key management service, where it stays, and writes its public half to PREFIX.pub (0600, as cosign does).
 *
 * @throws TsignError
 */
export async function createServiceKey(io: Io, reference: string, prefix: string): Promise<void> {
  const provider = await requireProvider(io, reference);
  if (!provider.create) {
    throw new TsignError("usage", `--kms cannot make keys in ${provider.service}: ${withoutPin(reference)}`, {
      hint: provider.store
        ? `tsign generate-key-pair ${reference} keeps a key pair there`
        : "make the key with the vendor's tool, then use it by its reference",
    });
  }
  const path = `${prefix}.pub`;
  await requirePlaces(io, [path]);
  await writeOutput(io, { path, content: (await provider.create()).pem });
  io.stderr.write(`Public key written to ${path}\n`);
}

/**
 * Makes a key pair and keeps it, encrypted, with its password, in a service for secrets; the public key is also written to
 * cosign.pub (0600), whatever the prefix.
 *
 * @throws TsignError
 */
export async function storeKeyPair(io: Io, reference: string, key: KeyObject): Promise<void> {
  const provider = await requireProvider(io, reference);
  if (!provider.store) {
    throw new TsignError("usage", `${provider.service} does not keep key pairs: ${withoutPin(reference)}`, {
      hint: `tsign generate-key-pair --kms ${withoutPin(reference)} makes a key that stays there`,
    });
  }
  await requirePlaces(io, ["cosign.pub"]);
  const password = await readPassword(io, { confirm: true });
  const publicKey = publicKeyFromObject(key).pem;
  const lines = await provider.store({ privateKey: await writeKeyFile(io, key, password), publicKey, password });
  await writeOutput(io, { path: "cosign.pub", content: publicKey });
  for (const line of [...lines, "Public key written to cosign.pub"]) io.stderr.write(`${line}\n`);
}
