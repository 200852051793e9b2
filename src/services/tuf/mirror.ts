import { TsignError } from "../../errors.ts";
import type { Io } from "../../io/io.ts";
import { createTransport } from "../../net/http.ts";
import type { TransportIo } from "../../net/retry.ts";
import { MAX_METADATA } from "./metadata.ts";
import type { Source } from "./workflow.ts";

export type MirrorIo = TransportIo & Pick<Io, "files">;

/** Reads a file of a repository: returns its bytes, or the error for a file that does not exist. */
type Read = (path: string, maxBytes: number) => Promise<{ bytes: Uint8Array } | { absent: TsignError }>;

/** Opens a TUF repository over HTTP, or a copy of one in a folder. */
export function mirrorSource(io: MirrorIo, mirror: URL): Source {
  const read = mirror.protocol === "file:" ? fromFolder(io, mirror) : overHttp(io, mirror);
  const found = async (path: string, maxBytes: number): Promise<Uint8Array> => {
    const answer = await read(path, maxBytes);
    if ("bytes" in answer) return answer.bytes;
    throw answer.absent;
  };
  return {
    async root(version) {
      const answer = await read(`${version}.root.json`, MAX_METADATA.root);
      return "bytes" in answer ? answer.bytes : undefined;
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

function overHttp(io: TransportIo, mirror: URL): Read {
  const transport = createTransport(io, { peer: { service: "tuf", name: "the TUF mirror" }, limits: { attempts: 2 } });
  return async (path, maxBytes) => {
    const { status, bytes, url } = await transport.read(
      { method: "GET", url: within(mirror, path), followRedirects: true },
      { maxBytes },
    );
    if (status === 200) return { bytes };
    const message = `TUF mirror (${mirror.host}) returned ${status} for ${path}`;
    const failure = new TsignError("service", message, { service: "tuf", status, url });
    // Storage services return 403 for files that do not exist. Other statuses must not end the chain of roots.
    if (status === 404 || status === 403) return { absent: failure };
    throw failure;
  };
}

function fromFolder(io: Pick<Io, "files">, mirror: URL): Read {
  return async (path, maxBytes) => {
    const file = pathOf(within(mirror, path));
    if (!(await io.files.stat(file))) {
      return { absent: new TsignError("service", `file not found: ${file}`, { service: "tuf" }) };
    }
    return { bytes: await io.files.read(file, { maxBytes }) };
  };
}

function within(mirror: URL, path: string): URL {
  const url = new URL(mirror);
  url.pathname = `${url.pathname.replace(/\/+$/, "")}/${path}`;
  return url;
}

/** Returns the path of a file URL, with or without a drive. */
const pathOf = (url: URL) => decodeURIComponent(url.pathname).replace(/^\/(?=[A-Za-z]:\/)/, "");
