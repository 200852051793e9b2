import { keyReference } from "../cli/options/key.ts";
import { writeOutput } from "../cli/options/output-places.ts";
import type { Run } from "../cli/parser/define.ts";
import { TsignError } from "../errors.ts";
import type { Io } from "../io/io.ts";
import { readPassword } from "../io/prompt.ts";
import { openProvider } from "../keys/providers/open.ts";
import { loadSigner } from "../keys/reference.ts";
import type { PublicKey } from "../keys/types.ts";
import type definition from "./public-key.ts";

export const run: Run<typeof definition> = async (io, { flags }) => {
  const reference = keyReference(flags);
  if (reference === "") {
    throw new TsignError("usage", "--key is required", { hint: "pass the private key whose public key to print" });
  }
  const publicKey = await readPublicKey(io, reference);
  if (publicKey.padding === "pss") {
    io.stderr.write(
      "WARNING: this key signs with RSASSA-PSS, which PEM cannot record; verify with the key reference instead of this file\n",
    );
  }
  if (flags.outfile === "") {
    io.stdout.data(publicKey.pem);
    return { publicKey: publicKey.pem };
  }
  const written = await writeOutput(io, { path: flags.outfile, content: publicKey.pem });
  if (written) io.stderr.write(`Public key written to ${flags.outfile}\n`);
  return { publicKey: publicKey.pem, ...(written ? { file: flags.outfile } : {}) };
};

/** Reads the public key; a key service returns it without a use of the private key. */
async function readPublicKey(io: Io, reference: string): Promise<PublicKey> {
  const provider = await openProvider(io, reference);
  if (provider) return provider.publicKey();
  return (await loadSigner(io, reference, () => readPassword(io, { confirm: false }))).publicKey;
}
