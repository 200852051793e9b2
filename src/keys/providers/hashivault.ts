import { createPublicKey } from "node:crypto";
import { TsignError, withFields } from "../../errors.ts";
import { encodeBase64 } from "../../format/base64.ts";
import { publicKeyFromObject, publicKeyFromPem } from "../public-key.ts";
import type { PublicKey } from "../types.ts";
import { remoteSigner } from "./remote.ts";
import { ask, bytesOf, type Reply, type Service, textAt, valueAt } from "./rest.ts";
import type { OpenProvider, ProviderIo } from "./types.ts";
import { connectVault, SERVICE } from "./vault-connection.ts";

const REFERENCE = /^(?:hashivault|openbao):\/\/(\w(?:[\w.-]*\w)?)$/;
const VERSION_PREFIX = /^vault:v(\d+):$/;
/** Vault takes requests of 32 MiB, and base64 makes three bytes four. */
const MAX_MESSAGE = 16 * 1024 * 1024;
/** The type sigstore's own code makes. */
const NEW_TYPE = "ecdsa-p256";
const SPKI_ED25519 = Buffer.from("302a300506032b6570032100", "hex");

/** A key of the transit engine, as it was read. */
interface TransitKey {
  readonly type: string;
  /** Versions that still count, newest first, with the public key of each. */
  readonly versions: readonly { readonly number: number; readonly publicKey: PublicKey }[];
}

interface Vault {
  readonly service: Service;
  readonly mount: string;
  readonly name: string;
  /** The version that VAULT_KEY_PREFIX (`vault:v2:`) pins. */
  readonly pinned: number | undefined;
}

/**
 * Keys in the transit engine of HashiCorp Vault and OpenBao: `hashivault://NAME`. The engine's mount is
 * TRANSIT_SECRET_ENGINE_PATH, else `transit`. Signing takes the newest version; every version that the key still accepts
 * verifies.
 */
export const openHashivault: OpenProvider = (io, reference) => {
  const name = REFERENCE.exec(reference)?.[1];
  if (!name) {
    throw new TsignError("input", `${reference} does not name a key of Vault`, { hint: "write hashivault://NAME" });
  }
  const connected = lazily(() => connect(io, name));
  return {
    service: SERVICE,
    publicKey: async () => publicKeyOf(await readKey(await connected())),
    signer: async () => {
      const vault = await connected();
      const key = await readKey(vault);
      const [newest] = key.versions;
      if (!newest) throw noVersion(vault);
      return remoteSigner({
        service: SERVICE,
        publicKey: newest.publicKey,
        signDigest: (digest) => signDigest(vault, { digest, publicKey: newest.publicKey, version: newest.number }),
        signMessage: (message) => sign(vault, "", { input: encodeBase64(message), key_version: newest.number }),
        maxMessage: MAX_MESSAGE,
      });
    },
    facts: async () => {
      const vault = await connected();
      const { type, versions } = await readKey(vault);
      return {
        id: `${vault.mount}/keys/${name} (${type}), version ${versions[0]?.number}`,
        permissions: await capabilities(vault),
      };
    },
    create: async () => {
      const vault = await connected();
      const known = await ask(vault.service, { path: keyPath(vault) });
      if (known.status === 404) {
        const made = await ask(vault.service, { path: keyPath(vault), json: { type: NEW_TYPE } });
        if (made.status >= 300) throw refusal(vault, made, { action: "create", path: `keys/${name}` });
      }
      return publicKeyOf(await readKey(vault));
    },
  };
};

async function connect(io: ProviderIo, name: string): Promise<Vault> {
  const prefix = io.env["VAULT_KEY_PREFIX"] ?? "";
  const pinned = VERSION_PREFIX.exec(prefix)?.[1];
  if (prefix !== "" && !pinned) {
    throw new TsignError("usage", `VAULT_KEY_PREFIX is "${prefix}"`, { hint: "it names a key's version: vault:v2:" });
  }
  const mount = (io.env["TRANSIT_SECRET_ENGINE_PATH"] || "transit").replace(/^\/+|\/+$/g, "");
  return { service: await connectVault(io), mount, name, pinned: pinned ? Number(pinned) : undefined };
}

const keyPath = ({ mount, name }: Vault) => `/v1/${mount}/keys/${name}`;

async function readKey(vault: Vault): Promise<TransitKey> {
  const reply = await ask(vault.service, { path: keyPath(vault) });
  if (reply.status >= 300) throw refusal(vault, reply, { action: "read", path: `keys/${vault.name}` });
  const type = textAt(reply.body, "data", "type");
  const keys = valueAt(reply.body, "data", "keys");
  const numbers = Object.keys(typeof keys === "object" && keys !== null ? keys : {}).map(Number);
  const wanted = numbers.filter((each) => vault.pinned === undefined || each === vault.pinned).sort((a, b) => b - a);
  if (wanted.length === 0) throw noVersion(vault);
  const versions = wanted.map((number) => {
    const text = textAt(keys, String(number), "public_key");
    if (text === "") {
      throw new TsignError("input", `the key ${vault.mount}/keys/${vault.name} is of type ${type} and cannot sign`, {
        hint: "signing keys are of type ecdsa-p256, ecdsa-p384, ecdsa-p521, ed25519, rsa-2048, rsa-3072 or rsa-4096",
      });
    }
    return { number, publicKey: readPublicKey(type, text) };
  });
  return { type, versions };
}

