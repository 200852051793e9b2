import type { Run } from "../../cli/parser/define.ts";
import { TsignError, withSubject } from "../../errors.ts";
import type { Io } from "../../io/io.ts";
import { readNewPassword, readPassword } from "../../io/prompt.ts";
import { keyHint, publicKeyFromObject, readKeyFile, sameKey, writeKeyFile } from "../../keys/index.ts";
import { openProvider } from "../../keys/providers/open.ts";
import { withoutPin } from "../../keys/providers/pkcs11-uri.ts";
import type definition from "./change-password.ts";

/** Bytes of the largest key file. */
const MAX_KEY_FILE = 1024 * 1024;

export const run: Run<typeof definition> = async (io, { args: [path = ""] }) => {
  await requireFile(io, path);
  await io.files.requireWritable(path);
  const was = await io.files.read(path, { maxBytes: MAX_KEY_FILE });
  const text = Buffer.from(was).toString("utf8");
  const key = await withSubject(path, () => readKeyFile(text, () => readPassword(io, { confirm: false })));
  const publicKey = publicKeyFromObject(key);
  const password = await readNewPassword(io);
  const data = await writeKeyFile(io, key, password);
  await io.files.replaceProven(path, was, data, async (written) => {
    const read = await readKeyFile(Buffer.from(written).toString("utf8"), async () => password);
    if (sameKey(publicKeyFromObject(read).object, publicKey.object)) return;
    throw new TsignError("internal", `replace ${path}: the new file contains another key`);
  });
  if (password.length === 0) io.stderr.write(`WARNING: the new password of ${path} is empty\n`);
  const keyId = Buffer.from(keyHint(publicKey), "base64").toString("hex");
  io.stderr.write(`Password of ${path} changed; its key is still ${keyId}\n`);
  return { file: path, keyId };
};

/** Refuses what is not a file whose content tsign can replace. */
async function requireFile(io: Io, path: string): Promise<void> {
  const shown = withoutPin(path);
  const provider = await openProvider(io, path);
  if (provider) {
    throw new TsignError("usage", `change password of ${shown}: the key is in ${provider.service}, not in a file`, {
      hint: "pass the path of a private key file, such as cosign.key",
    });
  }
  if (path === "-" || /^(https?|env):\/\//i.test(path)) {
    throw new TsignError("usage", `change password of ${shown}: not a file`, {
      hint: "pass the path of a private key file, such as cosign.key",
    });
  }
}
