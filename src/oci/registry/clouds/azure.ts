import { TsignError } from "../../../errors.ts";
import type { Io } from "../../../io/io.ts";
import { ACR_HOST } from "./hosts.ts";
import { askToken, metadataTransport, probe, secretUrl, type TokenRequest, tokenTransport } from "./tokens.ts";
import type { FindInCloud } from "./types.ts";

interface Cloud {
  readonly login: string;
  /** The token's audience: a cloud's registries accept tokens for its resource manager. */
  readonly resource: string;
}

const CLOUDS = {
  io: { login: "https://login.microsoftonline.com", resource: "https://management.azure.com/" },
  us: { login: "https://login.microsoftonline.us", resource: "https://management.usgovcloudapi.net/" },
  cn: { login: "https://login.chinacloudapi.cn", resource: "https://management.chinacloudapi.cn/" },
  de: { login: "https://login.microsoftonline.de", resource: "https://management.microsoftazure.de/" },
} as const satisfies Record<string, Cloud>;

/** Values of AZURE_ENVIRONMENT in Azure's libraries. Without it, the registry's own cloud is used. */
const ENVIRONMENTS: Readonly<Record<string, keyof typeof CLOUDS>> = {
  AZURECLOUD: "io",
  AZUREPUBLICCLOUD: "io",
  AZUREUSGOVERNMENT: "us",
  AZUREUSGOVERNMENTCLOUD: "us",
  AZURECHINACLOUD: "cn",
  AZUREGERMANCLOUD: "de",
};

const IMDS = "http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01";

interface Found {
  readonly token: string;
  readonly from: string;
}

/**
 * Gets a registry's refresh token for an Entra identity: an application with its secret, a workload with a federated token, or
 * the machine's managed identity, in the order of docker-credential-acr-env.
 */
export const findInAzure: FindInCloud = async (io, { registry, host, tls }) => {
  const { token, from } = await identityToken(io, cloudOf(io, host));
  const tenant = io.env["AZURE_TENANT_ID"];
  const form = {
    grant_type: "access_token",
    service: registry,
    ...(tenant ? { tenant } : {}),
    access_token: token,
  };
  const url = new URL(`https://${registry}/oauth2/exchange`);
  // --allow-insecure-registry does not apply here: the token gives access to more than images.
  const { insecure: _, ...verified } = tls;
  const transport = tokenTransport(io, verified);
  const refresh = await askToken(transport, { url, form }, "refresh_token");
  return { credentials: { kind: "refresh-token", token: refresh }, from };
};

function cloudOf({ env }: Io, host: string): Cloud {
  const named = (env["AZURE_ENVIRONMENT"] ?? "").toUpperCase();
  const ofHost = ACR_HOST.exec(host)?.groups?.["cloud"] as keyof typeof CLOUDS;
  const known = named === "" ? ofHost : Object.hasOwn(ENVIRONMENTS, named) ? ENVIRONMENTS[named] : undefined;
  if (known === undefined) throw new TsignError("auth", `AZURE_ENVIRONMENT "${named}" is not a known cloud`);
  const authority = env["AZURE_AUTHORITY_HOST"];
  return authority ? { ...CLOUDS[known], login: authority } : CLOUDS[known];
}

async function identityToken(io: Io, cloud: Cloud): Promise<Found> {
  const { AZURE_TENANT_ID: tenant, AZURE_CLIENT_ID: client_id, AZURE_CLIENT_SECRET: client_secret } = io.env;
  if (tenant && client_id) {
    const client = { grant_type: "client_credentials", client_id };
    if (client_secret) {
      const token = await entraToken(io, cloud, { tenant, form: { ...client, client_secret } });
      return { token, from: "AZURE_CLIENT_SECRET" };
    }
    const federated = await federatedToken(io);
    if (federated) {
      const client_assertion_type = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
      const form = { ...client, client_assertion_type, client_assertion: federated.token };
      return { token: await entraToken(io, cloud, { tenant, form }), from: federated.from };
    }
  }
  return managedToken(io, cloud);
}

async function federatedToken({ env, files }: Io): Promise<Found | undefined> {
  const { AZURE_FEDERATED_TOKEN: token, AZURE_FEDERATED_TOKEN_FILE: file } = env;
  if (token) return { token, from: "AZURE_FEDERATED_TOKEN" };
  if (!file) return undefined;
  const bytes = await files.read(file, { maxBytes: 1024 * 1024 });
  return { token: Buffer.from(bytes).toString("utf8").trim(), from: `AZURE_FEDERATED_TOKEN_FILE (${file})` };
}

/** OAuth 2 client credentials (RFC 6749 §4.4, RFC 7523 §2.2). */
function entraToken(
  io: Io,
  { login, resource }: Cloud,
  { tenant, form }: { tenant: string; form: Record<string, string> },
): Promise<string> {
  const base = secretUrl(login, "AZURE_AUTHORITY_HOST");
  const url = new URL(`/${encodeURIComponent(tenant)}/oauth2/v2.0/token`, base);
  return askToken(tokenTransport(io), { url, form: { ...form, scope: `${resource}.default` } });
}

/** Gets the token of a managed identity: of App Service and similar services by their variables, else from the metadata server. */
async function managedToken(io: Io, { resource }: Cloud): Promise<Found> {
  const { IDENTITY_ENDPOINT, IDENTITY_HEADER, MSI_ENDPOINT, MSI_SECRET, AZURE_CLIENT_ID: client } = io.env;
  const endpoint = (address: string, query: Record<string, string | undefined>, variable: string) => {
    const url = secretUrl(address, variable, { machine: true });
    for (const [name, value] of Object.entries(query)) if (value) url.searchParams.set(name, value);
    return url;
  };
  const ask = (request: TokenRequest) => askToken(metadataTransport(io), request);
  if (IDENTITY_ENDPOINT && IDENTITY_HEADER) {
    const query = { resource, "api-version": "2019-08-01", client_id: client };
    const url = endpoint(IDENTITY_ENDPOINT, query, "IDENTITY_ENDPOINT");
    return { token: await ask({ url, headers: { "x-identity-header": IDENTITY_HEADER } }), from: "IDENTITY_ENDPOINT" };
  }
  if (MSI_ENDPOINT && MSI_SECRET) {
    const url = endpoint(MSI_ENDPOINT, { resource, "api-version": "2017-09-01", clientid: client }, "MSI_ENDPOINT");
    return { token: await ask({ url, headers: { secret: MSI_SECRET } }), from: "MSI_ENDPOINT" };
  }
  const headers = { metadata: "true" };
  if (MSI_ENDPOINT) {
    const url = endpoint(MSI_ENDPOINT, {}, "MSI_ENDPOINT");
    return { token: await ask({ url, headers, form: { resource } }), from: "MSI_ENDPOINT" };
  }
  const url = endpoint(IMDS, { resource, client_id: client }, "IMDS");
  if (!(await probe(io, url))) {
    throw new TsignError(
      "auth",
      "AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET or AZURE_FEDERATED_TOKEN_FILE are not all set, " +
        `and ${url.host} provides no managed identity`,
    );
  }
  return { token: await ask({ url, headers }), from: "the managed identity" };
}
