import { createPrivateKey, generateKeyPairSync } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { registerHooks } from "node:module";
import { join } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { TOOLS } from "../../scripts/tools.ts";
import { systemIo } from "../../src/io/system.ts";
import { signerFromKey } from "../../src/keys/index.ts";
import { loadSigner } from "../../src/keys/reference.ts";
import type { Signer } from "../../src/keys/types.ts";
import type { Kit } from "./backends-kit.ts";

/** A key of the suite, opened in this process. */
export interface OpenKey {
  readonly name: string;
  readonly signer: Signer;
  /** File of the public key. */
  readonly file: string;
}

const PAIRS = {
  "P-256": () => generateKeyPairSync("ec", { namedCurve: "P-256" }),
  "P-384": () => generateKeyPairSync("ec", { namedCurve: "P-384" }),
  RSA: () => generateKeyPairSync("rsa", { modulusLength: 2048 }),
  Ed25519: () => generateKeyPairSync("ed25519"),
};
/** Keys in memory, in Vault and in SoftHSM. */
export async function openKeys(kit: Kit): Promise<OpenKey[]> {
  const keys: OpenKey[] = [];
  const add = (name: string, signer: Signer) => {
    const file = join(kit.cwd, `${name.replaceAll(" ", "-")}.pub`);
    writeFileSync(file, signer.publicKey.pem);
    keys.push({ name, signer, file });
  };
  for (const [name, make] of Object.entries(PAIRS)) {
    const pem = make().privateKey.export({ type: "pkcs8", format: "pem" });
    add(name, signerFromKey(createPrivateKey(pem)));
  }
  findPackages();
  for (const { name, reference, env } of [...(await inVault(kit)), ...(await inSoftHsm(kit))]) {
    const io = { ...systemIo(), env };
    add(name, await loadSigner(io, reference, () => Promise.reject(new Error("no password"))));
  }
  return keys;
}

interface KeyInService {
  readonly name: string;
  readonly reference: string;
  readonly env: Record<string, string>;
}

async function inVault(kit: Kit): Promise<KeyInService[]> {
  const env = kit.env("vault");
  const { BACKENDS_VAULT_ADDR: address, BACKENDS_VAULT_TOKEN: token = "" } = env;
  return Promise.all(
    Object.entries({ "P-256": "ecdsa-p256", RSA: "rsa-2048" }).map(async ([kind, type]) => {
      const name = `signers-${type}-${Date.now()}`;
      const options = { method: "POST", headers: { "x-vault-token": token }, body: JSON.stringify({ type }) };
      const { status } = await fetch(`${address}/v1/transit/keys/${name}`, options);
      if (status >= 300) throw new Error(`Vault answered ${status}`);
      return { name: `Vault ${kind}`, reference: `hashivault://${name}`, env };
    }),
  );
}

/** The suite's own token, so that keys of other programs are not touched. */
async function inSoftHsm(kit: Kit): Promise<KeyInService[]> {
  const module = kit.env("softhsm")["BACKENDS_PKCS11_MODULE"] ?? "";
  const tokens = join(kit.cwd, "tokens");
  mkdirSync(tokens);
  const SOFTHSM2_CONF = join(kit.cwd, "softhsm2.conf");
  writeFileSync(SOFTHSM2_CONF, `directories.tokendir = ${tokens}\nobjectstore.backend = file\nlog.level = ERROR\n`);
  const runner = kit.in("softhsm", { SOFTHSM2_CONF });
  const must = async (program: string, ...args: string[]) => {
    const { code, stderr } = await runner(program, ...args);
    if (code !== 0) throw new Error(`${program}: ${stderr}`);
  };
  await must("softhsm2-util", "--init-token", "--free", "--label", "suite", "--so-pin", "1234", "--pin", "9753");
  process.env["SOFTHSM2_CONF"] = SOFTHSM2_CONF; // the library reads it itself
  const env = { SOFTHSM2_CONF, COSIGN_PKCS11_MODULE_PATH: module, COSIGN_PKCS11_PIN: "9753" };
  const keys: KeyInService[] = [];
  for (const [kind, type] of Object.entries({ "P-256": "EC:prime256v1", "P-384": "EC:secp384r1" })) {
    const login = ["--module", module, "--token-label", "suite", "--login", "--pin", "9753"];
    const key = ["--key-type", type, "--usage-sign", "--id", `0${keys.length + 1}`, "--label", kind];
    await must("pkcs11-tool", ...login, "--keypairgen", ...key);
    keys.push({ name: `SoftHSM ${kind}`, reference: `pkcs11:token=suite;object=${kind}`, env });
  }
  return keys;
}

/** Makes pkcs11js available from the folder where the suites install the optional packages, which the clone does not have. */
function findPackages(): void {
  const parentURL = pathToFileURL(join(TOOLS, "packages/index.js")).href;
  registerHooks({
    resolve: (specifier, context, next) =>
      next(specifier, specifier === "pkcs11js" ? { ...context, parentURL } : context),
  });
}
