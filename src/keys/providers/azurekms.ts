import { createPublicKey } from "node:crypto";
import { TsignError } from "../../errors.ts";
import type { LoadPackage } from "../../packages.ts";
import { publicKeyFromObject } from "../public-key.ts";
import type { PublicKey } from "../types.ts";
import { type AzureClient, type AzureKey, connectAzure, SERVICE } from "./azurekms-client.ts";
import { explainAzureError, isAbsent } from "./azurekms-errors.ts";
import { ecdsaDer, remoteSigner } from "./remote.ts";
import type { KeyProvider, OpenProvider, ProviderIo } from "./types.ts";

const REFERENCE = /^azurekms:\/\/([^/]+)\/([^/]+)(?:\/([a-z0-9]*))?$/;
/** The kind of key that Sigstore's own code creates. */
const NEW_KEY = { curve: "P-256", keyOps: ["sign", "verify"], tags: { use: "sigstore" } };
/** Algorithms by the hash of an ECDSA key. RSA keys always use SHA-256, which all verifiers expect. */
const ECDSA = { sha256: "ES256", sha384: "ES384", sha512: "ES512" } as const;

interface Found {
  readonly publicKey: PublicKey;
  /** The key's URL, with its version. */
  readonly id: string;
  readonly type: string;
  readonly operations: readonly string[];
}

/** Opens keys in Azure Key Vault or Managed HSM: `azurekms://VAULT-HOST/KEY[/VERSION]`, by default the newest version. */
export const openAzurekms: OpenProvider = (io, reference) => azurekmsProvider(io, reference);

/** Like openAzurekms, with a loader for the SDK in tests. */
export function azurekmsProvider(io: ProviderIo, reference: string, load?: LoadPackage): KeyProvider {
  const [, host = "", name = "", version] = REFERENCE.exec(reference) ?? [];
  if (name === "") {
    throw new TsignError("input", `invalid ${SERVICE} reference: ${reference}`, {
      hint: "use azurekms://VAULT.vault.azure.net/KEY or azurekms://VAULT.vault.azure.net/KEY/VERSION",
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
        throw new TsignError("input", `key ${own.id} cannot sign: its operations are ${own.operations.join(", ")}`);
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

async function findKey(client: AzureClient, key: { name: string; version: string | undefined }): Promise<Found> {
  const request = { action: "get", name: key.name };
  return read(await attempt(request, () => client.getKey(key.name, key.version ? { version: key.version } : {})));
}

function read({ key = {}, id = "", properties }: AzureKey): Found {
  const { kty = "unknown", crv } = key;
  if (properties?.enabled === false) {
    throw new TsignError("input", `key ${id} is disabled`, { hint: "enable it, or use another version" });
  }
  const text = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString("base64url");
  const rsa = kty.startsWith("RSA");
  if (!rsa && !(kty.startsWith("EC") && ["P-256", "P-384", "P-521"].includes(crv ?? ""))) {
    throw new TsignError("input", `key ${id} has an unsupported type: ${[kty, crv].filter(Boolean).join(" ")}`, {
      hint: "use EC or EC-HSM on P-256, P-384 or P-521, RSA or RSA-HSM",
    });
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

/** Returns the key with this name. Creates it only when Azure says that it does not exist. */
async function create(client: AzureClient, name: string): Promise<PublicKey> {
  try {
    return read(await client.getKey(name, {})).publicKey;
  } catch (error) {
    if (!isAbsent(error)) throw explainAzureError(error, { action: "get", name });
    return read(await attempt({ action: "create", name }, () => client.createKey(name, "EC", NEW_KEY))).publicKey;
  }
}

async function attempt<T>(request: { action: string; name: string }, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw explainAzureError(error, request);
  }
}
