import { Readable } from "node:stream";
import { TsignError } from "../errors.ts";
import type { Io, TlsOptions } from "../io/io.ts";
import { createTransport } from "./http.ts";
import type { TransportIo } from "./retry.ts";

const MAX_ANSWER = 1024 * 1024;
const MAX_FILE = 4 * 1024 * 1024;

/** Hint that lists the sources of credentials that AWS's library tries. */
export const AWS_SOURCES =
  "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE for a profile in ~/.aws, or AWS_WEB_IDENTITY_TOKEN_FILE; " +
  "or log in with single sign-on, or run with a container's or machine's role";

type AwsIo = TransportIo & Pick<Io, "files" | "stderr">;

/** A request of the SDK's HTTP handlers. */
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
 * Returns a `requestHandler` for the clients of AWS's SDK that sends their requests over tsign's transport, with proxies,
 * AWS_CA_BUNDLE and AWS_TLS_INSECURE_SKIP_VERIFY.
 *
 * @throws TsignError "usage" when both variables are set, "input" for an unreadable bundle
 */
export async function awsRequestHandler(io: AwsIo) {
  const tls = await tlsOf(io);
  // The SDK retries by itself.
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
    throw new TsignError("usage", "AWS_CA_BUNDLE and AWS_TLS_INSECURE_SKIP_VERIFY cannot be used together");
  }
  if (insecure) {
    io.stderr.write("WARNING: AWS_TLS_INSECURE_SKIP_VERIFY is set: TLS certificates of AWS are not verified\n");
    return { insecure };
  }
  return bundle
    ? { ca: Buffer.from(await io.files.read(bundle, { maxBytes: MAX_FILE })).toString("latin1") }
    : undefined;
}
