import { createHash } from "node:crypto";
import type { TestContext } from "node:test";
import type { Handler, ServerResponse } from "../../src/io/io.ts";
import { createRegistryHandler } from "../../src/sandbox/registry/registry.ts";
import { testIo } from "./test-io.ts";

const MANIFEST = "application/vnd.oci.image.manifest.v1+json";
const INDEX = "application/vnd.oci.image.index.v1+json";
const BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json";
const SIGNATURE = "application/vnd.dev.cosign.simplesigning.v1+json";

/** A large number of manifests that refer to an image, generated on request. */
export interface Crowd {
  /** The image's digest. */
  readonly subject: string;
  readonly count: number;
  /** Position of the registry's real referrers among them, from 0 (first) to `count` (last). */
  readonly position: number;
  /** "scan": another artifact type; "junk": invalid bundles; "shared": bundles that share one blob. */
  readonly kind: "scan" | "junk" | "shared";
  /** The shared blob, a bundle in pieces. */
  readonly blob?: { readonly digest: string; readonly size: number; pieces(): Iterable<Uint8Array> };
  /** Entries per page of the list; all by default. */
  readonly pageSize?: number;
  /** The page that starts with this entry returns 404. */
  readonly brokenPage?: number;
}

/** A `.sig` image with many unsigned layers in addition to the stored ones. */
export interface CrowdOfLayers {
  /** The tag to which layers are added. */
  readonly tag: string;
  readonly count: number;
  readonly position: number;
}

const sha256 = (bytes: Uint8Array | string) => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

/**
 * The sandbox's registry with additional crowds. Only the digests of a crowd are kept in memory.
 *
 * @param options.referrers whether it has the referrers API; without it, the fallback tag lists the crowd
 */
export async function crowdedRegistry(context: TestContext, options = { referrers: true }) {
  const stored = createRegistryHandler(options);
  let crowd: (Crowd & { digests: Map<string, number> }) | undefined;
  let layers: CrowdOfLayers | undefined;
  let requests: string[] = [];
  const handler: Handler = async (request) => {
    const path = decodeURIComponent(request.url.split("?")[0] ?? "");
    requests.push(`${request.method} ${path}`);
    if (crowd && request.method === "GET") {
      const answer = await fromCrowd(crowd, { path, url: request.url, referrers: options.referrers, stored, request });
      if (answer) return answer;
    }
    const answer = await stored(request);
    return layers && path.endsWith(`/manifests/${layers.tag}`) ? withLayers(answer, layers) : answer;
  };
  const { port, close } = await testIo().listen({ host: "127.0.0.1", port: 0 }, handler);
  context.after(close);
  return {
    address: `localhost:${port}`,
    /** Returns the requests since the last call. */
    take() {
      const taken = requests;
      requests = [];
      return taken;
    },
    gather(gathered: Crowd | undefined) {
      const digests = new Map<string, number>();
      for (let n = 0; gathered && n < gathered.count; n++) digests.set(sha256(manifestOf(gathered, n)), n);
      crowd = gathered && { ...gathered, digests };
    },
    gatherLayers(gathered: CrowdOfLayers | undefined) {
      layers = gathered;
    },
  };
}

async function fromCrowd(
  crowd: Crowd & { digests: Map<string, number> },
  by: {
    path: string;
    url: string;
    referrers: boolean;
    stored: Handler;
    request: Parameters<Handler>[0];
  },
): Promise<ServerResponse | undefined> {
  const last = by.path.slice(by.path.lastIndexOf("/") + 1);
  const n = crowd.digests.get(last);
  if (by.path.includes("/manifests/") && n !== undefined) {
    return { status: 200, headers: { "content-type": MANIFEST }, body: manifestOf(crowd, n) };
  }
  if (by.path.includes("/blobs/")) return blobOf(crowd, last);
  const isFallback = !by.referrers && last === crowd.subject.replace(":", "-");
  const isListing = by.referrers ? by.path.includes("/referrers/") && last === crowd.subject : isFallback;
  if (!isListing) return undefined;
  const own = await by.stored(by.request);
  const entries: string[] = own.status === 200 ? JSON.parse(String(own.body)).manifests.map(JSON.stringify) : [];
  return listing(crowd, entries, by);
}

