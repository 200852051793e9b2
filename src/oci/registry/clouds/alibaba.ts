import { TsignError } from "../../../errors.ts";
import type { Io } from "../../../io/io.ts";
import { type AccessKey, signedHeaders } from "./alibaba-signing.ts";
import { ALIBABA_HOST } from "./hosts.ts";
import {
  askJson,
  askText,
  metadataTransport,
  parseObject,
  probe,
  secretUrl,
  textField,
  tokenTransport,
} from "./tokens.ts";
import type { FindInCloud } from "./types.ts";

const METADATA = "http://100.100.100.200";
const ENTERPRISE = "2018-12-01";
const PERSONAL = "2016-06-07";

interface Found {
  readonly key: AccessKey;
  readonly from: string;
}

/**
 * Gets a temporary registry password from Container Registry, for an instance (Enterprise) or the user (Personal). The access
 * key comes from the environment, from a role that a Kubernetes service account may assume, or from the machine's role.
 */
export const findInAlibaba: FindInCloud = async (io, { host }) => {
  const { instance, region = "" } = ALIBABA_HOST.exec(host)?.groups ?? {};
  const { key, from } = await accessKey(io, region);
  const api = (action: string, query: Record<string, string>) => callRegistryApi(io, { key, region, action, query });
  const id = io.env["DOCKER_CREDENTIAL_ACR_HELPER_INSTANCE_ID"] || (instance && (await instanceId(api, instance)));
  if (id) {
    const answer = await api("GetAuthorizationToken", { InstanceId: id });
    return { credentials: passwordOf(answer, "TempUsername", "AuthorizationToken"), from };
  }
  const url = new URL(`https://cr.${region}.aliyuncs.com/tokens`);
  const call = { method: "GET", url, action: "GetAuthorizationToken", version: PERSONAL, ...once(io) } as const;
  const { data } = await askJson(tokenTransport(io), { url, headers: signedHeaders(call, key) });
  return { credentials: passwordOf(data ?? {}, "tempUserName", "authorizationToken"), from };
};

type RegistryApi = (action: string, query: Record<string, string>) => Promise<Record<string, unknown>>;

async function callRegistryApi(
  io: Io,
  request: { key: AccessKey; region: string; action: string; query: Record<string, string> },
): Promise<Record<string, unknown>> {
  const { key, region, action } = request;
  const url = new URL(`https://cr.${region}.aliyuncs.com/`);
  for (const [name, value] of Object.entries(request.query)) url.searchParams.set(name, value);
  const call = { method: "POST", url, action, version: ENTERPRISE, ...once(io) } as const;
  const headers = signedHeaders(call, key);
  const answer = await askJson(tokenTransport(io), { url, headers, method: "POST" });
  if (answer["IsSuccess"] === true) return answer;
  throw new TsignError("auth", `${url.host} refused ${action}`);
}

/** Returns the ID of the instance with a name, which is the first label of its registry's host. */
async function instanceId(api: RegistryApi, name: string): Promise<string> {
  const { Instances: found } = await api("ListInstance", { InstanceName: name });
  const instances = (Array.isArray(found) ? found : []) as { InstanceName?: unknown; InstanceId?: unknown }[];
  const id = instances.find(({ InstanceName }) => InstanceName === name)?.InstanceId;
  if (typeof id === "string" && id !== "") return id;
  throw new TsignError(
    "auth",
    `find Container Registry instance ${name}: it does not exist or is not visible to the access key`,
  );
}

function passwordOf(answer: unknown, user: string, password: string) {
  const value = answer as Record<string, unknown>;
  const where = "answer from Container Registry";
  return {
    kind: "password",
    username: textField(value, user, where),
    password: textField(value, password, where),
  } as const;
}

function once(io: Io): { now: Date; nonce: string } {
  return { now: io.now(), nonce: Buffer.from(io.random(16)).toString("hex") };
}

