import { TsignError } from "../../errors.ts";
import { type Answer, createTransport } from "../../http.ts";
import type { TransportIo } from "../../http-retry.ts";
import { MAX_METADATA } from "./metadata.ts";
import type { Source } from "./workflow.ts";

/** A TUF repository over HTTP. */
export function mirrorSource(io: TransportIo, mirror: URL): Source {
  const transport = createTransport(io, { limits: { attempts: 2 } });
  const exchange = async (path: string, maxBytes: number): Promise<Answer> => {
    const url = new URL(mirror);
    url.pathname = `${url.pathname.replace(/\/+$/, "")}/${path}`;
    return transport.read({ method: "GET", url, followRedirects: true }, { maxBytes });
  };
  const found = async (path: string, maxBytes: number): Promise<Uint8Array> => {
    const answer = await exchange(path, maxBytes);
    if (answer.status === 200) return answer.bytes;
    throw new TsignError("registry", `${mirror.host} answered ${answer.status} for ${path}`);
  };
  return {
    async root(version) {
      const answer = await exchange(`${version}.root.json`, MAX_METADATA.root);
      if (answer.status === 200) return answer.bytes;
      // Storage services answer 403 for what is not there; anything else is a failure, not the end of the chain.
      if (answer.status === 404 || answer.status === 403) return undefined;
      throw new TsignError("registry", `${mirror.host} answered ${answer.status} for ${version}.root.json`);
    },
    timestamp: () => found("timestamp.json", MAX_METADATA.timestamp),
    metadata: (kind, version) => found(`${version === undefined ? "" : `${version}.`}${kind}.json`, MAX_METADATA[kind]),
    target(name, { hash, length }) {
      const parts = name.split("/");
      const file = parts.pop() ?? "";
      return found(["targets", ...parts, hash ? `${hash}.${file}` : file].map(encodeURIComponent).join("/"), length);
    },
  };
}
