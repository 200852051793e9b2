import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { type Asked, type FakeReply, notInstalled, refuses, serviceIo } from "../../../../test/support/fake-service.ts";
import type { Io } from "../../../io/io.ts";
import type { Credentials } from "../keychain.ts";
import { signedHeaders } from "./alibaba-signing.ts";
import { askEcr } from "./amazon.ts";
import { findCloudCredentials } from "./find.ts";

/** Pauses between attempts take no time; time limits are real. */
const sleep: Io["sleep"] = async (milliseconds, signal) => {
  if (milliseconds >= 900) await setTimeout(milliseconds, undefined, signal ? { signal, ref: false } : { ref: false });
};
type Answer = (asked: Asked) => FakeReply | undefined;

/** Finds credentials with a function as cloud and machine; returns them with the requests. */
async function find(registry: string, env: Record<string, string>, answer: Answer = () => undefined, parts = {}) {
  const { io, asked } = serviceIo(answer, { env: { HOME: "/none", ...env }, io: { sleep, ...parts } });
  const credentials = await findCloudCredentials(io, { registry, origin: new URL(`https://${registry}`), tls: {} });
  return { credentials, asked, io };
}
const urlOf = ({ request }: Asked) => `${request.url.origin}${request.url.pathname}`;

/** Asserts anonymous credentials with a matching note that contains none of these secrets. */
function isAnonymous(credentials: Credentials, note: RegExp, secrets: string[] = []): void {
  assert.equal(credentials.kind, "anonymous");
  const reason = credentials.note ?? "";
  assert.match(reason, note);
  for (const secret of secrets) assert.ok(!reason.includes(secret), reason);
}

const EVERYTHING = {
  GITHUB_TOKEN: "ghp_secret",
  GCE_METADATA_HOST: "metadata.example",
  AZURE_TENANT_ID: "tenant",
  AZURE_CLIENT_ID: "client",
  AZURE_CLIENT_SECRET: "secret",
  ALIBABA_CLOUD_ACCESS_KEY_ID: "id",
  ALIBABA_CLOUD_ACCESS_KEY_SECRET: "secret",
  DOCKER_CREDENTIAL_ACR_HELPER_INSTANCE_ID: "cri-1",
  DOCKER_CREDENTIAL_ACR_HELPER_REGION: "cn-hangzhou",
};

describe("whose registry it is", () => {
  const CLOUDS: [string, string[], string[]][] = [
    ["GitHub", ["ghcr.io", "GHCR.io:443"], ["evil-ghcr.io", "ghcr.io.evil.example", "x.ghcr.io", "ghcr.io."]],
    [
      "Google",
      ["gcr.io", "eu.gcr.io", "europe-docker.pkg.dev", "x.google.com"],
      ["evilgcr.io", "gcr.io.evil.example", "pkg.dev", "evilpkg.dev", "us-docker.pkg.dev.evil.example", "google.com"],
    ],
    [
      "AWS",
      [
        "123456789012.dkr.ecr.eu-central-1.amazonaws.com",
        "123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com",
        "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn",
        "123456789012.dkr-ecr.us-east-1.on.aws",
        "public.ecr.aws",
      ],
      [
        "123456789012.dkr.ecr.eu-central-1.amazonaws.com.evil.example",
        "123456789012.dkr.ecr.x.evil.example.amazonaws.com",
        "12345.dkr.ecr.eu-central-1.amazonaws.com",
        "x.s3.amazonaws.com",
        "evil-public.ecr.aws",
        "public.ecr.aws.evil.example",
      ],
    ],
    [
      "Azure",
      ["x.azurecr.io", "x.azurecr.cn", "x.azurecr.us", "x.azurecr.de"],
      ["azurecr.io", "x.azurecr.io.evil.example", "evilazurecr.io", "x.azurecr.com", "mcr.microsoft.com"],
    ],
    [
      "Alibaba Cloud",
      ["registry.cn-hangzhou.aliyuncs.com", "x-registry-vpc.cn-beijing.cr.aliyuncs.com"],
      ["registry.cn-hangzhou.aliyuncs.com.evil.example", "x.oss.aliyuncs.com", "registry.evilaliyuncs.com"],
    ],
  ];
  for (const [name, own, foreign] of CLOUDS) {
    test(`${name}: only its own hosts are asked about`, async () => {
      for (const registry of own) {
        const { credentials } = await find(registry, EVERYTHING);
        assert.match(credentials.note ?? "", new RegExp(`the ${name} credentials`), registry);
      }
      for (const registry of foreign) {
        const { credentials, asked } = await find(registry, EVERYTHING, () => assert.fail(`asked for ${registry}`));
        assert.deepEqual(credentials, { kind: "anonymous" }, registry);
        assert.equal(asked.length, 0);
      }
    });
  }

  test("registry over http -> no cloud is asked", async () => {
    const { io } = serviceIo(() => assert.fail("asked"), { env: EVERYTHING });
    const origin = new URL("http://ghcr.io");
    isAnonymous(await findCloudCredentials(io, { registry: "ghcr.io", origin, tls: {} }), /not sent over http/);
  });

  test("one registry, many images -> the cloud is asked once", async () => {
    const { io, asked } = serviceIo(() => ({ json: { access_token: "t" } }), { env: EVERYTHING, io: { sleep } });
    const ask = (registry: string) =>
      findCloudCredentials(io, { registry, origin: new URL(`https://${registry}`), tls: {} });
    const both = await Promise.all([ask("gcr.io"), ask("gcr.io")]);
    assert.deepEqual(both[0], both[1]);
    assert.equal(asked.length, 1);
    await ask("eu.gcr.io");
    assert.equal(asked.length, 2);
  });

  test("Ctrl-C -> cancelled, not anonymous", async () => {
    const signal = AbortSignal.abort(new Error("stop"));
    await assert.rejects(find("gcr.io", {}, () => undefined, { signal }));
  });
});

