import { type LoadPackage, loadPackages } from "../../packages.ts";

export const SERVICE = "Google Cloud KMS";
/** Milliseconds for one call including its retries. */
const TIMEOUT = 30_000;

/** The calls that are used, each of which returns its response. */
export interface GcpClient {
  getPublicKey(request: { name: string }): Promise<{ pem?: string; algorithm?: string }>;
  listCryptoKeyVersions(request: { parent: string; filter: string; orderBy: string }): Promise<{ name?: string }[]>;
  asymmetricSign(request: Record<string, unknown>): Promise<{
    signature?: Uint8Array;
    signatureCrc32c?: { value?: string | number };
    verifiedDigestCrc32c?: boolean;
    verifiedDataCrc32c?: boolean;
  }>;
  createKeyRing(request: Record<string, unknown>): Promise<unknown>;
  createCryptoKey(request: Record<string, unknown>): Promise<unknown>;
}

const METHODS = [
  "getPublicKey",
  "listCryptoKeyVersions",
  "asymmetricSign",
  "createKeyRing",
  "createCryptoKey",
] as const;

/** The part of @google-cloud/kms that is used: every method returns a list whose first item is the response. */
type SdkClient = Record<(typeof METHODS)[number], (request: unknown, options: unknown) => Promise<unknown[]>> & {
  readonly auth: { getClient(): Promise<unknown> };
};
interface Sdk {
  readonly KeyManagementServiceClient: new () => SdkClient;
}

/** Opens Google's client, which finds credentials, endpoint and proxy by itself. */
export async function connectGcp(load: LoadPackage | undefined): Promise<GcpClient> {
  const packages = await loadPackages<[Sdk & { default?: Sdk }]>(["@google-cloud/kms"], { purpose: "gcpkms://", load });
  const [{ default: inner, KeyManagementServiceClient = inner?.KeyManagementServiceClient }] = packages;
  const client = new (KeyManagementServiceClient as Sdk["KeyManagementServiceClient"])();
  // Credentials first: a call without them also causes an unhandled rejection, which would end the program.
  await client.auth.getClient();
  const calls = METHODS.map((method) => [
    method,
    async (request: unknown) => (await client[method](request, { timeout: TIMEOUT }))[0],
  ]);
  return Object.fromEntries(calls) as GcpClient;
}
