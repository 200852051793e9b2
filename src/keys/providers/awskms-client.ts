import { awsRequestHandler } from "../../net/aws.ts";
import { type LoadPackage, loadPackages } from "../../packages.ts";
import type { ProviderIo } from "./types.ts";

export const SERVICE = "AWS KMS";

export type AwsCommand = "GetPublicKey" | "DescribeKey" | "Sign" | "CreateKey" | "CreateAlias";

/** The responses of all commands that are used; each has some of the fields. */
interface AwsResponse {
  readonly KeyId?: string;
  readonly PublicKey?: Uint8Array;
  readonly KeySpec?: string;
  readonly KeyUsage?: string;
  readonly SigningAlgorithms?: readonly string[];
  readonly Signature?: Uint8Array;
  readonly KeyMetadata?: { readonly KeyId?: string };
}

export interface AwsClient {
  send(command: AwsCommand, input: Record<string, unknown>): Promise<AwsResponse>;
}

/** The part of @aws-sdk/client-kms that is used. */
type Sdk = Readonly<Record<`${AwsCommand}Command`, new (input: Record<string, unknown>) => unknown>> & {
  readonly KMSClient: new (
    settings: Record<string, unknown>,
  ) => {
    send(command: unknown, options: { abortSignal: AbortSignal }): Promise<AwsResponse>;
  };
};

/**
 * Opens the SDK's client with tsign's own HTTP transport, which supports proxies and AWS_CA_BUNDLE. The SDK finds credentials
 * and region; the region of an ARN takes precedence.
 */
export async function connectAws(
  io: ProviderIo,
  options: { endpoint: string; name: string; load?: LoadPackage | undefined },
): Promise<AwsClient> {
  const { endpoint, name, load } = options;
  const [sdk] = await loadPackages<[Sdk]>(["@aws-sdk/client-kms"], { purpose: "awskms://", load });
  const region = /^arn:[^:]+:kms:([^:]+):/.exec(name)?.[1];
  const client = new sdk.KMSClient({
    ...(region ? { region } : {}),
    ...(endpoint === "" ? {} : { endpoint: `https://${endpoint}` }),
    requestHandler: await awsRequestHandler(io),
  });
  return {
    send: (command, input) => client.send(new sdk[`${command}Command`](input), { abortSignal: io.signal }),
  };
}
