import { TsignError } from "../../errors.ts";
import type { HashName } from "../../format/digest.ts";
import type { LoadPackage } from "../../packages.ts";
import { publicKeyFromPem } from "../public-key.ts";
import type { PublicKey } from "../types.ts";
import { checksum } from "./crc32c.ts";
import { connectGcp, type GcpClient, SERVICE } from "./gcpkms-client.ts";
import { explainGcpError } from "./gcpkms-errors.ts";
import { remoteSigner } from "./remote.ts";
import type { KeyProvider, OpenProvider, ProviderIo } from "./types.ts";

const REFERENCE =
  /^gcpkms:\/\/(projects\/([^/]+)\/locations\/([^/]+)\/keyRings\/([^/]+)\/cryptoKeys\/([^/:]+))(?:\/(?:cryptoKeyVersions|versions)\/([^/]+))?$/;
const NEW_ALGORITHM = "EC_SIGN_P256_SHA256";
const MAX_MESSAGE = 64 * 1024;
/** How often to ask for a new key until it is ready, and the milliseconds between attempts. */
const READY = { attempts: 20, pause: 500 };

interface Name {
  readonly key: string;
  readonly ring: string;
  readonly location: string;
  readonly ringId: string;
  readonly keyId: string;
  readonly version: string | undefined;
}

interface Found {
  readonly publicKey: PublicKey;
  readonly algorithm: string;
  /** Full resource name of the version. */
  readonly version: string;
}

/**
 * Opens keys in Google Cloud KMS: `gcpkms://projects/P/locations/L/keyRings/R/cryptoKeys/K[/cryptoKeyVersions/V]`, by default
 * the newest enabled version.
 */
export const openGcpkms: OpenProvider = (io, reference) => gcpkmsProvider(io, reference);

/** Like openGcpkms, with a loader for the SDK in tests. */
export function gcpkmsProvider(io: ProviderIo, reference: string, load?: LoadPackage): KeyProvider {
  const name = parseName(reference);
  let connected: Promise<GcpClient> | undefined;
  const client = () => {
    connected ??= attempt({ action: "open", name: name.key }, () => connectGcp(load));
    return connected;
  };
  let found: Promise<Found> | undefined;
  const find = () => {
    found ??= client().then((each) => findKey(each, name));
    return found;
  };
  return {
    service: SERVICE,
    publicKey: async () => (await find()).publicKey,
    signer: async () => {
      const [own, gcp] = [await find(), await client()];
      return remoteSigner({
        service: SERVICE,
        publicKey: own.publicKey,
        signDigest: (digest) => signDigest(gcp, own, digest),
        signMessage: (data) => sign(gcp, own, { data, dataCrc32c: { value: checksum(data) } }),
        maxMessage: MAX_MESSAGE,
      });
    },
    facts: async () => {
      const { version, algorithm } = await find();
      const permissions = ["cloudkms.cryptoKeyVersions.viewPublicKey", "cloudkms.cryptoKeyVersions.useToSign"];
      return { id: `${version} (${algorithm})`, permissions };
    },
    create: async () => create(io, await client(), name),
  };
}

function parseName(reference: string): Name {
  const [, key = "", project, place, ringId = "", keyId = "", version] = REFERENCE.exec(reference) ?? [];
  if (key === "") {
    throw new TsignError("input", `invalid ${SERVICE} reference: ${reference}`, {
      hint: "use gcpkms://projects/P/locations/L/keyRings/R/cryptoKeys/K, optionally with /cryptoKeyVersions/V",
    });
  }
  const location = `projects/${project}/locations/${place}`;
  return { key, location, ring: `${location}/keyRings/${ringId}`, ringId, keyId, version };
}

async function findKey(client: GcpClient, name: Name): Promise<Found> {
  const version =
    name.version === undefined
      ? await newestVersion(client, name.key)
      : `${name.key}/cryptoKeyVersions/${name.version}`;
  const answer = await attempt({ action: "viewPublicKey", name: version }, () =>
    client.getPublicKey({ name: version }),
  );
  const { pem = "", algorithm = "unknown" } = answer;
  const scheme = schemeOf(algorithm);
  if (!scheme || pem === "") {
    throw new TsignError("input", `key ${version} cannot sign: its algorithm is ${algorithm}`, {
      hint: "use EC_SIGN_P256_SHA256, EC_SIGN_P384_SHA384, EC_SIGN_ED25519, or an RSA_SIGN algorithm",
    });
  }
  return { publicKey: { ...publicKeyFromPem(pem), ...scheme }, algorithm, version };
}

