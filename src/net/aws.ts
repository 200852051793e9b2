import { Readable } from "node:stream";
import { TsignError } from "../errors.ts";
import type { Io, TlsOptions } from "../io/io.ts";
import { createTransport } from "./http.ts";
import type { TransportIo } from "./retry.ts";

const MAX_ANSWER = 1024 * 1024;
const MAX_FILE = 4 * 1024 * 1024;

/** Where AWS's library looks for credentials. */
export const AWS_LOOKED =
  "looked in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, the profile of AWS_PROFILE in ~/.aws, single sign-on, " +
  "AWS_WEB_IDENTITY_TOKEN_FILE, and the container's or machine's role";

type AwsIo = TransportIo & Pick<Io, "files" | "stderr">;

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
 * A `requestHandler` for the clients of AWS's SDK: their requests go over tsign's own network, so that proxies,
 * AWS_CA_BUNDLE and AWS_TLS_INSECURE_SKIP_VERIFY are obeyed.
 *
 * @throws TsignError "usage" when both variables are set, "input" for a bundle that cannot be read
 */
export async function awsRequestHandler(io: AwsIo) {
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

async function tlsOf(io: AwsIo): Promise<TlsOptions | undefined> {
  const insecure = io.env["AWS_TLS_INSECURE_SKIP_VERIFY"] === "1";
  const bundle = io.env["AWS_CA_BUNDLE"];
  if (insecure && bundle) {
    throw new TsignError("usage", "AWS_CA_BUNDLE and AWS_TLS_INSECURE_SKIP_VERIFY exclude one another");
  }
  if (insecure) {
    io.stderr.write("WARNING: AWS_TLS_INSECURE_SKIP_VERIFY is set: TLS certificates of AWS are not verified\n");
    return { insecure };
  }
  return bundle
    ? { ca: Buffer.from(await io.files.read(bundle, { maxBytes: MAX_FILE })).toString("latin1") }
    : undefined;
}
