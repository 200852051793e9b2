import { createPublicKey } from "node:crypto";
import { TsignError } from "../../errors.ts";
import type { LoadPackage } from "../../packages.ts";
import { publicKeyFromObject } from "../public-key.ts";
import type { PublicKey } from "../types.ts";
import { type AzureClient, type AzureKey, connectAzure, SERVICE } from "./azurekms-client.ts";
import { isAbsent, readableAzureError } from "./azurekms-errors.ts";
import { ecdsaDer, remoteSigner } from "./remote.ts";
import type { KeyProvider, OpenProvider, ProviderIo } from "./types.ts";

const REFERENCE = /^azurekms:\/\/([^/]+)\/([^/]+)(?:\/([a-z0-9]*))?$/;
/** What sigstore's own code makes. */
const NEW_KEY = { curve: "P-256", keyOps: ["sign", "verify"], tags: { use: "sigstore" } };
/** By the hash of an ECDSA key; RSA keys take any hash, and SHA-256 is what everyone verifies with. */
const ECDSA = { sha256: "ES256", sha384: "ES384", sha512: "ES512" } as const;

interface Found {
  readonly publicKey: PublicKey;
  /** The key's URL, with its version. */
  readonly id: string;
  readonly type: string;
  readonly operations: readonly string[];
}

/** Keys in Azure Key Vault and Managed HSM: `azurekms://VAULT-HOST/KEY[/VERSION]`; the newest version without one. */
export const openAzurekms: OpenProvider = (io, reference) => azurekmsProvider(io, reference);

/** The same, with libraries to test with. */
export function azurekmsProvider(io: ProviderIo, reference: string, load?: LoadPackage): KeyProvider {
  const [, host = "", name = "", version] = REFERENCE.exec(reference) ?? [];
  if (name === "") {
    throw new TsignError("input", `${reference} does not name a key of ${SERVICE}`, {
      hint: "write azurekms://VAULT.vault.azure.net/KEY, with /VERSION to pin one",
    });
  }
  let connected: Promise<AzureClient> | undefined;
  const client = () => {
    connected ??= connectAzure(io, { host, load });
    return connected;
  };
  let found: Promise<Found> | undefined;
  const find = () => {
    found ??= client().then((each) => findKey(each, { name, version: version || undefined }));
    return found;
  };
  return {
    service: SERVICE,
    publicKey: async () => (await find()).publicKey,
    signer: async () => {
      const own = await find();
      if (!own.operations.includes("sign")) {
        throw new TsignError(
          "input",
          `the key ${own.id} may not sign: its operations are ${own.operations.join(", ")}`,
        );
      }
      const azure = await client();
      return remoteSigner({
        service: SERVICE,
        publicKey: own.publicKey,
        signDigest: (digest) => sign(azure, own, digest),
      });
    },
    facts: async () => {
      const { id, type, operations } = await find();
      return { id: `${id} (${type})`, permissions: [`operations of the key: ${operations.join(", ")}`] };
    },
    create: async () => create(await client(), name),
  };
}

async function findKey(client: AzureClient, by: { name: string; version: string | undefined }): Promise<Found> {
  const on = { action: "get", name: by.name };
  return read(await attempt(on, () => client.getKey(by.name, by.version ? { version: by.version } : {})));
}

function read({ key = {}, id = "", properties }: AzureKey): Found {
  const { kty = "unknown", crv } = key;
  if (properties?.enabled === false) {
    throw new TsignError("input", `the key ${id} is disabled`, { hint: "enable it, or name another version" });
  }
  const text = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString("base64url");
  const rsa = kty.startsWith("RSA");
  if (!rsa && !(kty.startsWith("EC") && ["P-256", "P-384", "P-521"].includes(crv ?? ""))) {
    throw new TsignError(
      "input",
      `the key ${id} is of the kind ${[kty, crv].filter(Boolean).join(" ")}, which is not supported`,
      {
        hint: "use EC or EC-HSM on P-256, P-384 or P-521, RSA or RSA-HSM",
      },
    );
  }
  const jwk = rsa
    ? { kty: "RSA", n: text(key.n), e: text(key.e) }
    : { kty: "EC", crv: crv ?? "", x: text(key.x), y: text(key.y) };
  const publicKey = publicKeyFromObject(createPublicKey({ key: jwk, format: "jwk" }));
  return { publicKey, id, type: [kty, crv].filter(Boolean).join(" "), operations: key.keyOps ?? [] };
}

async function sign(client: AzureClient, own: Found, digest: Uint8Array): Promise<Uint8Array> {
  const { kind, hash } = own.publicKey;
  const algorithm = kind.type === "rsa" ? "RS256" : ECDSA[hash];
  const signature = await attempt({ action: "sign", name: own.id }, () => client.sign(own.id, algorithm, digest));
  return kind.type === "rsa" ? signature : ecdsaDer(signature);
}

/** The key of this name, or a new one when there is none. Any other failure is no reason to make one. */
async function create(client: AzureClient, name: string): Promise<PublicKey> {
  try {
    return read(await client.getKey(name, {})).publicKey;
  } catch (error) {
    if (!isAbsent(error)) throw readableAzureError(error, { action: "get", name });
    return read(await attempt({ action: "create", name }, () => client.createKey(name, "EC", NEW_KEY))).publicKey;
  }
}

async function attempt<T>(on: { action: string; name: string }, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw readableAzureError(error, on);
  }
}
