import { TsignError } from "../../errors.ts";
import type { HashName } from "../../format/digest.ts";
import type { LoadPackage } from "../../packages.ts";
import { publicKeyFromPem } from "../public-key.ts";
import type { PublicKey } from "../types.ts";
import { checksum } from "./crc32c.ts";
import { connectGcp, type GcpClient, SERVICE } from "./gcpkms-client.ts";
import { readableGcpError } from "./gcpkms-errors.ts";
import { remoteSigner } from "./remote.ts";
import type { KeyProvider, OpenProvider, ProviderIo } from "./types.ts";

const REFERENCE =
  /^gcpkms:\/\/(projects\/([^/]+)\/locations\/([^/]+)\/keyRings\/([^/]+)\/cryptoKeys\/([^/:]+))(?:\/(?:cryptoKeyVersions|versions)\/([^/]+))?$/;
const NEW_ALGORITHM = "EC_SIGN_P256_SHA256";
const MAX_MESSAGE = 64 * 1024;
/** How long a new key may take to be ready: tries, and milliseconds between them. */
const READY = { tries: 20, pause: 500 };

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
 * Keys in Google Cloud KMS: `gcpkms://projects/P/locations/L/keyRings/R/cryptoKeys/K[/cryptoKeyVersions/V]`. Without a
 * version the newest enabled one is used.
 */
export const openGcpkms: OpenProvider = (io, reference) => gcpkmsProvider(io, reference);

/** The same, with a library to test with. */
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
    throw new TsignError("input", `${reference} does not name a key of ${SERVICE}`, {
      hint: "write gcpkms://projects/P/locations/L/keyRings/R/cryptoKeys/K, with /cryptoKeyVersions/V to pin a version",
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
  const meant = meaningOf(algorithm);
  if (!meant || pem === "") {
    throw new TsignError("input", `the key ${version} is of the kind ${algorithm}, which cannot be used for signing`, {
      hint: "use EC_SIGN_P256_SHA256, EC_SIGN_P384_SHA384, EC_SIGN_ED25519, or an RSA_SIGN algorithm",
    });
  }
  return { publicKey: { ...publicKeyFromPem(pem), ...meant }, algorithm, version };
}

/** The hash and padding an algorithm demands; undefined for what is no signature tsign knows. */
function meaningOf(algorithm: string): { hash: HashName; padding?: "pss" } | undefined {
  if (algorithm === "EC_SIGN_ED25519") return { hash: "sha512" };
  const [, kind, bits] = /^(EC_SIGN_P\d+|RSA_SIGN_PKCS1_\d+|RSA_SIGN_PSS_\d+)_SHA(256|384|512)$/.exec(algorithm) ?? [];
  if (!kind) return undefined;
  return { hash: `sha${bits}` as HashName, ...(kind.includes("PSS") ? { padding: "pss" as const } : {}) };
}

/** By number: the service sorts names as text, which puts 10 before 9. */
async function newestVersion(client: GcpClient, key: string): Promise<string> {
  const versions = await attempt({ action: "list", name: key }, () =>
    client.listCryptoKeyVersions({ parent: key, filter: "state=ENABLED", orderBy: "name desc" }),
  );
  const numberOf = (name = "") => Number(name.slice(name.lastIndexOf("/") + 1));
  const [newest] = versions.map(({ name = "" }) => name).sort((a, b) => numberOf(b) - numberOf(a));
  if (newest) return newest;
  throw new TsignError("input", `the key ${key} has no enabled version`, {
    hint: "enable one, or name the version to verify with: /cryptoKeyVersions/N",
  });
}

function signDigest(client: GcpClient, own: Found, digest: Uint8Array): Promise<Uint8Array> {
  return sign(client, own, { digest: { [own.publicKey.hash]: digest }, digestCrc32c: { value: checksum(digest) } });
}

/** What was sent and what came back is checked by its CRC32C, as Google asks for. */
async function sign(client: GcpClient, own: Found, what: Record<string, unknown>): Promise<Uint8Array> {
  const name = own.version;
  const answer = await attempt({ action: "useToSign", name }, () => client.asymmetricSign({ name, ...what }));
  const signature = Uint8Array.from(answer.signature ?? []);
  const received = "data" in what ? answer.verifiedDataCrc32c : answer.verifiedDigestCrc32c;
  if (!received || Number(answer.signatureCrc32c?.value) !== checksum(signature)) {
    throw new TsignError("service", `${SERVICE}: the request or the signature was damaged on its way`, {
      hint: "try again",
    });
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
  for (let tried = 1; ; tried++) {
    try {
      return (await findKey(client, name)).publicKey;
    } catch (error) {
      // A new version is PENDING_GENERATION for a moment.
      if (tried === READY.tries || !/no enabled version|PENDING/.test((error as Error).message)) throw error;
      await io.sleep(READY.pause, io.signal);
    }
  }
}

async function attempt<T>(
  on: { action: string; name: string; mayExist?: boolean },
  call: () => Promise<T>,
): Promise<T> {
  try {
    return await call();
  } catch (error) {
    const ALREADY_EXISTS = 6;
    if (on.mayExist && (error as { code?: number }).code === ALREADY_EXISTS) return undefined as T;
    throw readableGcpError(error, on);
  }
}
