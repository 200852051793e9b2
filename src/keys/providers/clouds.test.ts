import assert from "node:assert/strict";
import { constants, createPublicKey, type KeyObject, sign } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import {
  KINDS,
  notInstalled,
  pemOf,
  refuses,
  serviceIo,
  signDigestDer,
  signDigestRaw,
  signPure,
} from "../../../test/support/fake-service.ts";
import { temporaryFolder } from "../../../test/support/test-io.ts";
import { type HashName, hash, messageOf, messageOfDigests } from "../../format/digest.ts";
import { PACKAGES } from "../../packages.ts";
import { verifySignature } from "../verify.ts";
import { awskmsProvider } from "./awskms.ts";
import { azurekmsProvider } from "./azurekms.ts";
import { checksum } from "./crc32c.ts";
import { gcpkmsProvider } from "./gcpkms.ts";
import { k8sProvider } from "./k8s.ts";
import { pkcs11Provider } from "./pkcs11.ts";
import type { KeyProvider } from "./types.ts";

const make = (kind: string) => KINDS[kind]?.() ?? assert.fail(kind);
const { io } = serviceIo(() => assert.fail("an unexpected request"));
const named = (name: string, message = "said so", more: object = {}) =>
  Object.assign(new Error(message), { name, ...more });

/** Signs a message with a provider, verifies it, and returns the signature. */
async function roundTrip(provider: KeyProvider, message = Buffer.from("message")): Promise<Uint8Array> {
  const { signature } = await (await provider.signer()).sign(message);
  const key = await provider.publicKey();
  for (const form of [messageOf(message), messageOfDigests(new Map([[key.hash, hash(key.hash, message)]]))]) {
    if (key.kind.type === "ed25519" && !form.bytes) continue;
    assert.ok(await verifySignature({ key, message: form, signature, hashes: [key.hash] }));
    const other = {
      ...form,
      bytes: form.bytes && Buffer.from("other"),
      digest: () => hash(key.hash, Buffer.from("other")),
    };
    assert.equal(await verifySignature({ key, message: other, signature, hashes: [key.hash] }), false);
  }
  return signature;
}

