import assert from "node:assert/strict";
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { describe, test } from "node:test";
import { type ErrorCode, type ServiceName, TsignError } from "../src/errors.ts";
import { messageOf } from "../src/format/digest.ts";
import type { Io } from "../src/io/io.ts";
import { signerFromKey } from "../src/keys/index.ts";
import { attributed } from "../src/keys/providers/attribute.ts";
import { explainAwsError } from "../src/keys/providers/awskms-errors.ts";
import { explainAzureError } from "../src/keys/providers/azurekms-errors.ts";
import { explainGcpError } from "../src/keys/providers/gcpkms-errors.ts";
import { openProvider, requireProvider } from "../src/keys/providers/open.ts";
import { explainPkcs11Error } from "../src/keys/providers/pkcs11-errors.ts";
import type { KeyProvider } from "../src/keys/providers/types.ts";
import { RegistrySession } from "../src/oci/registry/session.ts";
import { registryStore } from "../src/oci/registry/store.ts";
import { requestCertificate } from "../src/services/fulcio.ts";
import { discover } from "../src/services/oidc/client.ts";
import { exchangedToken } from "../src/services/oidc/flows.ts";
import { fetchToken } from "../src/services/oidc/token-request.ts";
import { entryAtIndex, searchEntries, uploadEntry } from "../src/services/rekor-v1.ts";
import { uploadEntryV2 } from "../src/services/rekor-v2.ts";
import { requestTimestamp } from "../src/services/timestamp.ts";
import { mirrorSource } from "../src/services/tuf/mirror.ts";
import { type FakeReply, serviceIo } from "./support/fake-service.ts";

const SIGNER = signerFromKey(generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey);
const SECRET = "a-secret-of-the-user";
const at = (path: string) => new URL(`https://user:${SECRET}@service.test/base${path}?token=${SECRET}`);
const UNDER = "https://service.test/base";
const LOG_REQUEST = {
  content: { kind: "blob", signature: randomBytes(70) },
  message: messageOf(Buffer.from("m")),
  hash: "sha256",
  verifier: SIGNER.publicKey.pem,
} as const;
const LOG_REQUEST_V2 = {
  digest: randomBytes(32),
  signature: randomBytes(70),
  verifier: { kind: "public-key", spki: SIGNER.publicKey.spki },
  key: SIGNER.publicKey.kind,
} as const;

/** Requests to each service that it can refuse. */
interface Asking {
  readonly service: ServiceName;
  /** Without credentials and query. */
  readonly url: string;
  readonly ask: (io: Io) => Promise<unknown>;
}

const ASKED: Readonly<Record<string, Asking>> = {
  "Fulcio: signingCert": {
    service: "fulcio",
    url: `${UNDER}/api/v2/signingCert`,
    ask: (io) => requestCertificate(io, { url: at(""), token: SECRET, subject: "a@example.com", signer: SIGNER }),
  },
  "Rekor v1: upload": {
    service: "rekor",
    url: `${UNDER}/api/v1/log/entries`,
    ask: (io) => uploadEntry(io, at(""), LOG_REQUEST),
  },
  "Rekor v1: search": {
    service: "rekor",
    url: `${UNDER}/api/v1/log/entries/retrieve`,
    ask: (io) => searchEntries(io, at(""), LOG_REQUEST),
  },
  "Rekor v1: entry by index": {
    service: "rekor",
    url: `${UNDER}/api/v1/log/entries`,
    ask: (io) => entryAtIndex(io, at(""), "7"),
  },
  "Rekor v2: upload": {
    service: "rekor",
    url: `${UNDER}/api/v2/log/entries`,
    ask: (io) => uploadEntryV2(io, at(""), LOG_REQUEST_V2),
  },
  "timestamp authority": {
    service: "timestamp-authority",
    url: `${UNDER}/api/v1/timestamp`,
    ask: (io) =>
      requestTimestamp(io, { url: at("/api/v1/timestamp"), message: Buffer.from("m"), nonce: randomBytes(16) }),
  },
  "CI system that issues identity tokens": {
    service: "oidc",
    url: `${UNDER}/token`,
    ask: (io) => fetchToken(io, { service: "the CI", method: "GET", url: at("/token"), headers: {}, field: "value" }),
  },
};

/** The HTTP statuses a service may refuse or fail with, and the code of the error. */
const CODES: readonly (readonly [status: number, code: ErrorCode])[] = [
  [400, "service"],
  [401, "auth"],
  [403, "auth"],
  [404, "service"],
  [429, "service"],
  [500, "service"],
  [503, "service"],
];