async function accessKey(io: Io, region: string): Promise<Found> {
  const { env } = io;
  const id = env["ALIBABA_CLOUD_ACCESS_KEY_ID"];
  const secret = env["ALIBABA_CLOUD_ACCESS_KEY_SECRET"];
  const token = env["ALIBABA_CLOUD_SECURITY_TOKEN"];
  if (id && secret) return { key: { id, secret, token }, from: "ALIBABA_CLOUD_ACCESS_KEY_ID" };
  const file = env["ALIBABA_CLOUD_OIDC_TOKEN_FILE"];
  const role = env["ALIBABA_CLOUD_ROLE_ARN"];
  const provider = env["ALIBABA_CLOUD_OIDC_PROVIDER_ARN"];
  if (file && role && provider) {
    return { key: await assumedRole(io, { file, role, provider, region }), from: `ALIBABA_CLOUD_OIDC_TOKEN_FILE` };
  }
  const key = await machineRole(io);
  if (key) return { key, from: "the metadata server" };
  throw new TsignError(
    "auth",
    "neither ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET nor ALIBABA_CLOUD_ROLE_ARN, " +
      "ALIBABA_CLOUD_OIDC_PROVIDER_ARN and ALIBABA_CLOUD_OIDC_TOKEN_FILE are set, and 100.100.100.200 provides no role",
  );
}

/** Calls STS AssumeRoleWithOIDC, which needs no signature: the token authenticates the call. */
async function assumedRole(
  io: Io,
  account: { file: string; role: string; provider: string; region: string },
): Promise<AccessKey> {
  const token = Buffer.from(await io.files.read(account.file, { maxBytes: 1024 * 1024 })).toString("utf8");
  const { now, nonce } = once(io);
  const endpoint = io.env["ALIBABA_CLOUD_STS_ENDPOINT"] || `sts.${account.region}.aliyuncs.com`;
  const url = secretUrl(`https://${endpoint}/`, "ALIBABA_CLOUD_STS_ENDPOINT");
  const query = {
    Action: "AssumeRoleWithOIDC",
    Format: "JSON",
    Version: "2015-04-01",
    Timestamp: `${now.toISOString().slice(0, 19)}Z`,
    SignatureNonce: nonce,
    RoleArn: account.role,
    OIDCProviderArn: account.provider,
    RoleSessionName: io.env["ALIBABA_CLOUD_ROLE_SESSION_NAME"] || "tsign",
  };
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
  const { Credentials: key } = await askJson(tokenTransport(io), { url, form: { OIDCToken: token } });
  return keyOf(key ?? {}, "answer from STS");
}

/** Returns the key of the machine's role; undefined when the machine is not in Alibaba Cloud. */
async function machineRole(io: Io): Promise<AccessKey | undefined> {
  const base = io.env["ALIBABA_CLOUD_IMDS_ENDPOINT"] || METADATA;
  const at = (path: string) => new URL(path, secretUrl(base, "ALIBABA_CLOUD_IMDS_ENDPOINT", { machine: true }));
  if (!(await probe(io, at("/latest/meta-data/")))) return undefined;
  const transport = metadataTransport(io);
  const session = await askText(transport, {
    method: "PUT",
    url: at("/latest/api/token"),
    headers: { "x-aliyun-ecs-metadata-token-ttl-seconds": "300" },
  });
  const headers = { "x-aliyun-ecs-metadata-token": session };
  const roles = "/latest/meta-data/ram/security-credentials/";
  const role = io.env["ALIBABA_CLOUD_ECS_METADATA"] || (await askText(transport, { url: at(roles), headers })).trim();
  const text = await askText(transport, { url: at(`${roles}${encodeURIComponent(role)}`), headers });
  return keyOf(parseObject(text, "answer from the metadata server"), "answer from the metadata server");
}

function keyOf(answer: unknown, where: string): AccessKey {
  const value = answer as Record<string, unknown>;
  return {
    id: textField(value, "AccessKeyId", where),
    secret: textField(value, "AccessKeySecret", where),
    token: textField(value, "SecurityToken", where),
  };
}
