import { randomUUID } from "node:crypto";
import type { ServerRequest, ServerResponse } from "../../io/io.ts";
import { DEFAULT_MAX_BYTES, matches, Refusal, readBody, type State } from "./state.ts";

/** Answers the blob endpoints: HEAD, GET and DELETE of a blob, and uploads. */
export async function blobs(
  state: State,
  call: { request: ServerRequest; name: string; rest: string; query: URLSearchParams },
): Promise<ServerResponse> {
  const { request, name, rest, query } = call;
  if (rest.startsWith("uploads")) return uploads(state, { request, name, id: rest.slice("uploads/".length), query });
  const bytes = state.blobs.get(rest);
  if (!bytes) throw new Refusal(404, "BLOB_UNKNOWN", `unknown blob ${rest}`);
  if (request.method === "DELETE") {
    state.blobs.delete(rest);
    return { status: 202 };
  }
  const headers = {
    "content-type": "application/octet-stream",
    "content-length": String(bytes.length),
    "docker-content-digest": rest,
  };
  return { status: 200, headers, body: request.method === "HEAD" ? "" : bytes };
}

/** POST starts an upload (or stores at once with ?digest=, or mounts with ?mount=), PATCH adds to it, PUT completes it. */
async function uploads(
  state: State,
  { request, name, id, query }: { request: ServerRequest; name: string; id: string; query: URLSearchParams },
): Promise<ServerResponse> {
  const mount = request.method === "POST" ? query.get("mount") : null;
  if (mount !== null && state.blobs.has(mount)) {
    return { status: 201, headers: { location: `/v2/${name}/blobs/${mount}`, "docker-content-digest": mount } };
  }
  const digest = query.get("digest");
  const before = request.method === "POST" ? Buffer.alloc(0) : state.uploads.get(id);
  if (!before) throw new Refusal(404, "BLOB_UPLOAD_UNKNOWN", "unknown upload");
  const bytes = Buffer.concat([before, await readBody(state, request, state.options.maxBytes ?? DEFAULT_MAX_BYTES)]);
  if (digest !== null) {
    state.uploads.delete(id);
    if (!matches(bytes, digest)) throw new Refusal(400, "DIGEST_INVALID", "digest mismatch");
    if (!state.blobs.has(digest)) state.bytes += bytes.length;
    state.blobs.set(digest, bytes);
    return { status: 201, headers: { location: `/v2/${name}/blobs/${digest}`, "docker-content-digest": digest } };
  }
  const upload = id || randomUUID();
  state.uploads.set(upload, bytes);
  const location = `/v2/${name}/blobs/uploads/${upload}`;
  return {
    status: 202,
    headers: { location, range: `0-${Math.max(0, bytes.length - 1)}`, "docker-upload-uuid": upload },
  };
}
