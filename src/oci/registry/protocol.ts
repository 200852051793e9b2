import { RegistryClientV2 } from "oci-registry-client";
import { DockerResponse } from "oci-registry-client/build/docker-json-client.js";
import { TsignError } from "../../errors.ts";
import type { Repository } from "../ref.ts";

/** An HTTP answer, buffered. */
export interface ProtocolAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly bytes: Uint8Array;
  /** URL of the answer, if known. */
  readonly url?: URL;
}

/** A request in the library's own terms. `path` is a path of the registry or, for a token, an absolute URL. */
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
 * oci-registry-client with tsign's transport. The library's own transport sends tokens to other hosts, checks no digests, has
 * no timeout, and cannot be replaced by an option. All its requests go through the client in its property `_api`, which is
 * overridden here; test/dependencies.test.ts checks that no request of a new version bypasses it.
 *
 * tsign uses `performLogin` (challenge and token request) and `deleteManifest`.
 */
// @ts-expect-error -- `_api` is private in the library's types, but an ordinary getter at run time
export class RepositoryClient extends RegistryClientV2 {
  readonly #send: ProtocolSend;

  /** @param send sends a request, answers challenges, and returns the answer with any status */
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

  /** Does nothing: `send` logs in when the registry requires it. */
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

/** An answer with an unexpected status, for the caller to interpret. */
export class UnexpectedStatus extends TsignError {
  readonly answer: ProtocolAnswer;

  constructor(answer: ProtocolAnswer) {
    const { status, url } = answer;
    super("registry", `registry returned ${status}`, { service: "registry", status, url });
    this.answer = answer;
  }
}

/** Builds an answer for the library's challenge parser. */
export function challengeResponse(challenge: string): DockerResponse {
  return new DockerResponse(null, { status: 401, headers: { "www-authenticate": challenge } });
}
