import type { KeyObject } from "node:crypto";
import { TsignError } from "../errors.ts";
import type { Io } from "../io.ts";
import { publicKeyFromObject, writeKeyFile } from "../keys/index.ts";
import { confirm, readPassword } from "../prompt.ts";

/**
 * Writes PREFIX.key (0600, encrypted) and PREFIX.pub (0644). An existing key is replaced only with consent, and either both
 * files are written or neither.
 *
 * @throws TsignError "cancelled" or "input"
 */
export async function writeKeyPair(
  io: Io,
  options: { key: KeyObject; prefix: string; assumeYes: boolean },
): Promise<void> {
  const privatePath = `${options.prefix}.key`;
  const publicPath = `${options.prefix}.pub`;
  const password = await readPassword(io, { confirm: true });
  if (await io.files.stat(privatePath)) {
    await confirm(io, { assumeYes: options.assumeYes, warning: `File ${privatePath} already exists. Overwrite?` });
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
  io.stderr.write(`Private key written to ${privatePath}\nPublic key written to ${publicPath}\n`);
}

/** Refuses to make keys where this version cannot keep them. */
export function refuseKeyServices(kms: string, destination: string | undefined): void {
  const place = kms || destination;
  if (!place) return;
  throw new TsignError(
    "unsupported",
    `${place}: making keys in KMS, Kubernetes, GitHub or GitLab is not available in this version`,
    {
      hint: "without arguments, generate-key-pair writes the key to a file",
    },
  );
}