/** Vault gives the 32 bytes of an Ed25519 key in base64, everything else in PEM. */
function readPublicKey(type: string, text: string): PublicKey {
  if (type !== "ed25519") return publicKeyFromPem(text);
  const key = Buffer.concat([SPKI_ED25519, bytesOf(SERVICE, text)]);
  return publicKeyFromObject(createPublicKey({ key, format: "der", type: "spki" }));
}

function publicKeyOf({ versions }: TransitKey): PublicKey {
  const [newest, ...earlier] = versions.map(({ publicKey }) => publicKey) as [PublicKey, ...PublicKey[]];
  return earlier.length > 0 ? { ...newest, earlier } : newest;
}

function signDigest(
  vault: Vault,
  { digest, publicKey, version }: { digest: Uint8Array; publicKey: PublicKey; version: number },
): Promise<Uint8Array> {
  return sign(vault, `/sha2-${publicKey.hash.slice("sha".length)}`, {
    input: encodeBase64(digest),
    prehashed: true,
    key_version: version,
    ...(publicKey.kind.type === "rsa" ? { signature_algorithm: "pkcs1v15" } : { marshaling_algorithm: "asn1" }),
  });
}

async function sign(vault: Vault, hash: string, json: Record<string, unknown>): Promise<Uint8Array> {
  const path = `sign/${vault.name}${hash}`;
  const reply = await ask(vault.service, { path: `/v1/${vault.mount}/${path}`, json });
  if (reply.status >= 300) throw refusal(vault, reply, { action: "update", path });
  const [, signature] = /^vault:v\d+:(.+)$/.exec(textAt(reply.body, "data", "signature")) ?? [];
  if (!signature) throw new TsignError("service", `${SERVICE} answered without a signature`);
  return bytesOf(SERVICE, signature);
}

async function capabilities(vault: Vault): Promise<string[]> {
  const paths = [`${vault.mount}/keys/${vault.name}`, `${vault.mount}/sign/${vault.name}/sha2-256`];
  const reply = await ask(vault.service, { path: "/v1/sys/capabilities-self", json: { paths } });
  if (reply.status >= 300) return [];
  return paths.flatMap((path) => {
    const list = valueAt(reply.body, "data", path) ?? valueAt(reply.body, path);
    return Array.isArray(list) ? [`${path}: ${list.join(", ")}`] : [];
  });
}

function noVersion({ mount, name, pinned }: Vault): TsignError {
  const which = pinned === undefined ? "no version" : `no version ${pinned}, which VAULT_KEY_PREFIX asks for`;
  return new TsignError("input", `the key ${mount}/keys/${name} has ${which}`);
}

/** The error for an answer of Vault's that is no success, with `status` and `url`. */
function refusal(vault: Vault, reply: Reply, on: { action: string; path: string }): TsignError {
  return withFields(explained(vault, reply, on), { status: reply.status, url: reply.url });
}

/** What a status of Vault's means; its own words are kept, its lists flattened. */
function explained({ service, mount, name }: Vault, reply: Reply, on: { action: string; path: string }): TsignError {
  const errors = valueAt(reply.body, "errors");
  const words = (Array.isArray(errors) ? errors.join("; ") : "").replace(/\s*[\n\t*]+\s*/g, " ").trim();
  const said = words === "" ? `status ${reply.status}` : words.slice(0, 300);
  const path = `${mount}/${on.path}`;
  if (/invalid token|missing client token|token expired/i.test(words)) {
    return new TsignError("auth", `${SERVICE} at ${service.base} does not know the token`, {
      hint: "log in again, or set VAULT_TOKEN to a valid one",
    });
  }
  if (reply.status === 403) {
    return new TsignError("auth", `no permission for "${on.action}" on ${path} in ${SERVICE}`, {
      hint: `the token's policy needs: path "${path}" { capabilities = ["${on.action}"] }; or the token is not valid`,
    });
  }
  if (reply.status === 404) {
    const missing = /no handler for route/.test(words)
      ? `no secrets engine at ${mount}/`
      : `no such key: ${mount}/keys/${name}`;
    return new TsignError("input", `${missing} in ${SERVICE} at ${service.base}`, {
      hint: "TRANSIT_SECRET_ENGINE_PATH names the engine's mount, VAULT_NAMESPACE its namespace",
    });
  }
  if (reply.status === 429)
    return new TsignError("service", `${SERVICE} is still throttling after several tries: ${said}`);
  if (reply.status === 503)
    return new TsignError("service", `${SERVICE} at ${service.base} is sealed or not ready: ${said}`);
  if (reply.status === 400) return new TsignError("input", `${SERVICE} refuses ${path}: ${said}`);
  return new TsignError("service", `${SERVICE} at ${service.base} failed at ${path}: ${said}`);
}

function lazily<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make();
    return made;
  };
}