test("GitHub: GITHUB_TOKEN with the user name GITHUB_ACTOR", async () => {
  const { credentials } = await find("ghcr.io", { GITHUB_TOKEN: "ghp_secret", GITHUB_ACTOR: "octo" });
  const note = "check the GitHub credentials from GITHUB_TOKEN";
  assert.deepEqual(credentials, { kind: "password", username: "octo", password: "ghp_secret", note });
  const unnamed = await find("ghcr.io", { GITHUB_TOKEN: "ghp_secret" });
  assert.deepEqual(unnamed.credentials, { kind: "password", username: "unset", password: "ghp_secret", note });
  isAnonymous((await find("ghcr.io", { GITHUB_ACTOR: "octo" })).credentials, /GITHUB_TOKEN is not set/);
});

describe("Azure", () => {
  const APPLICATION = { AZURE_TENANT_ID: "tenant/x", AZURE_CLIENT_ID: "client", AZURE_CLIENT_SECRET: "s3cret" };
  /** Entra, a registry and a machine without identity. */
  const azure: Answer = ({ request: { url }, json }) => {
    if (url.hostname.startsWith("login.")) return { json: { access_token: `entra ${json["client_id"]}` } };
    if (url.pathname === "/oauth2/exchange") return { json: { refresh_token: `refresh for ${json["access_token"]}` } };
    return undefined;
  };

  test("application secret -> exchanged for the registry's refresh token", async () => {
    const { credentials, asked } = await find("x.azurecr.io", APPLICATION, azure);
    const note = "check the Azure credentials from AZURE_CLIENT_SECRET";
    assert.deepEqual(credentials, { kind: "refresh-token", token: "refresh for entra client", note });
    assert.deepEqual(asked.map(urlOf), [
      "https://login.microsoftonline.com/tenant%2Fx/oauth2/v2.0/token",
      "https://x.azurecr.io/oauth2/exchange",
    ]);
    assert.deepEqual(asked[0]?.json, {
      grant_type: "client_credentials",
      client_id: "client",
      client_secret: "s3cret",
      scope: "https://management.azure.com/.default",
    });
    assert.deepEqual(asked[1]?.json, {
      grant_type: "access_token",
      service: "x.azurecr.io",
      tenant: "tenant/x",
      access_token: "entra client",
    });
  });

  test("cloud: the registry's, or AZURE_ENVIRONMENT", async () => {
    const logins = async (registry: string, env: Record<string, string>) =>
      new URL(urlOf((await find(registry, { ...APPLICATION, ...env }, azure)).asked[0] ?? assert.fail())).hostname;
    assert.equal(await logins("x.azurecr.cn", {}), "login.chinacloudapi.cn");
    assert.equal(await logins("x.azurecr.us", {}), "login.microsoftonline.us");
    assert.equal(
      await logins("x.azurecr.io", { AZURE_ENVIRONMENT: "AzureUSGovernmentCloud" }),
      "login.microsoftonline.us",
    );
    assert.equal(await logins("x.azurecr.io", { AZURE_AUTHORITY_HOST: "https://login.example/" }), "login.example");
    const odd = await find("x.azurecr.io", { ...APPLICATION, AZURE_ENVIRONMENT: "Moon" }, azure);
    isAnonymous(odd.credentials, /AZURE_ENVIRONMENT "MOON" is not a known cloud/);
    const open = await find("x.azurecr.io", { ...APPLICATION, AZURE_AUTHORITY_HOST: "http://login.example" }, azure);
    isAnonymous(open.credentials, /AZURE_AUTHORITY_HOST is not an https URL/);
    assert.equal(open.asked.length, 0);
  });

  test("federated token of a workload, read from a file", async () => {
    const files = { read: async (path: string) => Buffer.from(path === "/token" ? "jwt\n" : assert.fail(path)) };
    const env = { AZURE_TENANT_ID: "t", AZURE_CLIENT_ID: "c", AZURE_FEDERATED_TOKEN_FILE: "/token" };
    const { asked, credentials } = await find("x.azurecr.io", env, azure, { files });
    assert.equal(credentials.kind, "refresh-token");
    assert.equal(asked[0]?.json["client_assertion"], "jwt");
    assert.equal(asked[0]?.json["client_assertion_type"], "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
  });

  test("managed identity: of a service by its variables, of a machine by its metadata server", async () => {
    const managed: Answer = (asked) => {
      const { hostname, searchParams } = asked.request.url;
      if (hostname !== "169.254.169.254" && hostname !== "localhost") return azure(asked);
      const { secret, metadata, "x-identity-header": header } = asked.headers;
      if (!secret && !metadata && !header) return { status: 400, json: { error: "invalid_request" } };
      return { json: { access_token: `${secret ?? header ?? metadata} ${searchParams.get("resource")}` } };
    };
    const resource = "https://management.azure.com/";
    const from = async (env: Record<string, string>) => {
      const { asked, credentials } = await find(
        "x.azurecr.io",
        { HTTP_PROXY: "http://proxy.example", ...env },
        managed,
      );
      const own = asked.filter(({ request }) => request.url.hostname !== "x.azurecr.io");
      assert.ok(
        own.every(({ request }) => request.proxy === undefined),
        "the token went through a proxy",
      );
      return credentials.kind === "refresh-token" ? credentials.token : credentials.note;
    };
    assert.equal(await from({}), `refresh for entra true ${resource}`.replace("entra ", ""));
    const endpoint = "http://localhost:1/msi";
    assert.equal(await from({ IDENTITY_ENDPOINT: endpoint, IDENTITY_HEADER: "h" }), `refresh for h ${resource}`);
    assert.equal(await from({ MSI_ENDPOINT: endpoint, MSI_SECRET: "s" }), `refresh for s ${resource}`);
    assert.match((await from({ MSI_ENDPOINT: "http://far.example", MSI_SECRET: "s" })) ?? "", /not an https URL/);
  });

  test("refused request -> error names host and code, no secret", async () => {
    const answer = { error: "invalid_client", error_description: "AADSTS7000215: wrong secret s3cret" };
    const denied = await find("x.azurecr.io", APPLICATION, () => ({ status: 401, json: answer }));
    const login = /login.microsoftonline.com returned 401 \(invalid_client, AADSTS7000215\)/;
    isAnonymous(denied.credentials, login, ["s3cret"]);
    const chatty = await find("x.azurecr.io", APPLICATION, () => ({ status: 401, json: { error: "not s3cret" } }));
    isAnonymous(chatty.credentials, /login.microsoftonline.com returned 401$/, ["s3cret"]);
    const noRole = await find("x.azurecr.io", APPLICATION, (asked) =>
      asked.request.url.hostname === "x.azurecr.io" ? { status: 403, text: "entra client" } : azure(asked),
    );
    isAnonymous(noRole.credentials, /x.azurecr.io returned 403$/, ["entra"]);
    const started = Date.now();
    const hangs = await find("x.azurecr.io", {}, undefined, { http: () => new Promise(() => {}) });
    isAnonymous(hangs.credentials, /169.254.169.254 provides no managed identity/);
    assert.ok(Date.now() - started < 5_000, "a machine without metadata server waits too long");
  });

  test("--allow-insecure-registry -> the token exchange is still verified", async () => {
    const { io, asked } = serviceIo(azure, { env: APPLICATION, io: { sleep } });
    const origin = new URL("https://x.azurecr.io");
    await findCloudCredentials(io, { registry: "x.azurecr.io", origin, tls: { insecure: true, ca: "pem" } });
    assert.deepEqual(asked.at(-1)?.request.tls, { ca: "pem" });
  });
});

describe("AWS", () => {
  const PRIVATE = "123456789012.dkr.ecr-fips.us-east-2.amazonaws.com";
  const token = Buffer.from("AWS:p:assword").toString("base64");
  const { io } = serviceIo(() => assert.fail("asked"));
  const ask = (host: string, load: Parameters<typeof askEcr>[2]) => askEcr(io, { registry: host, host, tls: {} }, load);
  const library = (client: string, answer: () => unknown) => {
    const seen: { settings?: Record<string, unknown>; input?: unknown } = {};
    class Client {
      constructor(settings: Record<string, unknown>) {
        seen.settings = settings;
      }
      async send(command: { input: unknown }) {
        seen.input = command.input;
        return answer();
      }
    }
    class GetAuthorizationTokenCommand {
      readonly input: unknown;
      constructor(input: unknown) {
        this.input = input;
      }
    }
    return { seen, load: async () => ({ [client]: Client, GetAuthorizationTokenCommand }) };
  };

  test("private registry: account, region and FIPS from its host", async () => {
    const { seen, load } = library("ECRClient", () => ({ authorizationData: [{ authorizationToken: token }] }));
    const { credentials } = await ask(PRIVATE, load);
    assert.deepEqual(credentials, { kind: "password", username: "AWS", password: "p:assword" });
    assert.equal(seen.settings?.["region"], "us-east-2");
    assert.equal(seen.settings?.["useFipsEndpoint"], true);
    assert.deepEqual(seen.input, { registryIds: ["123456789012"] });
  });

  test("public registry: own service", async () => {
    const { seen, load } = library("ECRPUBLICClient", () => ({ authorizationData: { authorizationToken: token } }));
    assert.equal((await ask("public.ecr.aws", load)).credentials.username, "AWS");
    assert.equal(seen.settings?.["region"], "us-east-1");
    assert.deepEqual(seen.input, {});
  });

  test("failures: one line, without signed headers", async () => {
    const failing = (name: string) =>
      library("ECRClient", () => {
        throw Object.assign(new Error("canonical string: x-amz-security-token:secret"), { name });
      }).load;
    const cases: [string, RegExp][] = [
      ["CredentialsProviderError", /set AWS_ACCESS_KEY_ID/],
      ["AccessDeniedException", /missing permission ecr:GetAuthorizationToken/],
      ["ExpiredTokenException", /have expired/],
      ["SignatureDoesNotMatch", /refused the credentials/],
      ["OddException", /GetAuthorizationToken failed: OddException/],
    ];
    for (const [name, text] of cases) {
      await refuses(ask(PRIVATE, failing(name)), { code: "auth", text, secrets: ["secret"] });
    }
    for (const answer of [{}, { authorizationData: [] }, { authorizationData: [{ authorizationToken: "????" }] }]) {
      const text = /returned no token/;
      await refuses(ask(PRIVATE, library("ECRClient", () => answer).load), { code: "auth", text });
    }
    const text = /public.ecr.aws requires a package that is not installed: @aws-sdk\/client-ecr-public\n.*@\d/;
    await refuses(ask("public.ecr.aws", notInstalled), { code: "unsupported", text });
  });
});

describe("Alibaba Cloud", () => {
  const KEY = { ALIBABA_CLOUD_ACCESS_KEY_ID: "id", ALIBABA_CLOUD_ACCESS_KEY_SECRET: "s3cret" };
  const INSTANCE = "team-registry.cn-hangzhou.cr.aliyuncs.com";
  const api: Answer = ({ method, path, headers, request: { url } }) => {
    assert.match(headers["authorization"] ?? "", /^ACS3-HMAC-SHA256 Credential=id,SignedHeaders=host;x-acs-action/);
    assert.equal(url.host, "cr.cn-hangzhou.aliyuncs.com");
    if (`${method} ${path}` === "GET /tokens") {
      return { json: { data: { tempUserName: "personal", authorizationToken: "p" } } };
    }
    if (headers["x-acs-action"] === "ListInstance") {
      const Instances = ["other", "team"].map((InstanceName) => ({ InstanceName, InstanceId: `cri-${InstanceName}` }));
      return { json: { IsSuccess: true, Instances } };
    }
    const AuthorizationToken = `p of ${url.searchParams.get("InstanceId")}`;
    return { json: { IsSuccess: true, TempUsername: "instance", AuthorizationToken } };
  };

  test("signature equals the documentation's example", () => {
    const url = new URL("https://ecs.cn-shanghai.aliyuncs.com/");
    url.searchParams.set("RegionId", "cn-shanghai");
    url.searchParams.set("ImageId", "win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd");
    const now = new Date("2023-10-26T10:22:32Z");
    const call = { method: "POST", url, action: "RunInstances", version: "2014-05-26", now } as const;
    const nonce = "3156853299f313e23d1673dc12e1703d";
    const { authorization } = signedHeaders(
      { ...call, nonce },
      { id: "YourAccessKeyId", secret: "YourAccessKeySecret" },
    );
    const signature = "06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0";
    assert.ok(
      authorization?.endsWith(`x-acs-signature-nonce;x-acs-version,Signature=${signature}`),
      String(authorization),
    );
  });

  test("personal registry, instance by name, instance by ID", async () => {
    const passwords = async (registry: string, env = {}) => {
      const { credentials } = await find(registry, { ...KEY, ...env }, api);
      return credentials.kind === "password" ? `${credentials.username}:${credentials.password}` : credentials.note;
    };
    assert.equal(await passwords("registry.cn-hangzhou.aliyuncs.com"), "personal:p");
    assert.equal(await passwords(INSTANCE), "instance:p of cri-team");
    const env = { DOCKER_CREDENTIAL_ACR_HELPER_INSTANCE_ID: "cri-x" };
    assert.equal(await passwords(INSTANCE, env), "instance:p of cri-x");
    assert.match(
      String(await passwords("none-registry.cn-hangzhou.cr.aliyuncs.com")),
      /instance none: it does not exist/,
    );
  });

  test("role of a service account, of the machine, or none", async () => {
    const cloud: Answer = (asked) => {
      const { hostname, searchParams, pathname } = asked.request.url;
      const role = { AccessKeyId: "id", AccessKeySecret: "s3cret", SecurityToken: "sts" };
      if (hostname === "sts.cn-hangzhou.aliyuncs.com") {
        assert.equal(asked.json["OIDCToken"], "jwt");
        return searchParams.get("RoleArn") === "role" ? { json: { Credentials: role } } : { status: 400 };
      }
      if (hostname !== "100.100.100.200") {
        assert.equal(asked.headers["x-acs-security-token"], "sts");
        return api(asked);
      }
      if (pathname.endsWith("/token")) return { text: "session" };
      if (pathname === "/latest/meta-data/") return {};
      assert.equal(asked.headers["x-aliyun-ecs-metadata-token"], "session");
      return pathname.endsWith("/security-credentials/") ? { text: "node" } : { json: role };
    };
    const files = { read: async () => Buffer.from("jwt") };
    const account = { ALIBABA_CLOUD_OIDC_TOKEN_FILE: "/token", ALIBABA_CLOUD_OIDC_PROVIDER_ARN: "provider" };
    const assumed = await find(INSTANCE, { ...account, ALIBABA_CLOUD_ROLE_ARN: "role" }, cloud, { files });
    assert.match(assumed.credentials.note ?? "", /from ALIBABA_CLOUD_OIDC_TOKEN_FILE/);
    const denied = await find(INSTANCE, { ...account, ALIBABA_CLOUD_ROLE_ARN: "other" }, cloud, { files });
    isAnonymous(denied.credentials, /sts.cn-hangzhou.aliyuncs.com returned 400/, ["jwt"]);
    assert.match((await find(INSTANCE, {}, cloud)).credentials.note ?? "", /from the metadata server/);
    isAnonymous((await find(INSTANCE, {})).credentials, /neither ALIBABA_CLOUD_ACCESS_KEY_ID and .* are set/);
    const wrong = { status: 404, json: { Code: "InvalidAccessKeyId.NotFound", Message: "s3cret" } };
    isAnonymous((await find(INSTANCE, KEY, () => wrong)).credentials, /404 \(InvalidAccessKeyId.NotFound\)/, [
      "s3cret",
    ]);
  });
});
