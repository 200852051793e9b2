import { TsignError } from "../../errors.ts";
import { type LoadPackage, loadPackages } from "../../packages.ts";
import type { ProviderIo } from "./types.ts";

export const SERVICE = "Azure Key Vault";

export interface AzureKey {
  readonly id?: string;
  readonly key?: {
    readonly kty?: string;
    readonly crv?: string;
    readonly n?: Uint8Array;
    readonly e?: Uint8Array;
    readonly x?: Uint8Array;
    readonly y?: Uint8Array;
    readonly keyOps?: readonly string[];
  };
  readonly properties?: { readonly enabled?: boolean };
}

export interface AzureClient {
  getKey(name: string, options: { version?: string }): Promise<AzureKey>;
  createKey(name: string, type: string, options: Record<string, unknown>): Promise<AzureKey>;
  /** Returns the raw signature: r and s of equal length for ECDSA. */
  sign(id: string, algorithm: string, digest: Uint8Array): Promise<Uint8Array>;
}

/** The parts of @azure/keyvault-keys and @azure/identity that are used. */
interface Keys {
  readonly KeyClient: new (url: string, credential: unknown) => Pick<AzureClient, "getKey" | "createKey">;
  readonly CryptographyClient: new (
    id: string,
    credential: unknown,
  ) => { sign(algorithm: string, digest: Uint8Array): Promise<{ result: Uint8Array }> };
}
interface Identity {
  readonly DefaultAzureCredential: new (options: { authorityHost?: string }) => unknown;
}

/** Login address of each cloud, by AZURE_ENVIRONMENT as Sigstore reads it; empty for the SDK's default. */
const AUTHORITIES: Readonly<Record<string, string>> = {
  "": "",
  AZUREPUBLICCLOUD: "",
  AZURECLOUD: "",
  AZUREUSGOVERNMENT: "https://login.microsoftonline.us",
  AZUREUSGOVERNMENTCLOUD: "https://login.microsoftonline.us",
  AZURECHINACLOUD: "https://login.chinacloudapi.cn",
};

/** Opens the SDK's clients, with the credentials from its default chain. */
export async function connectAzure(
  io: ProviderIo,
  { host, load }: { host: string; load?: LoadPackage | undefined },
): Promise<AzureClient> {
  const environment = (io.env["AZURE_ENVIRONMENT"] ?? "").toUpperCase();
  const known = Object.hasOwn(AUTHORITIES, environment) ? AUTHORITIES[environment] : undefined;
  if (known === undefined) {
    throw new TsignError("usage", `unknown AZURE_ENVIRONMENT: ${environment}`, {
      hint: "use AZUREPUBLICCLOUD, AZUREUSGOVERNMENTCLOUD or AZURECHINACLOUD",
    });
  }
  const [{ KeyClient, CryptographyClient }, { DefaultAzureCredential }] = await loadPackages<[Keys, Identity]>(
    ["@azure/keyvault-keys", "@azure/identity"],
    { purpose: "azurekms://", load },
  );
  const authorityHost = io.env["AZURE_AUTHORITY_HOST"] || known;
  const credential = new DefaultAzureCredential(authorityHost ? { authorityHost } : {});
  const client = new KeyClient(`https://${host}`, credential);
  return {
    getKey: (name, options) => client.getKey(name, options),
    createKey: (name, type, options) => client.createKey(name, type, options),
    sign: async (id, algorithm, digest) =>
      (await new CryptographyClient(id, credential).sign(algorithm, digest)).result,
  };
}
