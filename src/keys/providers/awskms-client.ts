import { Readable } from "node:stream";
import { TsignError } from "../../errors.ts";
import { createTransport } from "../../http.ts";
import type { TlsOptions } from "../../io.ts";
import { type LoadPackage, loadPackages } from "./packages.ts";
import type { ProviderIo } from "./types.ts";

export const SERVICE = "AWS KMS";
const MAX_ANSWER = 1024 * 1024;
const MAX_FILE = 4 * 1024 * 1024;

export type AwsCommand = "GetPublicKey" | "DescribeKey" | "Sign" | "CreateKey" | "CreateAlias";

/** What the commands used answer; which fields are there depends on the command. */
export interface AwsAnswer {
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

/** The request of the SDK's HTTP handlers. */
interface SdkRequest {
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: number;
  readonly method: string;
  readonly path: string;
  readonly query?: Readonly<Record<string, string | readonly string[] | null>>;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
}

/**
 * The SDK's client over tsign's own network, so that proxies and AWS_CA_BUNDLE are obeyed. Credentials and region are found
 * by the SDK; the region of an ARN is the key's.
 */
export async function connectAws(
  io: ProviderIo,
  options: { endpoint: string; name: string; load?: LoadPackage | undefined },
): Promise<AwsClient> {
  const { endpoint, name, load } = options;
  const [sdk] = await loadPackages<[Sdk]>(["@aws-sdk/client-kms"], { scheme: "awskms://", load });
  const region = /^arn:[^:]+:kms:([^:]+):/.exec(name)?.[1];
  const client = new sdk.KMSClient({
    ...(region ? { region } : {}),
    ...(endpoint === "" ? {} : { endpoint: `https://${endpoint}` }),
    requestHandler: await requestHandler(io),
  });
  return {
    send: (command, input) => client.send(new sdk[`${command}Command`](input), { abortSignal: io.signal }),
  };
}

async function requestHandler(io: ProviderIo) {
  const tls = await tlsOf(io);
  // The SDK repeats what failed itself, and knows best which of its errors pass.
  const transport = createTransport(io, { ...(tls ? { tls } : {}), limits: { attempts: 1 } });
  return {
    metadata: { handlerProtocol: "http/1.1" },
    httpHandlerConfigs: () => ({}),
    updateHttpClientConfig: () => {},
    destroy: () => {},
    handle: async (request: SdkRequest) => {
      const body = typeof request.body === "string" ? Buffer.from(request.body) : request.body;
      const { host: _, ...headers } = lowerCase(request.headers);
      const answer = await transport.read(
        { method: request.method as "POST", url: urlOf(request), headers, ...(body?.length ? { body } : {}) },
        { maxBytes: MAX_ANSWER },
      );
      return {
        response: {
          statusCode: answer.status,
          headers: { ...answer.headers },
          body: Readable.from([Buffer.from(answer.bytes)]),
        },
      };
    },
  };
}

function lowerCase(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}

function urlOf({ protocol, hostname, port, path, query = {} }: SdkRequest): URL {
  const url = new URL(`${protocol}//${hostname}${port ? `:${port}` : ""}${path}`);
  for (const [name, value] of Object.entries(query)) {
    for (const each of Array.isArray(value) ? value : [value ?? ""]) url.searchParams.append(name, each);
  }
  return url;
}

async function tlsOf(io: ProviderIo): Promise<TlsOptions | undefined> {
  const insecure = io.env["AWS_TLS_INSECURE_SKIP_VERIFY"] === "1";
  const bundle = io.env["AWS_CA_BUNDLE"];
  if (insecure && bundle) {
    throw new TsignError("usage", "AWS_CA_BUNDLE and AWS_TLS_INSECURE_SKIP_VERIFY exclude one another");
  }
  if (insecure) return { insecure };
  return bundle
    ? { ca: Buffer.from(await io.files.read(bundle, { maxBytes: MAX_FILE })).toString("latin1") }
    : undefined;
}