describe("AWS KMS", () => {
  const REFERENCE = "awskms:///alias/release";
  type Answer = (action: string, input: Record<string, unknown>) => unknown;
  const library = (answer: Answer) => {
    const command = (action: string) =>
      class {
        readonly action = action;
        readonly input: Record<string, unknown>;
        constructor(input: Record<string, unknown>) {
          this.input = input;
        }
      };
    const commands = ["GetPublicKey", "DescribeKey", "Sign", "CreateKey", "CreateAlias"];
    class KMSClient {
      async send({ action, input }: { action: string; input: Record<string, unknown> }) {
        return answer(action, input);
      }
    }
    const sdk = { KMSClient, ...Object.fromEntries(commands.map((each) => [`${each}Command`, command(each)])) };
    return async () => sdk;
  };
  const service = (key: KeyObject, spec: string, algorithms: string[]): Answer => {
    return (action, input) => {
      if (action !== "Sign") {
        const PublicKey = createPublicKey(key).export({ type: "spki", format: "der" });
        return { PublicKey, KeySpec: spec, KeyUsage: "SIGN_VERIFY", SigningAlgorithms: algorithms, KeyId: "arn:key" };
      }
      const message = input["Message"] as Uint8Array;
      const [, bits] = /SHA_(\d+)$/.exec(String(input["SigningAlgorithm"])) ?? [];
      return {
        Signature:
          input["MessageType"] === "RAW"
            ? signPure(key, message)
            : signDigestDer(key, message, `sha${bits}` as HashName),
      };
    };
  };
  const kinds: [string, string, string[]][] = [
    ["P-256", "ECC_NIST_P256", ["ECDSA_SHA_256"]],
    ["P-384", "ECC_NIST_P384", ["ECDSA_SHA_384"]],
    ["P-521", "ECC_NIST_P521", ["ECDSA_SHA_512"]],
    ["RSA 2048", "RSA_2048", ["RSASSA_PSS_SHA_256", "RSASSA_PKCS1_V1_5_SHA_512", "RSASSA_PKCS1_V1_5_SHA_256"]],
    ["Ed25519", "ECC_NIST_EDWARDS25519", ["ED25519_SHA_512", "ED25519_PH_SHA_512"]],
  ];
  for (const [kind, spec, algorithms] of kinds) {
    test(`${spec} signs`, async () => {
      await roundTrip(awskmsProvider(io, REFERENCE, library(service(make(kind), spec, algorithms))));
    });
  }
  const failures: [Error, string, RegExp][] = [
    [named("CredentialsProviderError"), "auth", /missing credentials for AWS KMS\n.*AWS_ACCESS_KEY_ID/],
    [named("Error", "Region is missing"), "usage", /missing AWS region\nset AWS_REGION/],
    [named("NotFoundException"), "input", /key not found in AWS KMS: alias\/release/],
    [
      named("AccessDeniedException", "User: arn:x is not authorized to perform: kms:GetPublicKey"),
      "auth",
      /denied permission for kms:GetPublicKey on alias\/release/,
    ],
    [named("UnrecognizedClientException"), "auth", /refused the credentials/],
    [named("ExpiredTokenException"), "auth", /have expired/],
    [named("DisabledException", "arn:key is disabled."), "input", /cannot sign now: arn:key is disabled/],
    [named("ThrottlingException"), "service", /still limits the request rate/],
    [named("SomethingNew", "odd"), "service", /refused GetPublicKey: SomethingNew: odd/],
  ];
  for (const [error, code, text] of failures) {
    test(`AWS KMS: ${error.name} -> one clear line`, () => {
      const answer = () => {
        throw error;
      };
      return refuses(awskmsProvider(io, REFERENCE, library(answer)).publicKey(), { code, text });
    });
  }
  test("a key that cannot sign: the error names its usage or type", async () => {
    const encrypting = () => ({ PublicKey: Buffer.from("x"), KeySpec: "RSA_2048", KeyUsage: "ENCRYPT_DECRYPT" });
    const text = /cannot sign: its usage is ENCRYPT_DECRYPT/;
    await refuses(awskmsProvider(io, REFERENCE, library(encrypting)).signer(), { code: "input", text });
    const odd = () => ({
      PublicKey: Buffer.from("x"),
      KeySpec: "ML_DSA_65",
      KeyUsage: "SIGN_VERIFY",
      SigningAlgorithms: [],
    });
    await refuses(awskmsProvider(io, REFERENCE, library(odd)).signer(), {
      code: "input",
      text: /unsupported type: ML_DSA_65/,
    });
  });
  test("create: makes a key only when the alias does not exist", async () => {
    const calls: string[] = [];
    const key = service(make("P-256"), "ECC_NIST_P256", ["ECDSA_SHA_256"]);
    const failing = (error: Error) =>
      library((action, input) => {
        calls.push(action);
        if (action === "DescribeKey") throw error;
        return action === "CreateKey" ? { KeyMetadata: { KeyId: "new" } } : key(action, input);
      });
    await awskmsProvider(io, REFERENCE, failing(named("NotFoundException"))).create?.();
    assert.deepEqual(calls, ["DescribeKey", "CreateKey", "CreateAlias", "GetPublicKey"]);
    const denied = awskmsProvider(io, REFERENCE, failing(named("AccessDeniedException"))).create?.();
    await refuses(denied ?? assert.fail(), { code: "auth", text: /kms:DescribeKey/ });
    const id = "awskms:///12345678-1234-1234-1234-123456789012";
    const unnamed = awskmsProvider(io, id, failing(named("NotFoundException"))).create?.();
    await refuses(unnamed ?? assert.fail(), { code: "usage", text: /alias\/NAME/ });
  });
  test("requests use tsign's own transport with AWS_CA_BUNDLE", async (context) => {
    const bundle = join(temporaryFolder(context), "ca.pem");
    writeFileSync(bundle, "a certificate");
    const { io: own, asked } = serviceIo(() => ({ status: 418, json: { a: 1 } }), { env: { AWS_CA_BUNDLE: bundle } });
    type Handler = { handle(request: object): Promise<{ response: { statusCode: number } }> };
    class KMSClient {
      readonly handler: Handler;
      constructor({ requestHandler, endpoint }: { requestHandler: Handler; endpoint: string }) {
        assert.equal(endpoint, "https://kms.test:4566");
        this.handler = requestHandler;
      }
      async send() {
        const request = {
          protocol: "https:",
          hostname: "kms.test",
          port: 4566,
          method: "POST",
          path: "/",
          headers: { Host: "kms.test" },
          body: "{}",
        };
        const { response } = await this.handler.handle(request);
        throw named("Seen", String(response.statusCode));
      }
    }
    const load = async () => ({ KMSClient, GetPublicKeyCommand: class {} });
    const provider = awskmsProvider(own, "awskms://kms.test:4566/alias/x", load);
    await refuses(provider.publicKey(), { code: "service", text: /Seen: 418/ });
    assert.equal(asked[0]?.request.tls?.ca, "a certificate");
  });
  test("accepts references as cosign does, and refuses others", async () => {
    const id = "12345678-1234-1234-1234-123456789012";
    const arn = "arn:aws:kms:eu-west-1:123456789012:";
    for (const name of [id, `mrk-${id.replaceAll("-", "")}`, `${arn}key/${id}`, "alias/a", `${arn}alias/a`]) {
      for (const host of ["", "localhost:4566"]) assert.ok(awskmsProvider(io, `awskms://${host}/${name}`));
    }
    for (const bad of ["awskms://alias/x", "awskms:///x", "awskms:///key/x", `awskms:///arn:aws:kms::1:key/${id}`]) {
      await refuses(() => awskmsProvider(io, bad), { code: "input", text: /invalid AWS KMS reference/ });
    }
  });
});

