import type { KeyObject } from "node:crypto";
import { TsignError } from "../../errors.ts";
import type { Io } from "../../io/io.ts";
import { confirm, readPassword } from "../../io/prompt.ts";
import { publicKeyFromObject, writeKeyFile } from "../../keys/index.ts";
import { requireProvider } from "../../keys/providers/open.ts";
import { withoutPin } from "../../keys/providers/pkcs11-uri.ts";
import { recordFile } from "../effects.ts";
import { assertDistinct, assertWritable, writeOutput } from "./output-places.ts";

/**
 * Writes PREFIX.key (0600, encrypted) and PREFIX.pub (0644): both files or neither. Asks before it replaces an existing file.
 *
 * @param options.from the file that the key was read from, which is never overwritten
 * @throws TsignError "cancelled" or "input"
 */
export async function writeKeyPair(
  io: Io,
  options: { key: KeyObject; prefix: string; assumeYes: boolean; from?: string },
): Promise<void> {
  const privatePath = `${options.prefix}.key`;
  const publicPath = `${options.prefix}.pub`;
  const outputs = [privatePath, publicPath].map((path) => ({ shown: "--output-key-prefix:", path }));
  await assertDistinct(io, outputs, options.from === undefined ? [] : [{ shown: "--key", path: options.from }]);
  await assertWritable(io, [privatePath, publicPath]);
  const password = await readPassword(io, { confirm: true });
  for (const path of [privatePath, publicPath]) {
    if (!(await io.files.stat(path))) continue;
    const warning = `File ${path} already exists. Overwrite?`;
    const instead = options.from === undefined ? "pass --output-key-prefix to write other files" : undefined;
    await confirm(io, { assumeYes: options.assumeYes, warning, ...(instead === undefined ? {} : { instead }) });
    break; // one answer covers both files
  }
  const text = await writeKeyFile(io, options.key, password);
  // The public file first: if the second write fails, the old private key still exists.
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
  recordFile(io, privatePath);
  recordFile(io, publicPath);
  io.stderr.write(`Private key written to ${privatePath}\n`);
  io.stderr.write(`Public key written to ${publicPath}\n`);
}

/**
 * Creates a key in a key management service and writes its public key to PREFIX.pub (0600, as cosign does).
 *
 * @throws TsignError
 */
export async function createServiceKey(io: Io, reference: string, prefix: string): Promise<void> {
  const provider = await requireProvider(io, reference);
  if (!provider.create) {
    throw new TsignError("usage", `create key ${withoutPin(reference)}: not supported by ${provider.service}`, {
      hint: provider.store
        ? `run \`tsign generate-key-pair ${reference}\` to store a key pair there`
        : "create the key with the vendor's tool, then pass its reference",
    });
  }
  const path = `${prefix}.pub`;
  await assertWritable(io, [path]);
  await writeOutput(io, { path, content: (await provider.create()).pem });
  io.stderr.write(`Public key written to ${path}\n`);
}

/**
 * Stores a new key pair, encrypted, and its password in a secret service, and writes the public key to cosign.pub (0600).
 *
 * @throws TsignError
 */
export async function storeKeyPair(io: Io, reference: string, key: KeyObject): Promise<void> {
  const provider = await requireProvider(io, reference);
  if (!provider.store) {
    throw new TsignError("usage", `store key pair ${withoutPin(reference)}: not supported by ${provider.service}`, {
      hint: `run \`tsign generate-key-pair --kms ${withoutPin(reference)}\` to create a key in the service`,
    });
  }
  await assertWritable(io, ["cosign.pub"]);
  const password = await readPassword(io, { confirm: true });
  const publicKey = publicKeyFromObject(key).pem;
  const lines = await provider.store({ privateKey: await writeKeyFile(io, key, password), publicKey, password });
  await writeOutput(io, { path: "cosign.pub", content: publicKey });
  for (const line of [...lines, "Public key written to cosign.pub"]) io.stderr.write(`${line}\n`);
}
