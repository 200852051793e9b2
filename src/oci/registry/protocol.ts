import { RegistryClientV2 } from "oci-registry-client";
import { DockerResponse } from "oci-registry-client/build/docker-json-client.js";
import { TsignError } from "../../errors.ts";
import type { Repository } from "../ref.ts";

/** An HTTP answer, buffered. */
export interface ProtocolAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly bytes: Uint8Array;
}

/** What the library asks for: its own names. `path` is a path of the registry or, for a token, a whole URL. */
interface ProtocolRequest {
  readonly method: string;
  readonly path: string;
  readonly headers?: Iterable<[string, string]>;
  readonly expectStatus?: readonly number[];
}

export type ProtocolSend = (request: {
  method: string;
  path: string;
  headers: Record<string, string>;
}) => Promise<ProtocolAnswer>;

/**
 * The distribution protocol as oci-registry-client speaks it, over a transport of ours: its own transport sends tokens to
 * foreign hosts, checks no digest and has no time-out, so `_api`, through which every request goes, is replaced, and so
 * is `login`, because our transport answers challenges itself.
 */
export function protocolClient(repository: Repository, options: { send: ProtocolSend }): RegistryClientV2 {
  const client = new RegistryClientV2({
    repo: {
      index: { name: repository.registry, official: false, scheme: "https" },
      official: false,
      remoteName: repository.repository,
      localName: repository.name,
      canonicalName: repository.name,
    },
    acceptOCIManifests: true,
    acceptManifestLists: true,
  });
  const request = async ({ method, path, headers = [], expectStatus = [200] }: ProtocolRequest) => {
    const answer = await options.send({ method, path, headers: Object.fromEntries(headers) });
    if (!expectStatus.includes(answer.status)) throw new UnexpectedStatus(answer);
    const noBody = method === "HEAD" || answer.status === 204;
    return libraryResponse(noBody ? null : answer.bytes, { status: answer.status, headers: answer.headers });
  };
  Object.defineProperty(client, "_api", { get: () => ({ accept: "", request }) });
  client.login = async () => {};
  return client;
}

/** An answer the protocol does not expect; the caller knows what it means for what it does. */
export class UnexpectedStatus extends TsignError {
  readonly answer: ProtocolAnswer;

  constructor(answer: ProtocolAnswer) {
    super("registry", `the registry answered ${answer.status}`);
    this.answer = answer;
  }
}

/** An answer made up for the library's challenge parser. */
export function challengeResponse(challenge: string): DockerResponse {
  return libraryResponse(null, { status: 401, headers: { "www-authenticate": challenge } });
}

/** The library's types lack its base class, a fetch Response, and with it the constructor. */
function libraryResponse(
  body: Uint8Array | null,
  init: { status: number; headers: Readonly<Record<string, string>> },
): DockerResponse {
  const Constructor = DockerResponse as unknown as new (body: Uint8Array | null, init: object) => DockerResponse;
  return new Constructor(body, init);
}