async function errorOf(attempt: Promise<unknown>): Promise<TsignError> {
  const error: unknown = await attempt.then(
    () => assert.fail("it must be refused"),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof TsignError, String(error));
  const { message, hint, url } = error;
  assert.ok(!JSON.stringify({ message, hint, url }).includes(SECRET), "a secret is told");
  return error;
}

const answering = (status: number, reply: FakeReply = {}, env: Record<string, string> = {}) =>
  serviceIo(() => ({ status, ...reply }), { env }).io;

for (const [name, { service, url, ask }] of Object.entries(ASKED)) {
  test(`${name}: the error of a refusal has code, service, status and url`, async () => {
    for (const [status, usual] of CODES) {
      const code = service === "oidc" && status < 500 ? "auth" : usual; // any refusal means no token
      const error = await errorOf(ask(answering(status, { text: "no" })));
      assert.deepEqual([error.code, error.service, error.status, error.url], [code, service, status, url], `${status}`);
    }
  });

  test(`${name}: the error of a broken connection has code, service and url, and no status`, async () => {
    const error = await errorOf(ask(serviceIo(() => undefined).io));
    assert.deepEqual([error.code, error.service, error.status, error.url], ["network", service, undefined, url]);
  });
}

test("Fulcio, Rekor, timestamp authority: unexpected response body -> code, service and url", async () => {
  for (const [name, { service, ask }] of Object.entries(ASKED)) {
    if (service === "oidc") continue;
    const error = await errorOf(ask(answering(200, { text: "{}" })));
    const expected = name === "Rekor v1: search" ? "https://service.test/base" : UNDER;
    const read = [error.code, error.service, error.status, error.url?.startsWith(expected)];
    assert.deepEqual(read, ["service", service, undefined, true], name);
  }
});

test("OIDC issuer: the error has service, status and url, at discovery and at the token endpoint", async () => {
  const issuer = new URL("https://issuer.test");
  const client = { issuer, clientId: "sigstore", clientSecret: SECRET };
  for (const [status, code] of [
    [400, "auth"],
    [404, "auth"],
    [500, "service"],
  ] as const) {
    const error = await errorOf(discover(answering(status), client));
    assert.deepEqual(
      [error.code, error.service, error.status, error.url],
      [code, "oidc", status, "https://issuer.test/"],
    );
  }
  const down = await errorOf(discover(serviceIo(() => undefined).io, client));
  const url = "https://issuer.test/.well-known/openid-configuration";
  assert.deepEqual([down.code, down.service, down.status, down.url], ["network", "oidc", undefined, url]);
  const metadata = { issuer: "https://issuer.test", token_endpoint: "https://issuer.test/token" };
  for (const [status, json, code] of [
    [400, { error: "invalid_grant" }, "auth"],
    [401, { error: "invalid_client" }, "auth"],
    [503, {}, "service"],
  ] as const) {
    const { io } = serviceIo(({ path }) => ({
      headers: { "content-type": "application/json" },
      ...(path === "/token" ? { status, json } : { json: metadata }),
    }));
    const error = await errorOf(exchangedToken(io, client, SECRET));
    assert.deepEqual([error.code, error.service, error.status], [code, "oidc", status]);
  }
});

test("TUF mirror: a missing file and a failing mirror have code, service, status and url", async () => {
  for (const status of [403, 404, 500, 503]) {
    const source = mirrorSource(answering(status), at(""));
    const error = await errorOf(source.timestamp());
    const fields = [error.code, error.service, error.status, error.url];
    assert.deepEqual(fields, ["service", "tuf", status, `${UNDER}/timestamp.json`]);
  }
});

test("registry: the error of a refusal has code, service, status and url", async () => {
  const repository = { registry: "registry.test", repository: "a/b", name: "registry.test/a/b" };
  for (const [status, code] of [
    [400, "registry"],
    [401, "auth"],
    [403, "auth"],
    [429, "registry"],
    [500, "registry"],
  ] as const) {
    const io = answering(status);
    const credentials = async () => ({ kind: "anonymous" }) as never;
    const session = new RegistrySession({ io, repository, tls: {}, allowHttp: false, credentials });
    const error = await errorOf(registryStore({ io, session, repository }).manifest("v1"));
    const fields = [error.code, error.service, error.status, error.url];
    assert.deepEqual(fields, [code, "registry", status, "https://registry.test/v2/a/b/manifests/v1"]);
  }
});