describe("Google Cloud KMS", () => {
  const KEY = "projects/p/locations/l/keyRings/r/cryptoKeys/k";
  const REFERENCE = `gcpkms://${KEY}`;
  type Methods = Record<string, (request: Record<string, unknown>) => unknown>;
  const library = (methods: Methods) => {
    class KeyManagementServiceClient {
      readonly auth = { getClient: async () => ({}) };
      constructor() {
        const wrapped = Object.entries(methods).map(([name, method]) => [
          name,
          async (request: Record<string, unknown>) => [await method(request)],
        ]);
        Object.assign(this, Object.fromEntries(wrapped));
      }
    }
    return async () => ({ KeyManagementServiceClient });
  };
  const service = (key: KeyObject, algorithm: string): Methods => ({
    listCryptoKeyVersions: () => ["9", "10", "2"].map((each) => ({ name: `${KEY}/cryptoKeyVersions/${each}` })),
    getPublicKey: ({ name }) => {
      assert.equal(name, `${KEY}/cryptoKeyVersions/10`);
      return { pem: pemOf(key), algorithm };
    },
    asymmetricSign: ({ data, digest }) => {
      const [name = "sha256", value = Buffer.alloc(0)] =
        Object.entries((digest ?? {}) as Record<string, Uint8Array>)[0] ?? [];
      const pss = () => {
        // node:crypto hashes the message itself, so this signs the message that all these tests use.
        const padding = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: value.length };
        return sign(name, Buffer.from("message"), { key, ...padding });
      };
      const hashed = () => (algorithm.includes("PSS") ? pss() : signDigestDer(key, value, name as HashName));
      const signature = data ? signPure(key, data as Uint8Array) : hashed();
      const signatureCrc32c = { value: String(checksum(signature)) };
      return { signature, signatureCrc32c, verifiedDigestCrc32c: !data, verifiedDataCrc32c: Boolean(data) };
    },
  });
  const kinds: [string, string, HashName][] = [
    ["P-256", "EC_SIGN_P256_SHA256", "sha256"],
    ["P-384", "EC_SIGN_P384_SHA384", "sha384"],
    ["Ed25519", "EC_SIGN_ED25519", "sha512"],
    ["RSA 2048", "RSA_SIGN_PKCS1_2048_SHA256", "sha256"],
    ["RSA 2048", "RSA_SIGN_PKCS1_4096_SHA512", "sha512"],
    ["RSA 2048", "RSA_SIGN_PSS_2048_SHA256", "sha256"],
    ["RSA 2048", "RSA_SIGN_PSS_4096_SHA512", "sha512"],
  ];
  for (const [kind, algorithm, hashName] of kinds) {
    test(`${algorithm} signs with the hash of the algorithm, in the version with the highest number`, async () => {
      const provider = gcpkmsProvider(io, REFERENCE, library(service(make(kind), algorithm)));
      assert.equal((await provider.publicKey()).hash, hashName);
      await roundTrip(provider);
    });
  }
  test("sign: a wrong CRC32C is refused", async () => {
    const sound = service(make("P-256"), "EC_SIGN_P256_SHA256");
    for (const damage of [{ verifiedDigestCrc32c: false }, { signatureCrc32c: { value: "1" } }]) {
      const asymmetricSign = (request: Record<string, unknown>) => ({
        ...(sound["asymmetricSign"]?.(request) as object),
        ...damage,
      });
      const signer = await gcpkmsProvider(io, REFERENCE, library({ ...sound, asymmetricSign })).signer();
      await refuses(signer.sign(Buffer.from("message")), { code: "service", text: /CRC32C mismatch/ });
    }
  });
  const failures: [object, string, RegExp][] = [
    [
      { message: "Could not load the default credentials. Browse to" },
      "auth",
      /missing credentials for Google Cloud KMS\n.*GOOGLE_APPLICATION_CREDENTIALS/,
    ],
    [{ code: 5, message: "5 NOT_FOUND: x" }, "input", /key not found in Google Cloud KMS/],
    [
      { code: 7, message: "7 PERMISSION_DENIED: Permission 'cloudkms.cryptoKeyVersions.list' denied" },
      "auth",
      /denied permission: cloudkms\.cryptoKeyVersions\.list/,
    ],
    [{ code: 8, message: "8 RESOURCE_EXHAUSTED" }, "service", /still limits the request rate/],
    [{ code: 9, message: "9 FAILED_PRECONDITION: it is DISABLED" }, "input", /not usable now.*DISABLED/],
    [
      { code: 14, message: "14 UNAVAILABLE: No connection established" },
      "network",
      /connect to Google Cloud KMS.*\n.*https_proxy/,
    ],
    [{ code: 16, message: "16 UNAUTHENTICATED" }, "auth", /refused the credentials/],
  ];
  for (const [what, code, text] of failures) {
    test(`code ${"code" in what ? what.code : "none"} -> one clear line`, () => {
      const fails = () => {
        throw Object.assign(new Error(), what);
      };
      const provider = gcpkmsProvider(io, REFERENCE, library({ listCryptoKeyVersions: fails }));
      return refuses(provider.publicKey(), { code, text });
    });
  }
  test("refuses a decryption key and a key without an enabled version, and uses a pinned version", async () => {
    const key = make("P-256");
    const decrypting = gcpkmsProvider(io, REFERENCE, library(service(key, "RSA_DECRYPT_OAEP_2048_SHA256")));
    await refuses(decrypting.signer(), {
      code: "input",
      text: /cannot sign: its algorithm is RSA_DECRYPT_OAEP_2048_SHA256/,
    });
    const empty = gcpkmsProvider(io, REFERENCE, library({ listCryptoKeyVersions: () => [] }));
    await refuses(empty.signer(), { code: "input", text: /no enabled version/ });
    const pinned = library({
      ...service(key, "EC_SIGN_P256_SHA256"),
      listCryptoKeyVersions: () => assert.fail("not asked"),
    });
    for (const part of ["versions", "cryptoKeyVersions"])
      await roundTrip(gcpkmsProvider(io, `${REFERENCE}/${part}/10`, pinned));
  });
  test("checksum: returns the CRC-32C check value of RFC 3720", () => {
    assert.equal(checksum(Buffer.from("123456789")), 0xe3069283);
  });
});

