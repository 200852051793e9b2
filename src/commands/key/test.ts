import { keyFlags, keyReference } from "../../cli/flags/key.ts";
import { defineCommand, flag } from "../../cli/parser/define.ts";
import { TsignError } from "../../errors.ts";
import { messageOf } from "../../format/digest.ts";
import type { Io } from "../../io/io.ts";
import { readPassword } from "../../io/prompt.ts";
import { defaultHashes, keyHint, loadSigner, openProvider, verifySignature } from "../../keys/index.ts";
import type { PublicKey, Signer } from "../../keys/types.ts";

const { sk, slot } = keyFlags;

interface Findings {
  readonly key: string;
  readonly service: string;
  readonly algorithm: string;
  readonly hash: string;
  readonly hint: string;
  readonly permissions: readonly string[];
}

export default defineCommand({
  usage: "[flags] <key>",
  summary: "Try out a key: sign and verify once",
  about:
    "Signs a few random bytes with the key, verifies the signature with its public half, and prints what the key is: algorithm, " +
    "hash, the id its service knows it by, the hint that bundles name it by, and what may be done with it. Nothing is stored.",
  examples: ["tsign key test awskms:///alias/release", "tsign key test --sk --slot signature"],
  args: { min: 0, max: 1 },
  flags: { sk, slot, output: flag.choice(["text", "json"], "form of the answer", { default: "text", short: "o" }) },
  async run(io, { args: [key = ""], flags }) {
    const reference = keyReference({ key, sk: flags.sk, slot: flags.slot });
    if (reference === "") throw new TsignError("usage", "key test needs the reference of a key, or --sk");
    const findings = await tryKey(io, reference);
    if (flags.output === "json") io.stdout.write(`${JSON.stringify(findings)}\n`);
    else for (const [name, value] of Object.entries(findings)) printLine(io, name, value);
  },
});

function printLine(io: Io, name: string, value: string | readonly string[]): void {
  for (const each of typeof value === "string" ? [value] : value) io.stdout.write(`${`${name}:`.padEnd(13)}${each}\n`);
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
    hash: publicKey.kind.type === "ed25519" ? "none (pure Ed25519)" : publicKey.hash,
    hint: keyHint(publicKey),
    permissions: ["read the public key: yes", "sign: yes, and the signature verifies", ...(facts.permissions ?? [])],
  };
}

/** With the public key that a verification would get, which the service tells separately. */
async function signOnce(io: Io, signer: Signer, key: PublicKey): Promise<void> {
  const bytes = io.random(64);
  const { signature } = await signer.sign(bytes);
  if (await verifySignature({ key, message: messageOf(bytes), signature, hashes: defaultHashes(key) })) return;
  throw new TsignError("bad-signature", "the key signs, but its own public half does not verify the signature");
}

function algorithmOf({ kind, padding }: PublicKey): string {
  if (kind.type === "ecdsa") return `ECDSA ${kind.curve}`;
  if (kind.type === "rsa") return `RSA ${kind.bits}, ${padding === "pss" ? "PSS" : "PKCS#1 v1.5"}`;
  return "Ed25519";
}
