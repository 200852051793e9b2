import type { Handler, ServerRequest, ServerResponse } from "../../io/io.ts";
import { guard } from "../server/guard.ts";
import { blobs } from "./blobs.ts";
import { digestOf, matches, Refusal, type RegistryOptions, type Repository, readBody, type State } from "./state.ts";

const MAX_MANIFEST = 4 * 1024 * 1024;
const INDEX_TYPE = "application/vnd.oci.image.index.v1+json";

/** Creates a handler for the OCI distribution API (distribution spec 1.1): blobs, manifests, tags and, optionally, referrers. */
export function createRegistryHandler(options: RegistryOptions): Handler {
  const state: State = { blobs: new Map(), uploads: new Map(), repositories: new Map(), options, bytes: 0 };
  return async (request) => {
    try {
      return await route(state, request);
    } catch (error) {
      if (error instanceof Refusal) return errorResponse(error);
      throw error;
    }
  };
}

function errorResponse({ status, code, message }: Refusal): ServerResponse {
  return json(status, { errors: [{ code, message }] });
}

function json(status: number, value: unknown, headers: Record<string, string> = {}): ServerResponse {
  const body = JSON.stringify(value);
  const length = String(Buffer.byteLength(body));
  return { status, headers: { "content-type": "application/json", "content-length": length, ...headers }, body };
}

async function route(state: State, request: ServerRequest): Promise<ServerResponse> {
  const refusal = guard(request);
  if (refusal) throw new Refusal(refusal.status, "DENIED", refusal.reason);
  const url = new URL(request.url, "http://sandbox.invalid");
  if (url.pathname === "/v2/" || url.pathname === "/v2") return json(200, {});
  const [, name = "", kind = "", rest = ""] =
    /^\/v2\/([a-z0-9._/-]+?)\/(manifests|blobs|referrers|tags)\/(.*)$/.exec(decodeURIComponent(url.pathname)) ?? [];
  switch (kind) {
    case "manifests":
      return manifests(state, { request, name, identifier: rest });
    case "blobs":
      return blobs(state, { request, name, rest, query: url.searchParams });
    case "referrers":
      return referrers(state, { name, subject: rest, artifactType: url.searchParams.get("artifactType") });
    case "tags":
      return tags(state, name, url.searchParams);
    default:
      throw new Refusal(404, "UNSUPPORTED", "unknown endpoint");
  }
}

function repository(state: State, name: string): Repository {
  const known = state.repositories.get(name) ?? { manifests: new Map(), tags: new Map() };
  state.repositories.set(name, known);
  return known;
}

async function manifests(
  state: State,
  { request, name, identifier }: { request: ServerRequest; name: string; identifier: string },
): Promise<ServerResponse> {
  const repo = repository(state, name);
  if (request.method === "PUT") return putManifest(state, { request, name, identifier });
  const digest = identifier.includes(":") ? identifier : (repo.tags.get(identifier) ?? "");
  const stored = repo.manifests.get(digest);
  if (!stored) throw new Refusal(404, "MANIFEST_UNKNOWN", `unknown manifest ${identifier}`);
  if (request.method === "DELETE") {
    if (digest !== identifier) repo.tags.delete(identifier);
    else {
      repo.manifests.delete(digest);
      for (const [tag, target] of repo.tags) if (target === digest) repo.tags.delete(tag);
    }
    return { status: 202 };
  }
  const headers = {
    "content-type": stored.mediaType,
    "content-length": String(stored.bytes.length),
    "docker-content-digest": digest,
  };
  return { status: 200, headers, body: request.method === "HEAD" ? "" : stored.bytes };
}

async function putManifest(
  state: State,
  { request, name, identifier }: { request: ServerRequest; name: string; identifier: string },
): Promise<ServerResponse> {
  const repo = repository(state, name);
  const bytes = await readBody(state, request, MAX_MANIFEST);
  const parsed = parseManifest(bytes);
  const byDigest = identifier.includes(":");
  const digest = byDigest ? identifier : digestOf(bytes);
  if (byDigest && !matches(bytes, identifier)) throw new Refusal(400, "DIGEST_INVALID", "digest mismatch");
  for (const { digest: layer = "" } of [...(parsed.layers ?? []), ...(parsed.config ? [parsed.config] : [])]) {
    if (!state.blobs.has(layer)) throw new Refusal(400, "MANIFEST_BLOB_UNKNOWN", `unknown blob ${layer}`);
  }
  const mediaType = request.headers["content-type"] ?? parsed.mediaType ?? "";
  repo.manifests.set(digest, { bytes, mediaType });
  if (!byDigest) repo.tags.set(identifier, digest);
  state.bytes += bytes.length;
  const subject = parsed.subject?.digest;
  const headers: Record<string, string> = {
    location: `/v2/${name}/manifests/${digest}`,
    "docker-content-digest": digest,
  };
  if (subject && state.options.referrers) headers["oci-subject"] = subject;
  return { status: 201, headers };
}

interface ParsedManifest {
  mediaType?: string;
  artifactType?: string;
  annotations?: Record<string, string>;
  subject?: { digest?: string };
  config?: { digest?: string; mediaType?: string };
  layers?: { digest?: string }[];
}

function parseManifest(bytes: Buffer): ParsedManifest {
  try {
    return JSON.parse(bytes.toString("utf8")) as ParsedManifest;
  } catch {
    throw new Refusal(400, "MANIFEST_INVALID", "parse manifest: invalid JSON");
  }
}

function referrers(
  state: State,
  { name, subject, artifactType }: { name: string; subject: string; artifactType: string | null },
): ServerResponse {
  if (!state.options.referrers) throw new Refusal(404, "UNSUPPORTED", "the referrers API is not supported");
  const entries = [...repository(state, name).manifests].flatMap(([digest, { bytes, mediaType }]) => {
    const manifest = parseManifest(bytes);
    if (manifest.subject?.digest !== subject) return [];
    const type = manifest.artifactType ?? manifest.config?.mediaType;
    const { annotations } = manifest;
    return [{ mediaType, digest, size: bytes.length, artifactType: type, ...(annotations ? { annotations } : {}) }];
  });
  const manifests = artifactType === null ? entries : entries.filter((entry) => entry.artifactType === artifactType);
  const headers = {
    "content-type": INDEX_TYPE,
    ...(artifactType === null ? {} : { "oci-filters-applied": "artifactType" }),
  };
  return json(200, { schemaVersion: 2, mediaType: INDEX_TYPE, manifests }, headers);
}

function tags(state: State, name: string, query: URLSearchParams): ServerResponse {
  const all = [...repository(state, name).tags.keys()].sort();
  const last = query.get("last");
  const count = Number(query.get("n") ?? all.length);
  const from = last === null ? all : all.filter((tag) => tag > last);
  const page = from.slice(0, count);
  const more = page.length < from.length && page.length > 0;
  const link = `</v2/${name}/tags/list?n=${count}&last=${page.at(-1)}>; rel="next"`;
  return json(200, { name, tags: page }, more ? { link } : {});
}