describe("Azure Key Vault", () => {
  const REFERENCE = "azurekms://v.vault.azure.net/k";
  type Options = { version?: string };
  const bytes = (text: string | undefined) => Buffer.from(text ?? "", "base64url");
  const library = (key: KeyObject, more: { kty?: string; keyOps?: string[]; fails?: Error; seen?: Options[] } = {}) => {
    const { kty = "", crv, n, e, x, y } = createPublicKey(key).export({ format: "jwk" });
    const jwk = {
      kty: more.kty ?? kty,
      ...(crv ? { crv } : {}),
      n: bytes(n),
      e: bytes(e),
      x: bytes(x),
      y: bytes(y),
      keyOps: more.keyOps ?? ["sign"],
    };
    class KeyClient {
      async getKey(name: string, options: Options) {
        more.seen?.push(options);
        if (more.fails) throw more.fails;
        return { id: `https://v.vault.azure.net/keys/${name}/1`, key: jwk, properties: { enabled: true } };
      }
    }
    class CryptographyClient {
      async sign(algorithm: string, digest: Uint8Array) {
        return { result: signDigestRaw(key, digest, `sha${algorithm.slice(2)}` as HashName) };
      }
    }
    return async () => ({ KeyClient, CryptographyClient, DefaultAzureCredential: class {} });
  };
  for (const kind of ["P-256", "P-384", "P-521", "RSA 2048"]) {
    test(`${kind} signs, in software and in a hardware module`, async () => {
      const key = make(kind);
      await roundTrip(azurekmsProvider(io, REFERENCE, library(key)));
      await roundTrip(
        azurekmsProvider(io, REFERENCE, library(key, { kty: kind.startsWith("RSA") ? "RSA-HSM" : "EC-HSM" })),
      );
    });
  }
  test("converts an ECDSA signature with a leading zero to DER", async () => {
    const key = make("P-256");
    const messages = Array.from({ length: 5000 }, (_, index) => Buffer.from(`message ${index}`));
    const short = messages.find((each) => signDigestRaw(key, hash("sha256", each), "sha256")[0] === 0);
    await roundTrip(azurekmsProvider(io, REFERENCE, library(key)), short);
  });
  test("requests a version only when the reference has one", async () => {
    const seen: Options[] = [];
    for (const reference of [REFERENCE, `${REFERENCE}/`, `${REFERENCE}/0abc`]) {
      await azurekmsProvider(io, reference, library(make("P-256"), { seen })).publicKey();
    }
    assert.deepEqual(seen, [{}, {}, { version: "0abc" }]);
  });
  test("a key that may not sign or has another type: the error says so", async () => {
    const wrapping = azurekmsProvider(io, REFERENCE, library(make("RSA 2048"), { keyOps: ["wrapKey"] }));
    await refuses(wrapping.signer(), { code: "input", text: /cannot sign: its operations are wrapKey/ });
    const symmetric = azurekmsProvider(io, REFERENCE, library(make("RSA 2048"), { kty: "oct-HSM" }));
    await refuses(symmetric.signer(), { code: "input", text: /unsupported type: oct-HSM/ });
  });
  const failures: [Error, string, RegExp][] = [
    [
      named("AggregateAuthenticationError", "ChainedTokenCredential authentication failed."),
      "auth",
      /missing credentials for Azure Key Vault\n.*AZURE_TENANT_ID/,
    ],
    [
      named("AuthenticationError", "failed\nAADSTS7000215: Invalid client secret provided."),
      "auth",
      /refused the credentials: AADSTS7000215/,
    ],
    [named("RestError", "no", { statusCode: 401 }), "auth", /refused the credentials/],
    [named("RestError", "Action: 'get'", { statusCode: 403 }), "auth", /denied permission to get k/],
    [named("RestError", "", { statusCode: 404 }), "input", /key not found in Azure Key Vault: k/],
    [named("RestError", "", { statusCode: 429 }), "service", /still limits the request rate/],
    [named("RestError", "getaddrinfo ENOTFOUND", { code: "ENOTFOUND" }), "network", /connect to Azure Key Vault/],
  ];
  for (const [error, code, text] of failures) {
    test(`Azure: ${code} ${text} -> one clear line`, () =>
      refuses(azurekmsProvider(io, REFERENCE, library(make("P-256"), { fails: error })).publicKey(), { code, text }));
  }
  test("an unknown AZURE_ENVIRONMENT is refused", () => {
    const { io: own } = serviceIo(() => assert.fail(), { env: { AZURE_ENVIRONMENT: "moon" } });
    const attempt = azurekmsProvider(own, REFERENCE, library(make("P-256"))).publicKey();
    return refuses(attempt, { code: "usage", text: /AZURE_ENVIRONMENT: MOON/ });
  });
});

