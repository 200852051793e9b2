import { createPublicKey } from "node:crypto";
import { TsignError } from "../../errors.ts";
import type { HashName } from "../../format/digest.ts";
import type { LoadPackage } from "../../packages.ts";
import { publicKeyFromObject } from "../public-key.ts";
import type { PublicKey } from "../types.ts";
import { type AwsClient, type AwsCommand, connectAws, SERVICE } from "./awskms-client.ts";
import { explainAwsError } from "./awskms-errors.ts";
import { remoteSigner } from "./remote.ts";
import type { KeyProvider, OpenProvider, ProviderIo } from "./types.ts";

const ID = "m?r?k?-?[A-Fa-f0-9]{8}-?[A-Fa-f0-9]{4}-?[A-Fa-f0-9]{4}-?[A-Fa-f0-9]{4}-?[A-Fa-f0-9]{12}";
const ARN = "arn:(?:aws|aws-us-gov|aws-cn):kms:[a-z0-9-]+:\\d{12}:";
const REFERENCE = new RegExp(`^awskms://([^/]*)/(${ID}|${ARN}key/${ID}|alias/.*|${ARN}alias/.*)$`);
/** Bytes of the largest message that KMS signs. Longer ones are hashed here and signed with Ed25519ph. */
const MAX_RAW = 4096;
/** The kind of key that Sigstore's own code creates. */
const NEW_KEY = { KeySpec: "ECC_NIST_P256", KeyUsage: "SIGN_VERIFY", Description: "Created by Sigstore" };
/** The signing algorithm for each kind of key and hash. As in cosign, RSA keys sign with PKCS#1 v1.5 and never with PSS. */
const ALGORITHMS: Readonly<Record<string, { type: PublicKey["kind"]["type"]; hash: HashName }>> = {
  ECDSA_SHA_256: { type: "ecdsa", hash: "sha256" },
  ECDSA_SHA_384: { type: "ecdsa", hash: "sha384" },
  ECDSA_SHA_512: { type: "ecdsa", hash: "sha512" },
  RSASSA_PKCS1_V1_5_SHA_256: { type: "rsa", hash: "sha256" },
  ED25519_PH_SHA_512: { type: "ed25519", hash: "sha512" },
};

interface AwsKey {
  readonly client: AwsClient;
  /** The id, ARN or alias in the reference. */
  readonly name: string;
}

interface Found {
  readonly publicKey: PublicKey;
  readonly algorithm: string;
  readonly arn: string;
}

/** Opens keys in AWS KMS: `awskms://[ENDPOINT]/KEY`, where KEY is an id, an ARN, or `alias/NAME`. */
export const openAwskms: OpenProvider = (io, reference) => awskmsProvider(io, reference);

/** Like openAwskms, with a loader for the SDK in tests. */
export function awskmsProvider(io: ProviderIo, reference: string, load?: LoadPackage): KeyProvider {
  const [, endpoint = "", name = ""] = REFERENCE.exec(reference) ?? [];
  if (name === "") {
    throw new TsignError("input", `invalid ${SERVICE} reference: ${reference}`, {
      hint: "use awskms:///alias/NAME, awskms:///KEY-ID or awskms:///ARN (three slashes, or two around an endpoint's host)",
    });
  }
  let opened: Promise<AwsKey> | undefined;
  const key = () => {
    opened ??= connectAws(io, { endpoint, name, load }).then((client) => ({ client, name }));
    return opened;
  };
  let found: Promise<Found> | undefined;
  const find = () => {
    found ??= key().then(readKey);
    return found;
  };
  return {
    service: SERVICE,
    publicKey: async () => (await find()).publicKey,
    signer: async () => {
      const [aws, { publicKey, algorithm }] = [await key(), await find()];
      return remoteSigner({
        service: SERVICE,
        publicKey,
        signDigest: (digest) => sign(aws, { algorithm, type: "DIGEST", message: digest }),
        signMessage: (message) => signEd25519(aws, message),
      });
    },
    facts: async () => {
      const { arn, algorithm } = await find();
      return { id: arn, permissions: ["kms:GetPublicKey", `kms:Sign (${algorithm})`] };
    },
    create: async () => create(await key()),
  };
}

async function readKey(key: AwsKey): Promise<Found> {
  const answer = await call(key, "GetPublicKey", { KeyId: key.name });
  if (!answer.PublicKey) throw new TsignError("service", `${SERVICE} returned no public key`);
  const spec = answer.KeySpec ?? "unknown";
  if (answer.KeyUsage !== undefined && answer.KeyUsage !== "SIGN_VERIFY") {
    throw new TsignError("input", `key ${key.name} cannot sign: its usage is ${answer.KeyUsage}`, {
      hint: "use a key with the usage SIGN_VERIFY",
    });
  }
  const unsupported = () =>
    new TsignError("input", `key ${key.name} has an unsupported type: ${spec}`, {
      hint: "use ECC_NIST_P256, ECC_NIST_P384, ECC_NIST_P521, ECC_NIST_EDWARDS25519, or RSA_2048, RSA_3072, RSA_4096",
    });
  let publicKey: PublicKey;
  try {
    publicKey = publicKeyFromObject(
      createPublicKey({ key: Buffer.from(answer.PublicKey), format: "der", type: "spki" }),
    );
  } catch {
    throw unsupported();
  }
  const algorithm = Object.keys(ALGORITHMS).find((name) => {
    const { type, hash } = ALGORITHMS[name] ?? {};
    return type === publicKey.kind.type && hash === publicKey.hash && answer.SigningAlgorithms?.includes(name);
  });
  if (!algorithm) throw unsupported();
  return { publicKey, algorithm, arn: answer.KeyId ?? key.name };
}

async function sign(
  key: AwsKey,
  { algorithm, type, message }: { algorithm: string; type: "DIGEST" | "RAW"; message: Uint8Array },
): Promise<Uint8Array> {
  const input = { KeyId: key.name, Message: message, MessageType: type, SigningAlgorithm: algorithm };
  const { Signature } = await call(key, "Sign", input);
  if (!Signature) throw new TsignError("service", `${SERVICE} returned no signature`);
  return Signature;
}

async function signEd25519(key: AwsKey, message: Uint8Array): Promise<Uint8Array> {
  if (message.length <= MAX_RAW) return sign(key, { algorithm: "ED25519_SHA_512", type: "RAW", message });
  const { hash } = await import("../../format/digest.ts");
  return sign(key, { algorithm: "ED25519_PH_SHA_512", type: "DIGEST", message: hash("sha512", message) });
}

/** Returns the key of an alias. Creates it only when KMS says that the alias does not exist. */
async function create(key: AwsKey): Promise<PublicKey> {
  const alias = /(?:^|:)(alias\/.+)$/.exec(key.name)?.[1];
  if (!alias) {
    throw new TsignError("usage", `create key in ${SERVICE}: ${key.name} is the id of an existing key`, {
      hint: "use awskms:///alias/NAME",
    });
  }
  try {
    await key.client.send("DescribeKey", { KeyId: key.name });
  } catch (error) {
    if ((error as Error).name !== "NotFoundException")
      throw explainAwsError(error, { action: "DescribeKey", key: key.name });
    const { KeyMetadata } = await call(key, "CreateKey", NEW_KEY);
    await call(key, "CreateAlias", { AliasName: alias, TargetKeyId: KeyMetadata?.KeyId });
  }
  return (await readKey(key)).publicKey;
}

async function call(key: AwsKey, action: AwsCommand, input: Record<string, unknown>) {
  try {
    return await key.client.send(action, input);
  } catch (error) {
    throw explainAwsError(error, { action, key: key.name });
  }
}