/** Returns the hash and padding of an algorithm; undefined for an unsupported one. */
function schemeOf(algorithm: string): { hash: HashName; padding?: "pss" } | undefined {
  if (algorithm === "EC_SIGN_ED25519") return { hash: "sha512" };
  const [, kind, bits] = /^(EC_SIGN_P\d+|RSA_SIGN_PKCS1_\d+|RSA_SIGN_PSS_\d+)_SHA(256|384|512)$/.exec(algorithm) ?? [];
  if (!kind) return undefined;
  return { hash: `sha${bits}` as HashName, ...(kind.includes("PSS") ? { padding: "pss" as const } : {}) };
}

/** Returns the newest enabled version, by number: the service sorts names as text, with 10 before 9. */
async function newestVersion(client: GcpClient, key: string): Promise<string> {
  const versions = await attempt({ action: "list", name: key }, () =>
    client.listCryptoKeyVersions({ parent: key, filter: "state=ENABLED", orderBy: "name desc" }),
  );
  const numberOf = (name = "") => Number(name.slice(name.lastIndexOf("/") + 1));
  const [newest] = versions.map(({ name = "" }) => name).sort((a, b) => numberOf(b) - numberOf(a));
  if (newest) return newest;
  throw new TsignError("input", `key ${key} has no enabled version`, {
    hint: "enable a version, or add the one to verify with: /cryptoKeyVersions/N",
  });
}

function signDigest(client: GcpClient, own: Found, digest: Uint8Array): Promise<Uint8Array> {
  return sign(client, own, { digest: { [own.publicKey.hash]: digest }, digestCrc32c: { value: checksum(digest) } });
}

/** Signs, and checks the CRC32C of request and response, as Google recommends. */
async function sign(client: GcpClient, own: Found, input: Record<string, unknown>): Promise<Uint8Array> {
  const name = own.version;
  const answer = await attempt({ action: "useToSign", name }, () => client.asymmetricSign({ name, ...input }));
  const signature = Uint8Array.from(answer.signature ?? []);
  const received = "data" in input ? answer.verifiedDataCrc32c : answer.verifiedDigestCrc32c;
  if (!received || Number(answer.signatureCrc32c?.value) !== checksum(signature)) {
    throw new TsignError(
      "service",
      `${SERVICE}: CRC32C mismatch: the request or the signature was damaged in transit`,
      {
        hint: "try again",
      },
    );
  }
  return signature;
}

async function create(io: ProviderIo, client: GcpClient, name: Name): Promise<PublicKey> {
  const ring = { action: "keyRings.create", name: name.ring, mayExist: true };
  await attempt(ring, () => client.createKeyRing({ parent: name.location, keyRingId: name.ringId, keyRing: {} }));
  await attempt({ action: "cryptoKeys.create", name: name.key, mayExist: true }, () =>
    client.createCryptoKey({
      parent: name.ring,
      cryptoKeyId: name.keyId,
      cryptoKey: { purpose: "ASYMMETRIC_SIGN", versionTemplate: { algorithm: NEW_ALGORITHM } },
    }),
  );
  for (let attempt = 1; ; attempt++) {
    try {
      return (await findKey(client, name)).publicKey;
    } catch (error) {
      // A new version is PENDING_GENERATION for a moment.
      if (attempt === READY.attempts || !/no enabled version|PENDING/.test((error as Error).message)) throw error;
      await io.sleep(READY.pause, io.signal);
    }
  }
}

async function attempt<T>(
  request: { action: string; name: string; mayExist?: boolean },
  call: () => Promise<T>,
): Promise<T> {
  try {
    return await call();
  } catch (error) {
    const ALREADY_EXISTS = 6;
    if (request.mayExist && (error as { code?: number }).code === ALREADY_EXISTS) return undefined as T;
    throw explainGcpError(error, request);
  }
}
