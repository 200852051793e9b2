import { awsRequestHandler } from "../../net/aws.ts";
import { type LoadPackage, loadPackages } from "../../packages.ts";
import type { ProviderIo } from "./types.ts";

export const SERVICE = "AWS KMS";

export type AwsCommand = "GetPublicKey" | "DescribeKey" | "Sign" | "CreateKey" | "CreateAlias";

/** What the commands used answer; which fields are there depends on the command. */
interface AwsAnswer {
  readonly KeyId?: string;
  readonly PublicKey?: Uint8Array;
  readonly KeySpec?: string;
  readonly KeyUsage?: string;
  readonly SigningAlgorithms?: readonly string[];
  readonly Signature?: Uint8Array;
  readonly KeyMetadata?: { readonly KeyId?: string };
}

export interface AwsClient {
  send(command: AwsCommand, input: Record<string, unknown>): Promise<AwsAnswer>;
}

/** The part of @aws-sdk/client-kms that is used. */
type Sdk = Readonly<Record<`${AwsCommand}Command`, new (input: Record<string, unknown>) => unknown>> & {
  readonly KMSClient: new (
    settings: Record<string, unknown>,
  ) => {
    send(command: unknown, options: { abortSignal: AbortSignal }): Promise<AwsAnswer>;
  };
};

/**
 * The SDK's client over tsign's own network, so that proxies and AWS_CA_BUNDLE are obeyed. Credentials and region are found
 * by the SDK; the region of an ARN is the key's.
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