function listing(
  crowd: Crowd & { digests: Map<string, number> },
  own: readonly string[],
  { url, path }: { url: string; path: string },
): ServerResponse {
  const digests = [...crowd.digests.keys()];
  const total = crowd.count + own.length;
  const size = path.includes("/referrers/") ? (crowd.pageSize ?? total) : total; // a tag has no pages
  const from = Number(new URL(url, "http://any").searchParams.get("from") ?? 0);
  if (from > 0 && from === crowd.brokenPage) return { status: 404 };
  const entry = (at: number) => {
    const before = at - crowd.position;
    if (before >= 0 && before < own.length) return own[before] ?? "";
    const n = before < 0 ? at : at - own.length;
    return entryOf(crowd, digests[n] ?? "", n);
  };
  const until = Math.min(from + size, total);
  const body = (async function* () {
    yield Buffer.from(`{"schemaVersion":2,"mediaType":"${INDEX}","manifests":[`);
    for (let at = from; at < until; at += 100) {
      const some = Array.from({ length: Math.min(100, until - at) }, (_, offset) => entry(at + offset));
      yield Buffer.from(`${at === from ? "" : ","}${some.join(",")}`);
    }
    yield Buffer.from("]}");
  })();
  const link: Record<string, string> = until < total ? { link: `<${path}?from=${until}>; rel="next"` } : {};
  return { status: 200, headers: { "content-type": INDEX, ...link }, body };
}

function entryOf(crowd: Crowd, digest: string, n: number): string {
  const artifactType = crowd.kind === "scan" ? "application/vnd.example.scan" : BUNDLE;
  const { length: size } = manifestOf(crowd, n);
  return JSON.stringify({ mediaType: MANIFEST, digest, size, artifactType, annotations: { n: String(n) } });
}

function manifestOf(crowd: Crowd, n: number): Buffer {
  const junk = Buffer.from(`{"n":${n}}`);
  const empty = { mediaType: "application/vnd.oci.empty.v1+json", digest: sha256("{}"), size: 2 };
  const layer =
    crowd.kind === "shared" && crowd.blob
      ? { mediaType: BUNDLE, digest: crowd.blob.digest, size: crowd.blob.size }
      : { mediaType: crowd.kind === "scan" ? "text/plain" : BUNDLE, digest: sha256(junk), size: junk.length };
  return Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MANIFEST,
      artifactType: crowd.kind === "scan" ? "application/vnd.example.scan" : BUNDLE,
      config: empty,
      layers: [layer],
      subject: { mediaType: MANIFEST, digest: crowd.subject, size: 2 },
      annotations: { n: String(n) },
    }),
  );
}

function blobOf(crowd: Crowd, digest: string): ServerResponse | undefined {
  const { blob } = crowd;
  if (blob?.digest === digest) {
    const headers = { "content-type": "application/octet-stream", "content-length": String(blob.size) };
    const body = (async function* () {
      yield* blob.pieces();
    })();
    return { status: 200, headers, body };
  }
  if (crowd.kind === "shared") return undefined;
  if (digest === sha256("{}")) return { status: 200, body: "{}" };
  junkBlobs(crowd);
  const n = junk.get(crowd)?.get(digest);
  return n === undefined ? undefined : { status: 200, body: `{"n":${n}}` };
}

const junk = new WeakMap<Crowd, Map<string, number>>();

function junkBlobs(crowd: Crowd): void {
  if (junk.has(crowd)) return;
  const known = new Map<string, number>();
  for (let n = 0; n < crowd.count; n++) known.set(sha256(`{"n":${n}}`), n);
  junk.set(crowd, known);
}

function withLayers(answer: ServerResponse, { count, position }: CrowdOfLayers): ServerResponse {
  if (answer.status !== 200 || !answer.body || String(answer.body) === "") return answer;
  const manifest = JSON.parse(Buffer.from(answer.body as Uint8Array).toString("utf8"));
  const payload = manifest.layers[0];
  const by = Array.from({ length: count }, (_, n) => ({
    mediaType: SIGNATURE,
    size: payload.size,
    digest: payload.digest,
    annotations: { "dev.cosignproject.cosign/signature": Buffer.from(`signature ${n}`).toString("base64") },
  }));
  const all = [...by.slice(0, position), ...manifest.layers, ...by.slice(position)];
  const body = Buffer.from(JSON.stringify({ ...manifest, layers: all }));
  return { status: 200, headers: { "content-type": manifest.mediaType, "docker-content-digest": sha256(body) }, body };
}