describe("key services", () => {
  const VAULT = { VAULT_ADDR: "https://vault.test", VAULT_TOKEN: SECRET };
  const GITLAB = { GITLAB_TOKEN: SECRET, GITLAB_HOST: "https://gitlab.test" };
  const GITHUB = { GITHUB_TOKEN: SECRET };
  type Row = readonly [
    reference: string,
    env: Record<string, string>,
    service: ServiceName,
    codes: Record<number, ErrorCode>,
  ];
  const rows: readonly Row[] = [
    [
      "hashivault://k",
      VAULT,
      "hashivault",
      { 400: "input", 403: "auth", 404: "input", 429: "service", 503: "service" },
    ],
    ["openbao://k", VAULT, "hashivault", { 403: "auth", 500: "service" }],
    ["gitlab://a/b", GITLAB, "gitlab", { 401: "auth", 403: "auth", 404: "input", 429: "service", 500: "service" }],
  ];
  for (const [reference, env, service, codes] of rows) {
    test(`${reference}: the error of a refusal has code, service and status`, async () => {
      for (const [status, code] of Object.entries(codes)) {
        const provider = await requireProvider(answering(Number(status), { json: {} }, env), reference);
        const error = await errorOf(provider.publicKey());
        assert.deepEqual([error.code, error.service, error.status], [code, service, Number(status)], status);
      }
    });
  }

  test("github://: the error of a refusal has code, service, status and url", async () => {
    for (const [status, code] of [
      [401, "auth"],
      [403, "auth"],
      [404, "input"],
      [500, "service"],
    ] as const) {
      const provider = await requireProvider(answering(status, {}, GITHUB), "github://owner/repo");
      const pair = { privateKey: "", publicKey: "", password: Buffer.from(SECRET) };
      const error = await errorOf(provider.store?.(pair) ?? assert.fail());
      const url = "https://api.github.com/repos/owner/repo/actions/secrets/public-key";
      assert.deepEqual([error.code, error.service, error.status, error.url], [code, "github", status, url]);
    }
  });

  test("clouds and tokens: the library's error becomes code, service and, if known, status", async () => {
    const failing = (error: unknown): KeyProvider => {
      const fail = () => Promise.reject(error);
      return { service: "a service", publicKey: fail, signer: fail, facts: fail, create: fail, store: fail };
    };
    const named = (name: string, more: object) => Object.assign(new Error(name), { name, ...more });
    const on = { action: "sign", name: "k", key: "k" };
    const aws = explainAwsError(named("AccessDeniedException", { $metadata: { httpStatusCode: 400 } }), on);
    const azure = explainAzureError(named("RestError", { statusCode: 403 }), on);
    const gcp = explainGcpError(named("Error", { code: 8 }), on);
    const token = explainPkcs11Error(new Error("CKR_DEVICE_ERROR"), { modulePath: "m.so" });
    for (const [error, service, code, status] of [
      [aws, "awskms", "auth", 400],
      [azure, "azurekms", "auth", 403],
      [gcp, "gcpkms", "service", undefined],
      [token, "pkcs11", "service", undefined],
    ] as const) {
      const provider = attributed(failing(error), service);
      const calls = [provider.publicKey(), provider.signer(), provider.facts(), provider.create?.()];
      for (const call of calls) {
        const read = await errorOf(call ?? assert.fail());
        assert.deepEqual([read.code, read.service, read.status], [code, service, status]);
      }
    }
  });

  test("signers: errors have the service; internal errors are unchanged", async () => {
    const error = new TsignError("service", "it answered without a signature");
    const signer = { publicKey: SIGNER.publicKey, sign: () => Promise.reject(error) };
    const provider = (fails: unknown) =>
      attributed(
        { service: "s", signer: async () => ({ ...signer, sign: () => Promise.reject(fails) }) } as never,
        "awskms",
      );
    const read = await errorOf((await provider(error).signer()).sign(Buffer.from("m")));
    assert.deepEqual([read.code, read.service], ["service", "awskms"]);
    const defect = new TypeError("a defect");
    await assert.rejects((await provider(defect).signer()).sign(Buffer.from("m")), defect);
  });

  test("KMS plugin fails -> error with service kms-plugin", async () => {
    const { io } = serviceIo(() => undefined, {
      io: { spawn: async () => ({ code: 1, stdout: "", stderr: "" }) } as never,
    });
    const provider = (await openProvider(io, "acme://k")) ?? assert.fail();
    const error = await errorOf(provider.publicKey());
    assert.deepEqual([error.code, error.service, error.status], ["service", "kms-plugin", undefined]);
  });
});
