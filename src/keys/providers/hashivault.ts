import { TsignError, withFields } from "../../errors.ts";
import { encodeBase64 } from "../../format/base64.ts";
import { ed25519PublicKey } from "../../format/ed25519.ts";
import { publicKeyFromObject, publicKeyFromPem } from "../public-key.ts";
import type { PublicKey } from "../types.ts";
import { remoteSigner } from "./remote.ts";
import { ask, bytesOf, type Reply, rateLimited, type Service, textAt, valueAt } from "./rest.ts";
import type { OpenProvider, ProviderIo } from "./types.ts";
import { connectVault, SERVICE } from "./vault-connection.ts";

const REFERENCE = /^(?:hashivault|openbao):\/\/(\w(?:[\w.-]*\w)?)$/;
const VERSION_PREFIX = /^vault:v(\d+):$/;
/** Bytes. Vault accepts requests up to 32 MiB, and base64 adds a third. */
const MAX_MESSAGE = 16 * 1024 * 1024;
/** The key type that Sigstore's own code creates. */
const NEW_TYPE = "ecdsa-p256";

/** A key of the transit engine. */
interface TransitKey {
  readonly type: string;
  /** The versions that Vault still accepts, newest first. */
  readonly versions: readonly { readonly number: number; readonly publicKey: PublicKey }[];
}

interface Vault {
  readonly service: Service;
  readonly mount: string;
  readonly name: string;
  /** The version selected by VAULT_KEY_PREFIX (`vault:v2:`). */
  readonly pinned: number | undefined;
}

/**
 * Opens keys in the transit engine of HashiCorp Vault or OpenBao: `hashivault://NAME`. TRANSIT_SECRET_ENGINE_PATH is the
 * engine's mount, by default `transit`. The newest version signs; every version that Vault still accepts verifies.
 */
export const openHashivault: OpenProvider = (io, reference) => {
  const name = REFERENCE.exec(reference)?.[1];
  if (!name) {
    throw new TsignError("input", `invalid ${SERVICE} reference: ${reference}`, { hint: "use hashivault://NAME" });
  }
  const connected = once(() => connect(io, name));
  return {
    service: SERVICE,
    publicKey: async () => publicKeyOf(await readKey(await connected())),
    signer: async () => {
      const vault = await connected();
      const key = await readKey(vault);
      const [newest] = key.versions;
      if (!newest) throw missingVersion(vault);
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
    throw new TsignError("usage", `invalid VAULT_KEY_PREFIX: "${prefix}"`, {
      hint: 'set it to the version of a key, such as "vault:v2:"',
    });
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
  if (wanted.length === 0) throw missingVersion(vault);
  const versions = wanted.map((number) => {
    const text = textAt(keys, String(number), "public_key");
    if (text === "") {
      throw new TsignError("input", `key ${vault.mount}/keys/${vault.name} cannot sign: its type is ${type}`, {
        hint: "use a key of type ecdsa-p256, ecdsa-p384, ecdsa-p521, ed25519, rsa-2048, rsa-3072 or rsa-4096",
      });
    }
    return { number, publicKey: readPublicKey(type, text) };
  });
  return { type, versions };
}

/** Reads a public key: Vault returns the 32 bytes of an Ed25519 key in base64, and other keys in PEM. */
function readPublicKey(type: string, text: string): PublicKey {
  if (type !== "ed25519") return publicKeyFromPem(text);
  return publicKeyFromObject(ed25519PublicKey(bytesOf(SERVICE, text)));
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
  if (!signature) throw new TsignError("service", `${SERVICE} returned no signature`);
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

function missingVersion({ mount, name, pinned }: Vault): TsignError {
  const missing = pinned === undefined ? "versions" : `version ${pinned} (from VAULT_KEY_PREFIX)`;
  return new TsignError("input", `key ${mount}/keys/${name} has no ${missing}`);
}

/** Builds the error for an HTTP status other than success, with `status` and `url`. */
function refusal(vault: Vault, reply: Reply, request: { action: string; path: string }): TsignError {
  return withFields(errorFor(vault, reply, request), { status: reply.status, url: reply.url });
}

/** Builds the error for a status, with Vault's own messages on one line. */
function errorFor(
  { service, mount, name }: Vault,
  reply: Reply,
  request: { action: string; path: string },
): TsignError {
  const errors = valueAt(reply.body, "errors");
  const message = (Array.isArray(errors) ? errors.join("; ") : "").replace(/\s*[\n\t*]+\s*/g, " ").trim();
  const reason = message === "" ? `status ${reply.status}` : message.slice(0, 300);
  const path = `${mount}/${request.path}`;
  if (/invalid token|missing client token|token expired/i.test(message)) {
    return new TsignError("auth", `${SERVICE} (${service.base}) refused the token: ${reason}`, {
      hint: "log in again with `vault login`, or set VAULT_TOKEN to a valid token",
    });
  }
  if (reply.status === 403) {
    return new TsignError(
      "auth",
      `${SERVICE} (${service.base}) denied permission for "${request.action}" on ${path} (403)`,
      {
        hint: `add to the policy of the token: path "${path}" { capabilities = ["${request.action}"] }; or use a valid token`,
      },
    );
  }
  if (reply.status === 404) {
    const missing = /no handler for route/.test(message)
      ? `secrets engine not found: ${mount}/`
      : `key not found: ${mount}/keys/${name}`;
    return new TsignError("input", `${missing} in ${SERVICE} (${service.base})`, {
      hint: "check TRANSIT_SECRET_ENGINE_PATH (the mount of the engine) and VAULT_NAMESPACE",
    });
  }
  if (reply.status === 429) return rateLimited(service, `: ${reason}`);
  if (reply.status === 503)
    return new TsignError("service", `${SERVICE} (${service.base}) is sealed or not ready (503): ${reason}`);
  if (reply.status === 400)
    return new TsignError("input", `${SERVICE} (${service.base}) refused ${path} (400): ${reason}`);
  return new TsignError("service", `${SERVICE} (${service.base}) returned ${reply.status} for ${path}: ${reason}`);
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make();
    return made;
  };
}
