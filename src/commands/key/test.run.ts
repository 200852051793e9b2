import { algorithmOf, hashOf, printFact, requireReference } from "../../cli/inspect/key.ts";
import { keyReference } from "../../cli/options/key.ts";
import type { Run } from "../../cli/parser/define.ts";
import { TsignError } from "../../errors.ts";
import { messageOf } from "../../format/digest.ts";
import { keyIdOfHint } from "../../format/key-id.ts";
import type { Io } from "../../io/io.ts";
import { readPassword } from "../../io/prompt.ts";
import { defaultHashes, keyHint, verifySignature } from "../../keys/index.ts";
import { openProvider } from "../../keys/providers/open.ts";
import { loadSigner } from "../../keys/reference.ts";
import type { PublicKey, Signer } from "../../keys/types.ts";
import type definition from "./test.ts";

export const run: Run<typeof definition> = async (io, { args: [key = ""], flags }) => {
  const reference = keyReference({ key, sk: flags.sk, slot: flags.slot });
  requireReference(reference);
  const findings = await tryKey(io, reference);
  if (flags.output === "json") io.stdout.write(`${JSON.stringify(findings)}\n`);
  else {
    const { hint, ...others } = findings;
    const shown = { ...others, "key id": keyIdOfHint(hint) };
    for (const [name, value] of Object.entries(shown)) printFact(io, name, value);
  }
  return { ...findings, keyId: keyIdOfHint(findings.hint) };
};

interface Findings {
  readonly key: string;
  readonly service: string;
  readonly algorithm: string;
  readonly hash: string;
  readonly hint: string;
  readonly permissions: readonly string[];
}

async function tryKey(io: Io, reference: string): Promise<Findings> {
  const provider = await openProvider(io, reference);
  const signer = provider
    ? await provider.signer()
    : await loadSigner(io, reference, () => readPassword(io, { confirm: false }));
  const { publicKey } = signer;
  await signOnce(io, signer, provider ? await provider.publicKey() : publicKey);
  const facts = provider ? await provider.facts() : { id: reference };
  return {
    key: facts.id,
    service: provider?.service ?? "key file",
    algorithm: algorithmOf(publicKey),
    hash: hashOf(publicKey),
    hint: keyHint(publicKey),
    permissions: ["read the public key: yes", "sign: yes, and the signature verifies", ...(facts.permissions ?? [])],
  };
}

/** Signs random bytes and verifies them with the public key that a verification would get from the service. */
async function signOnce(io: Io, signer: Signer, key: PublicKey): Promise<void> {
  const bytes = io.random(64);
  const { signature } = await signer.sign(bytes);
  if (await verifySignature({ key, message: messageOf(bytes), signature, hashes: defaultHashes(key) })) return;
  throw new TsignError("bad-signature", "the new signature does not verify with the public key of the same key");
}