test("a scheme without its package: the error says what to install", async () => {
  const load = notInstalled;
  const env = { COSIGN_PKCS11_MODULE_PATH: process.execPath };
  const { io: own } = serviceIo(() => assert.fail(), { env });
  const providers: [KeyProvider, RegExp][] = [
    [
      awskmsProvider(own, "awskms:///alias/x", load),
      /awskms:\/\/ requires a package .*\nrun npm install @aws-sdk\/client-kms@\d/,
    ],
    [gcpkmsProvider(own, "gcpkms://projects/p/locations/l/keyRings/r/cryptoKeys/k", load), /@google-cloud\/kms@\d/],
    [azurekmsProvider(own, "azurekms://v/k", load), /@azure\/keyvault-keys@[\d.]+ @azure\/identity@\d/],
    [k8sProvider(own, "k8s://a/b", load), /@kubernetes\/client-node@\d/],
    [pkcs11Provider(own, "pkcs11:token=t;object=o", load), /npm install pkcs11js@\d/],
  ];
  for (const [provider, text] of providers) await refuses(provider.publicKey(), { code: "unsupported", text });
  const broken = async () => {
    throw new Error("Cannot find module './build/Release/pkcs11.node'");
  };
  const attempt = pkcs11Provider(own, "pkcs11:token=t;object=o", broken).publicKey();
  await refuses(attempt, { code: "unsupported", text: /load .* for .*\n.*build scripts/ });
});

test("package.json lists the same versions as optional peers only", async () => {
  const { default: stated } = await import("../../../package.json", { with: { type: "json" } });
  assert.deepEqual(stated.peerDependencies, PACKAGES);
  for (const name of Object.keys(PACKAGES)) assert.ok(!(name in stated.dependencies), name);
  const optional = stated.peerDependenciesMeta as Record<string, { optional: boolean }>;
  assert.ok(Object.keys(PACKAGES).every((name) => optional[name]?.optional));
});
