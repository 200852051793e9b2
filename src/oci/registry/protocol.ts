import { RegistryClientV2 } from "oci-registry-client";
import { DockerResponse } from "oci-registry-client/build/docker-json-client.js";
import { TsignError } from "../../errors.ts";
import type { Repository } from "../ref.ts";

/** An HTTP answer, buffered. */
export interface ProtocolAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly bytes: Uint8Array;
  /** Where it came from, if that is known. */
  readonly url?: URL;
}

/** What the library asks for: its own names. `path` is a path of the registry or, for a token, a whole URL. */
interface ProtocolRequest {
  readonly method: string;
  readonly path: string;
  readonly headers?: Iterable<[string, string]>;
  readonly expectStatus?: readonly number[];
}

type ProtocolSend = (request: {
  method: string;
  path: string;
  headers: Record<string, string>;
}) => Promise<ProtocolAnswer>;

/**
 * The distribution protocol as oci-registry-client speaks it, over a transport of ours. The library's own transport sends
 * tokens to foreign hosts, checks no digest and has no time-out, and it has no option for another one: all its requests go
 * through the client that its property `_api` gives, so that is overridden here. test/dependencies.test.ts checks that no
 * request of a new version goes past it.
 *
 * What of the library is used: `performLogin` (challenge and token request) and `deleteManifest`.
 */
// @ts-expect-error -- `_api` is private in the library's types, which know no protected one; at run time it is a getter like any
export class RepositoryClient extends RegistryClientV2 {
  readonly #send: ProtocolSend;

  /** @param send sends a request and returns the answer, whatever its status; it answers challenges by itself */
  constructor({ registry, repository, name }: Repository, send: ProtocolSend) {
    super({
      repo: {
        index: { name: registry, official: false, scheme: "https" },
        official: false,
        remoteName: repository,
        localName: name,
        canonicalName: name,
      },
      acceptOCIManifests: true,
      acceptManifestLists: true,
    });
    this.#send = send;
  }

  /** Does nothing: `send` logs in when the registry asks for it. */
  override async login(): Promise<void> {}

  override get _api() {
    const request = async ({ method, path, headers = [], expectStatus = [200] }: ProtocolRequest) => {
      const answer = await this.#send({ method, path, headers: Object.fromEntries(headers) });
      if (!expectStatus.includes(answer.status)) throw new UnexpectedStatus(answer);
      const noBody = method === "HEAD" || answer.status === 204;
      return new DockerResponse(noBody ? null : Uint8Array.from(answer.bytes), answer);
    };
    return { accept: "", request };
  }
}

/** An answer the protocol does not expect; the caller knows what it means for what it does. */
export class UnexpectedStatus extends TsignError {
  readonly answer: ProtocolAnswer;

  constructor(answer: ProtocolAnswer) {
    const { status, url } = answer;
    super("registry", `the registry answered ${status}`, { service: "registry", status, url });
    this.answer = answer;
  }
}

/** An answer made up for the library's challenge parser. */
export function challengeResponse(challenge: string): DockerResponse {
  return new DockerResponse(null, { status: 401, headers: { "www-authenticate": challenge } });
}
