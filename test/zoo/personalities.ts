import { createHash } from "node:crypto";
import type { ServerResponse } from "../../src/io/io.ts";
import { type Answer, type Host, page, type Surroundings, type ZooRequest } from "./registry.ts";

/** The operations that run on every registry. */
export const OPERATIONS = [
  "verify bundle",
  "verify legacy",
  "verify unsigned",
  "sign bundle",
  "sign legacy",
  "attest",
  "attest --replace",
  "tree",
  "copy",
  "save, load",
  "download",
  "clean",
] as const;
export type Operation = (typeof OPERATIONS)[number];

/**
 * The outcome of an operation. "right": it succeeded. "refused": it failed with an error. "wrong": it reported a success that did
 * not happen, or no signatures for a signed image.
 */
export type Ending = "right" | "refused" | "wrong";

/** A registry with a peculiarity of real ones. */
export interface Personality {
  readonly name: string;
  readonly does: string;
  /** The product or public report with this peculiarity. */
  readonly seen: string;
  /** Whether the underlying registry has the referrers API. */
  readonly referrers: boolean;
  readonly answer: Answer;
  /** Its address and host name; by default 127.0.0.1 and localhost. */
  readonly host?: Host;
  /** Operations that cannot succeed and must be refused. All others must be right. */
  readonly refused?: readonly Operation[];
  /** docker's configuration; by default none. */
  readonly docker?: (address: string) => unknown;
}

const INDEX = "application/vnd.oci.image.index.v1+json";
const MANIFEST = "application/vnd.oci.image.manifest.v1+json";
const FALLBACK = /^sha256-[0-9a-f]{64}$/;
const ATTACHED = /^sha256-/;
/** Operations that must find bundles. */
const LISTED: readonly Operation[] = ["verify bundle", "sign bundle", "attest", "attest --replace"];
/** Operations that are impossible when the referrers of an image are unknown. */
const UNLISTED: readonly Operation[] = ["verify unsigned", "attest --replace", "tree", "copy", "save, load", "clean"];
const STORING: readonly Operation[] = ["sign bundle", "sign legacy", "attest", "attest --replace"];

function refusal(status: number, code = "UNSUPPORTED", headers: Record<string, string> = {}): ServerResponse {
  const body = JSON.stringify({ errors: [{ code, message: code.toLowerCase() }] });
  return { status, headers: { "content-type": "application/json", ...headers }, body };
}

function index(manifests: unknown, more: object = { schemaVersion: 2, mediaType: INDEX }): ServerResponse {
  return { status: 200, headers: { "content-type": INDEX }, body: JSON.stringify({ ...more, manifests }) };
}

/** Answers to the referrers API. */
const listing =
  (answer: (request: ZooRequest, surroundings: Surroundings) => ServerResponse | Promise<ServerResponse>): Answer =>
  (request, surroundings) =>
    request.kind === "referrers" ? answer(request, surroundings) : undefined;
const listingStatus = (status: number) => listing(() => ({ status }));
const redirected = (status: number, to: (surroundings: Surroundings) => string) =>
  listing((_, surroundings) => ({ status, headers: { location: to(surroundings) } }));

/** Changes what the referrers API lists. */
const entries = (change: (entries: Record<string, unknown>[]) => unknown, more?: object): Answer =>
  listing(async (_, { next }) => {
    const own = await next();
    if (own.status !== 200) return own;
    return index(change(JSON.parse(String(own.body)).manifests), more);
  });

/** Changes the answer to some requests. */
const changed =
  (
    which: (request: ZooRequest) => boolean,
    change: (answer: ServerResponse, request: ZooRequest, surroundings: Surroundings) => ServerResponse,
  ): Answer =>
  async (request, surroundings) =>
    which(request) ? change(await surroundings.next(), request, surroundings) : undefined;

const withHeaders = (answer: ServerResponse, headers: Record<string, string | undefined>): ServerResponse => {
  const merged = Object.entries({ ...answer.headers, ...headers }).filter(([, value]) => value !== undefined);
  return { ...answer, headers: Object.fromEntries(merged) as Record<string, string> };
};
const isManifest = ({ kind }: ZooRequest) => kind === "manifest";
const isHead = (request: ZooRequest) => request.kind === "manifest" && request.method === "HEAD";
const isDelete = (request: ZooRequest) => request.kind === "manifest" && request.method === "DELETE";
const isManifestPut = (request: ZooRequest) => request.kind === "manifest" && request.method === "PUT";
const isOpening = (request: ZooRequest) => request.kind === "upload" && request.method === "POST";
const isUploadPut = (request: ZooRequest) => request.kind === "upload" && request.method === "PUT";
const status =
  (which: (request: ZooRequest) => boolean, answer: () => ServerResponse): Answer =>
  (request) =>
    which(request) ? answer() : undefined;

/** Returns another status than 404 for a missing tag. */
const missingTag =
  (answer: () => ServerResponse): Answer =>
  async (request, { next }) => {
    if (request.kind !== "manifest" || request.method === "PUT" || !ATTACHED.test(request.reference)) return undefined;
    const own = await next();
    return own.status === 404 ? answer() : own;
  };

/** Returns the image itself for its fallback tag. */
const shadowed =
  (always: boolean, byAccept: boolean): Answer =>
  async (request, { next }) => {
    if (request.kind !== "manifest" || request.method === "PUT" || !FALLBACK.test(request.reference)) return undefined;
    const own = await next();
    if (own.status === 200 && !always) return own;
    const digest = request.reference.replace("-", ":");
    const image = await next({ url: `/v2/${request.repository}/manifests/${digest}` });
    const type = image.headers?.["content-type"] ?? "";
    return byAccept && image.status === 200 && !request.headers["accept"]?.includes(type) ? own : image;
  };

/** Requires a login, and the token it issues if it issues one. */
function guarded(options: {
  challenge: (own: string) => string | string[];
  token?: (surroundings: Surroundings) => unknown;
  good?: (authorization: string, surroundings: Surroundings) => boolean;
}): Pick<Personality, "answer" | "docker"> {
  const basic = `Basic ${Buffer.from("zoo:keeper").toString("base64")}`;
  const good = options.good ?? ((authorization) => authorization === (options.token ? "Bearer sesame" : basic));
  return {
    docker: (address) => ({ auths: { [address]: { auth: Buffer.from("zoo:keeper").toString("base64") } } }),
    answer: (request, surroundings) => {
      const { authorization = "" } = request.headers;
      if (options.token && request.path === "/token") {
        if (authorization !== basic) return { status: 401 };
        const body = JSON.stringify(options.token(surroundings));
        return { status: 200, headers: { "content-type": "application/json" }, body };
      }
      if (good(authorization, surroundings)) return undefined;
      const challenge = options.challenge(surroundings.own);
      return { status: 401, headers: { "www-authenticate": challenge } as Record<string, string> };
    },
  };
}

const bearer = (own: string) => `Bearer realm="${own}/token",service="zoo"`;
const tokens = (token: object | ((surroundings: Surroundings) => object)) =>
  guarded({ challenge: bearer, token: (surroundings) => (typeof token === "function" ? token(surroundings) : token) });

/** Issues tokens that are valid for a number of requests. */
const shortTokens = (uses: number) =>
  guarded({
    challenge: bearer,
    token: ({ memory }) => {
      const number = (memory.get("tokens") ?? 0) + 1;
      memory.set("tokens", number);
      return { token: `t${number}`, expires_in: 300 };
    },
    good: (authorization, { memory }) => {
      if (!authorization.startsWith("Bearer t")) return false;
      const used = (memory.get(authorization) ?? 0) + 1;
      memory.set(authorization, used);
      return used <= uses;
    },
  });

/** Fails every tenth request; a retry succeeds. */
const nowAndThen = (answer: () => ServerResponse, which: (request: ZooRequest) => boolean = () => true): Answer => {
  return (request, { memory }) => {
    if (!which(request)) return undefined;
    const count = (memory.get("requests") ?? 0) + 1;
    memory.set("requests", count);
    return count % 10 === 1 ? answer() : undefined;
  };
};

/** Interrupts the answer to the first request for each path. */
const cutAtFirst =
  (which: (request: ZooRequest) => boolean): Answer =>
  async (request, { next, memory }) => {
    const key = `cut ${request.url}`;
    if (!which(request) || memory.has(key)) return undefined;
    memory.set(key, 1);
    const own = await next();
    const bytes = Buffer.from((own.body ?? "") as Uint8Array);
    const half = bytes.subarray(0, bytes.length / 2);
    const headers = { ...own.headers, "content-length": String(bytes.length) };
    const body = (async function* () {
      yield half;
      await new Promise((done) => setTimeout(done, 20)); // so that it is sent
      throw new Error("connection closed on purpose");
    })();
    return own.status === 200 && bytes.length > 1 ? { ...own, headers, body } : own;
  };

/** Lists a stored referrer only after a number of requests for the list. */
const lagging =
  (looks: number): Answer =>
  async (request, { next, memory }) => {
    if (isManifestPut(request)) {
      const pieces: Uint8Array[] = [];
      for await (const piece of request.body) pieces.push(piece);
      const hash = createHash("sha256").update(Buffer.concat(pieces)).digest("hex");
      memory.set(`${request.repository}@sha256:${hash}`, looks);
      return undefined;
    }
    if (request.kind !== "referrers") return undefined;
    const own = await next();
    if (own.status !== 200) return own;
    const all = JSON.parse(String(own.body)).manifests as { digest: string }[];
    const shown = all.filter(({ digest }) => {
      const key = `${request.repository}@${digest}`;
      const left = memory.get(key) ?? 0;
      memory.set(key, left - 1);
      return left <= 0;
    });
    return index(shown);
  };

const plain: Answer = () => undefined;
const always = { referrers: true };
const never = { referrers: false };

const LISTINGS: readonly Personality[] = [
  {
    name: "plain",
    does: "has the referrers API",
    seen: "zot, distribution 3 behind a proxy",
    ...always,
    answer: plain,
  },
  { name: "plain-no-api", does: "has no referrers API", seen: "distribution 2.8", ...never, answer: plain },
  {
    name: "listing-307-page",
    does: "redirects the listing to a sign-in page",
    seen: "registry.k8s.io (oras-go#633)",
    ...never,
    answer: redirected(307, ({ elsewhere }) => `${elsewhere}/page`),
  },
  {
    name: "listing-303-missing",
    does: "redirects the listing to a missing page",
    seen: "GHCR (artifacthub/hub#4785)",
    ...never,
    answer: redirected(303, ({ elsewhere }) => `${elsewhere}/missing`),
  },
  {
    name: "listing-303-busy",
    does: "redirects the listing to a page that answers 429",
    seen: "GHCR (artifacthub/hub#4785)",
    ...never,
    refused: [...UNLISTED],
    answer: redirected(303, ({ elsewhere }) => `${elsewhere}/busy`),
  },
  {
    name: "listing-302-own-page",
    does: "redirects the listing to a page of its own",
    seen: "Sonatype Nexus behind a login page",
    ...never,
    answer: (request, { own }) => {
      if (request.path === "/page") return page();
      return request.kind === "referrers" ? { status: 302, headers: { location: `${own}/page` } } : undefined;
    },
  },
  {
    name: "listing-in-circles",
    does: "redirects the listing to the same URL",
    seen: "misconfigured reverse proxies",
    ...never,
    answer: listing(({ url }) => ({ status: 307, headers: { location: url } })),
  },
  ...[400, 404, 405, 406, 410, 415, 422, 501].map(
    (code): Personality => ({
      name: `listing-${code}`,
      does: `answers the listing with ${code}`,
      seen: "registries without OCI 1.1; the distribution spec names 404, others differ (oras-go, regclient)",
      ...never,
      answer: listingStatus(code),
    }),
  ),
  { name: "listing-204", does: "answers the listing with 204", seen: "proxies", ...never, answer: listingStatus(204) },
  {
    name: "listing-500",
    does: "fails to list",
    seen: "outages",
    ...never,
    refused: [...UNLISTED],
    answer: listingStatus(500),
  },
  {
    name: "listing-403",
    does: "answers the listing with 403",
    seen: "Artifactory without the right",
    ...never,
    refused: [...UNLISTED],
    answer: listing(() => refusal(403, "DENIED")),
  },
  {
    name: "listing-429",
    does: "always throttles the listing",
    seen: "retagger#1237",
    ...never,
    refused: [...UNLISTED],
    answer: listing(() => refusal(429, "TOOMANYREQUESTS", { "retry-after": "1" })),
  },
  {
    name: "listing-always-empty",
    does: "always lists nothing",
    seen: "sigstore-js#1187",
    ...never,
    answer: listing(() => index([])),
  },
  {
    name: "listing-html",
    does: "answers the listing with a page",
    seen: "oras-go#633",
    ...never,
    answer: listing(page),
  },
  {
    name: "listing-empty-object",
    does: "answers the listing with {}",
    seen: "API gateways",
    ...never,
    answer: listing(() => ({ status: 200, headers: { "content-type": "application/json" }, body: "{}" })),
  },
  {
    name: "listing-error-with-200",
    does: "answers the listing with an error and 200",
    seen: "API gateways",
    ...never,
    answer: listing(() => ({ ...refusal(404, "NOT_FOUND"), status: 200 })),
  },
  {
    name: "listing-null-entries",
    does: "lists null instead of an empty list",
    seen: "Go registries with nil slices (oras#728)",
    ...always,
    answer: entries((all) => (all.length === 0 ? null : all)),
  },
  {
    name: "listing-absent-entries",
    does: "omits an empty list",
    seen: "Go registries with omitempty",
    ...always,
    answer: entries((all) => (all.length === 0 ? undefined : all)),
  },
];

const ENTRIES: readonly Personality[] = [
  {
    name: "entry-null-fields",
    does: "lists null for artifact type and annotations",
    seen: "registries that store unset columns",
    ...always,
    answer: entries((all) => all.map((each) => ({ ...each, artifactType: null, annotations: { a: null } }))),
  },
  {
    name: "entry-digest-only",
    does: "lists digests without size, media type and artifact type",
    seen: "early OCI 1.1 implementations",
    ...always,
    answer: entries((all) => all.map(({ digest, artifactType }) => ({ digest, artifactType }))),
  },
  {
    name: "entry-no-artifact-type",
    does: "omits the artifact type",
    seen: "early OCI 1.1 implementations",
    ...always,
    answer: entries((all) => all.map(({ artifactType: _, ...each }) => each)),
  },
  {
    name: "entry-config-type",
    does: "lists the config's type as artifact type",
    seen: "registries that follow OCI 1.0 (config.mediaType)",
    ...always,
    answer: entries((all) => all.map((each) => ({ ...each, artifactType: "application/vnd.oci.empty.v1+json" }))),
  },
  {
    name: "entry-no-schema-version",
    does: "lists without schemaVersion",
    seen: "own variants of oras#728",
    ...always,
    answer: entries((all) => all, { mediaType: INDEX }),
  },
  {
    name: "entry-unknown-digest",
    does: "lists one entry with another digest algorithm",
    seen: "registries with blake3 content",
    ...always,
    refused: ["verify unsigned", "attest --replace", "copy", "save, load", "clean"],
    answer: entries((all) => [{ mediaType: MANIFEST, digest: `blake3:${"a".repeat(64)}`, size: 3 }, ...all]),
  },
  {
    name: "entry-gone",
    does: "lists an entry without a manifest",
    seen: "registries after garbage collection",
    ...always,
    refused: ["verify unsigned"],
    answer: entries((all) => [{ mediaType: MANIFEST, digest: `sha256:${"a".repeat(64)}`, size: 3 }, ...all]),
  },
  {
    name: "entry-annotation-number",
    does: "lists an annotation that is a number",
    seen: "hand-made indexes",
    ...always,
    answer: entries((all) => all.map((each) => ({ ...each, annotations: { n: 1 } }))),
  },
  {
    name: "entry-twice",
    does: "lists everything twice",
    seen: "eventually consistent stores",
    ...always,
    answer: entries((all) => [...all, ...all]),
  },
  {
    name: "listing-charset",
    does: "serves the listing with a charset",
    seen: "servers that add it to JSON",
    ...always,
    answer: changed(
      ({ kind }) => kind === "referrers",
      (own) => withHeaders(own, { "content-type": `${INDEX}; charset=utf-8` }),
    ),
  },
  {
    name: "listing-json-type",
    does: "serves the listing as application/json",
    seen: "API gateways",
    ...always,
    answer: changed(
      ({ kind }) => kind === "referrers",
      (own) => withHeaders(own, { "content-type": "application/json" }),
    ),
  },
  ...(["relative", "absolute", "empty-first"] as const).map(
    (how): Personality => ({
      name: `listing-pages-${how}`,
      does: how === "empty-first" ? "begins the listing with an empty page" : `lists page by page, with ${how} links`,
      seen: "ECR, Azure",
      ...always,
      answer: listing(async (request, { next, own }) => {
        const all = JSON.parse(String((await next()).body)).manifests as unknown[];
        const at = Number(request.query.get("at") ?? (how === "empty-first" ? -1 : 0));
        const more = at + 1 < all.length || at < 0;
        const target = `${request.path}?at=${at + 1}`;
        const link = `<${how === "absolute" ? `${own}${target}` : target}>; rel="next"`;
        return withHeaders(index(at < 0 ? [] : all.slice(at, at + 1)), more ? { link } : {});
      }),
    }),
  ),
  {
    name: "listing-lags",
    does: "lists a referrer only at the third request after it was stored",
    seen: "registries whose listing is a search index or a cache",
    ...always,
    answer: lagging(2),
  },
  {
    name: "listing-lags-long",
    does: "announces a referrer but does not list it",
    seen: "registries whose listing is a search index or a cache",
    ...always,
    answer: lagging(1000),
  },
  {
    name: "no-oci-subject",
    does: "has the API but sends no OCI-Subject",
    seen: "early OCI 1.1 implementations",
    ...always,
    answer: changed(isManifestPut, (own) => withHeaders(own, { "oci-subject": undefined })),
  },
];

const MANIFESTS: readonly Personality[] = [
  ...[404, 405, 403, 501].map(
    (code): Personality => ({
      name: `head-${code}`,
      does: `answers HEAD of a manifest with ${code}, GET with the manifest`,
      seen: "Nexus (registry-cli#43), Harbor (crossplane#3222)",
      ...always,
      answer: status(isHead, () => ({ status: code })),
    }),
  ),
  {
    name: "no-digest-header",
    does: "sends no Docker-Content-Digest",
    seen: "static file servers",
    ...always,
    answer: changed(isManifest, (own) => withHeaders(own, { "docker-content-digest": undefined })),
  },
  {
    name: "manifest-as-json",
    does: "serves manifests as application/json",
    seen: "static file servers",
    ...always,
    answer: changed(isManifest, (own) =>
      own.status === 200 ? withHeaders(own, { "content-type": "application/json" }) : own,
    ),
  },
  {
    name: "manifest-charset",
    does: "adds a charset to every media type",
    seen: "servers that add it to JSON",
    ...always,
    answer: changed(isManifest, (own) => {
      const type = own.headers?.["content-type"];
      return type ? withHeaders(own, { "content-type": `${type};charset=UTF-8` }) : own;
    }),
  },
  ...[200, 202, 204].map(
    (code): Personality => ({
      name: `manifest-put-${code}`,
      does: `answers a stored manifest with ${code}`,
      seen: "Quay (containerd#3750, containers/image#381)",
      ...always,
      answer: changed(isManifestPut, (own) => (own.status === 201 ? { ...own, status: code } : own)),
    }),
  ),
  {
    name: "manifest-put-not-kept",
    does: "answers 202 to a manifest but does not store it",
    seen: "queues that fail",
    ...always,
    refused: [...STORING, "copy", "save, load"],
    answer: status(isManifestPut, () => ({ status: 202 })),
  },
  ...[400, 403].map(
    (code): Personality => ({
      name: `missing-tag-${code}`,
      does: `answers a tag that does not exist with ${code}`,
      seen: "Artifactory (cosign#2973, #1440)",
      ...always,
      answer: missingTag(() => refusal(code, code === 403 ? "DENIED" : "TAG_INVALID")),
    }),
  ),
  {
    name: "gitlab",
    does: "returns the image for a missing fallback tag, if its media type is accepted",
    seen: "GitLab (oras-go#1396, oras#2148)",
    ...never,
    answer: shadowed(false, true),
  },
  {
    name: "gitlab-any",
    does: "returns the image for a missing fallback tag",
    seen: "GitLab (oras-go#1396)",
    ...never,
    answer: shadowed(false, false),
  },
  {
    name: "gitlab-digest-wins",
    does: "always returns the image for the fallback tag",
    seen: "GitLab (oras-go#1396)",
    ...never,
    refused: [...LISTED, "tree", "copy", "save, load", "clean"],
    answer: shadowed(true, false),
  },
  {
    name: "immutable-tags",
    does: "refuses to overwrite a tag",
    seen: "ECR, Harbor, Artifact Registry with immutable tags",
    ...always,
    answer: async (request, { next }) => {
      if (!isManifestPut(request) || request.reference.includes(":")) return undefined;
      const there = await next({ method: "HEAD" });
      return there.status === 200 ? refusal(400, "TAG_INVALID") : undefined;
    },
  },
  {
    name: "manifest-storage-url",
    does: "redirects manifests and blobs to signed URLs on another host",
    seen: "registry.k8s.io, ECR, Quay",
    ...always,
    answer: (request, { elsewhere }) => {
      const stored = (request.kind === "manifest" || request.kind === "blob") && request.method === "GET";
      return stored ? { status: 307, headers: { location: `${elsewhere}${request.path}?signature=good` } } : undefined;
    },
  },
  {
    name: "strict-content-type",
    does: "refuses a manifest whose Content-Type differs from its media type",
    seen: "distribution 3",
    ...always,
    answer: async (request) => {
      if (!isManifestPut(request)) return undefined;
      const pieces: Uint8Array[] = [];
      for await (const piece of request.body) pieces.push(piece);
      const { mediaType } = JSON.parse(Buffer.concat(pieces).toString("utf8"));
      return request.headers["content-type"] === mediaType ? undefined : refusal(400, "MANIFEST_INVALID");
    },
  },
  {
    name: "ping-404",
    does: "has no /v2/",
    seen: "static file servers",
    ...always,
    answer: status(
      ({ kind }) => kind === "ping",
      () => refusal(404),
    ),
  },
  {
    name: "tags-404",
    does: "lists no tags",
    seen: "registries with limited rights",
    ...always,
    answer: status(
      ({ kind }) => kind === "tags",
      () => refusal(404),
    ),
  },
];

const UPLOADS: readonly Personality[] = [
  {
    name: "patch-only",
    does: "accepts the content of blobs by PATCH only",
    seen: "JFrog (containerd#3533, buildkit#1130)",
    ...always,
    answer: async (request) => {
      if (!isUploadPut(request)) return undefined;
      for await (const piece of request.body) if (piece.length > 0) return refusal(400, "BLOB_UPLOAD_INVALID");
      return undefined;
    },
  },
  {
    name: "upload-201",
    does: "answers 201 to the start of an upload",
    seen: "single-request uploads",
    ...always,
    refused: [...STORING],
    answer: changed(isOpening, (own) => ({ ...own, status: 201 })),
  },
  {
    name: "location-absolute",
    does: "sends absolute upload locations with a query",
    seen: "distribution 2.8, Harbor",
    ...always,
    answer: changed(isOpening, (own, _, { own: origin }) =>
      withHeaders(own, { location: `${origin}${own.headers?.["location"]}?_state=abc%3D` }),
    ),
  },
  {
    name: "location-elsewhere",
    does: "has blobs uploaded to another host",
    seen: "cloud storage behind a registry",
    ...always,
    answer: changed(isOpening, (own, _, { elsewhere }) =>
      withHeaders(own, { location: `${elsewhere}${own.headers?.["location"]}` }),
    ),
  },
  ...(["beside", "below"] as const).map(
    (how): Personality => ({
      name: `location-${how}`,
      does: `sends upload locations relative to the address asked, ${how === "beside" ? "with ../" : "without a slash"}`,
      seen: "RFC 9110 section 10.2.2; proxies that cut their own prefix off",
      ...always,
      answer: changed(isOpening, (own, { path }) => {
        if (own.status !== 202) return own; // a mounted blob
        const { pathname } = new URL(own.headers?.["location"] ?? "", "http://zoo");
        const folder = path.replace(/[^/]*$/, "");
        if (!pathname.startsWith(folder)) throw new Error(`${pathname} is not below ${folder}`);
        const below = pathname.slice(folder.length);
        return withHeaders(own, { location: how === "below" ? below : `../uploads/${below}` });
      }),
    }),
  ),
  {
    name: "location-missing",
    does: "opens an upload without a location",
    seen: "broken proxies",
    ...always,
    refused: [...STORING],
    answer: changed(isOpening, (own) => withHeaders(own, { location: undefined })),
  },
  ...[200, 202, 204].map(
    (code): Personality => ({
      name: `blob-put-${code}`,
      does: `answers a stored blob with ${code}`,
      seen: "Nexus, early Quay",
      ...always,
      answer: changed(isUploadPut, (own) => (own.status === 201 ? { ...own, status: code } : own)),
    }),
  ),
  ...[400, 403, 405].map(
    (code): Personality => ({
      name: `blob-head-${code}`,
      does: `answers HEAD of a blob that is missing with ${code}`,
      seen: "registries behind gateways",
      ...always,
      answer: changed(
        (request) => request.kind === "blob" && request.method === "HEAD",
        (own) => (own.status === 404 ? { status: code } : own),
      ),
    }),
  ),
];

const DELETES: readonly Personality[] = [
  ...(
    [
      [405, "Docker Hub, GHCR (cosign#3434, skopeo#1880)"],
      [403, "tokens without the right"],
      [404, "ECR (cosign#1684)"],
      [202, "registries that collect later"],
    ] as const
  ).flatMap(([code, seen]) =>
    [true, false].map(
      (referrers): Personality => ({
        name: `delete-${code}${referrers ? "" : "-no-api"}`,
        does: `answers every DELETE with ${code} and deletes nothing`,
        seen,
        referrers,
        // Without the API an entry is removed from the index, which needs no DELETE; a tag cannot be removed.
        refused: referrers ? ["attest --replace", "clean"] : ["clean"],
        answer: status(isDelete, () => (code === 202 ? { status: 202 } : refusal(code))),
      }),
    ),
  ),
  {
    name: "delete-by-digest",
    does: "deletes digests only, not tags",
    seen: "distribution 2.8 (cosign#2265)",
    ...always,
    answer: status(
      (request) => isDelete(request) && !request.reference.includes(":"),
      () => refusal(400, "DIGEST_INVALID"),
    ),
  },
  ...[200, 204].map(
    (code): Personality => ({
      name: `delete-${code}-done`,
      does: `answers what was deleted with ${code}`,
      seen: "Nexus, Quay",
      ...always,
      answer: changed(isDelete, (own) => (own.status === 202 ? { ...own, status: code } : own)),
    }),
  ),
];

const LOGINS: readonly Personality[] = [
  {
    name: "basic",
    does: "requires a password",
    seen: "htpasswd registries",
    ...always,
    ...guarded({ challenge: () => 'Basic realm="zoo"' }),
  },
  { name: "bearer", does: "requires a token", seen: "Docker Hub, Harbor", ...always, ...tokens({ token: "sesame" }) },
  {
    name: "negotiate-basic-joined",
    does: "offers Negotiate and Basic in one header",
    seen: "SPNEGO proxies (go-containerregistry#1075)",
    ...always,
    ...guarded({ challenge: () => 'Negotiate, Basic realm="zoo"' }),
  },
  {
    name: "negotiate-basic",
    does: "offers Negotiate and Basic in two headers",
    seen: "SPNEGO proxies (kaniko#1681)",
    ...always,
    ...guarded({ challenge: () => ["Negotiate", 'Basic realm="zoo"'] }),
  },
  {
    name: "basic-bearer",
    does: "offers Basic before Bearer",
    seen: "GitLab, Harbor",
    ...always,
    ...guarded({ challenge: (own) => ['Basic realm="zoo"', bearer(own)], token: () => ({ token: "sesame" }) }),
  },
  {
    name: "realm-upper-case",
    does: "spells the parameters in upper case",
    seen: "RFC 9110 section 11.2 allows it",
    ...always,
    ...guarded({ challenge: (own) => `bearer Realm="${own}/token",SERVICE="zoo"`, token: () => ({ token: "sesame" }) }),
  },
  {
    name: "access-token",
    does: "names the token access_token",
    seen: "Azure",
    ...always,
    ...tokens({ access_token: "sesame" }),
  },
  {
    name: "empty-token",
    does: "sends an empty token beside access_token",
    seen: "OAuth gateways",
    ...always,
    ...tokens({ token: "", access_token: "sesame" }),
  },
  {
    name: "null-token",
    does: "sends a null token beside access_token",
    seen: "OAuth gateways",
    ...always,
    ...tokens({ token: null, access_token: "sesame" }),
  },
  {
    name: "expires-text",
    does: "sends expires_in as text",
    seen: "moby#33558",
    ...always,
    ...tokens({ token: "sesame", expires_in: "300" }),
  },
  {
    name: "expires-fraction",
    does: "sends expires_in as a fraction",
    seen: "moby#33558",
    ...always,
    ...tokens({ token: "sesame", expires_in: 299.5 }),
  },
  {
    name: "expires-zero",
    does: "sends expires_in 0",
    seen: "moby#33558",
    ...always,
    ...tokens({ token: "sesame", expires_in: 0 }),
  },
  {
    name: "issued-long-ago",
    does: "dates the token a year back",
    seen: "clocks that differ",
    ...always,
    ...tokens({ token: "sesame", expires_in: 300, issued_at: "2020-01-01T00:00:00Z" }),
  },
  {
    name: "tokens-for-three",
    does: "issues tokens for three requests",
    seen: "mise PR#11132",
    ...always,
    ...shortTokens(3),
  },
  {
    name: "config-null",
    does: "login in a docker configuration with nulls",
    seen: "templates in Go, YAML and Terraform",
    ...always,
    ...guarded({ challenge: () => 'Basic realm="zoo"' }),
    docker: (address) => ({
      auths: {
        [address]: { auth: Buffer.from("zoo:keeper").toString("base64"), identitytoken: null },
        "other.example": null,
      },
      credsStore: null,
      credHelpers: null,
    }),
  },
  ...["http://HOST", "https://HOST/v2", "HOST/", "http://HOST/v1/"].map(
    (key): Personality => ({
      name: `config-key ${key}`,
      does: `login under the key ${key}`,
      seen: "containers/image#96, cnab-to-oci#84",
      ...always,
      ...guarded({ challenge: () => 'Basic realm="zoo"' }),
      docker: (address) => ({
        auths: { [key.replace("HOST", address)]: { auth: Buffer.from("zoo:keeper").toString("base64") } },
      }),
    }),
  ),
];

const WEATHER: readonly Personality[] = [
  {
    name: "busy",
    does: "sometimes answers 429 with Retry-After",
    seen: "Docker Hub, GHCR",
    ...always,
    answer: nowAndThen(() => refusal(429, "TOOMANYREQUESTS", { "retry-after": "0" })),
  },
  {
    name: "busy-without-a-time",
    does: "sometimes answers 429 without Retry-After",
    seen: "GitLab",
    ...always,
    answer: nowAndThen(() => refusal(429, "TOOMANYREQUESTS")),
  },
  {
    name: "down-now-and-then",
    does: "sometimes answers 503",
    seen: "rolling updates",
    ...always,
    answer: nowAndThen(
      () => refusal(503),
      ({ method }) => method === "GET" || method === "HEAD",
    ),
  },
  {
    name: "listing-cut",
    does: "interrupts the listing once",
    seen: "load balancers that time out",
    ...always,
    answer: cutAtFirst(({ kind }) => kind === "referrers"),
  },
  {
    name: "blob-cut",
    does: "interrupts a blob once",
    seen: "load balancers that time out",
    ...always,
    answer: cutAtFirst(({ kind, method }) => kind === "blob" && method === "GET"),
  },
  {
    name: "slow",
    does: "answers slowly",
    seen: "far regions",
    ...always,
    answer: async () => {
      await new Promise((done) => setTimeout(done, 20));
      return undefined;
    },
  },
];

const HOSTS: readonly Personality[] = [
  {
    name: "host-upper-case",
    does: "has an upper-case host name, and requires a password",
    seen: "names pasted from a browser or a certificate; RFC 3986 section 3.2.2",
    ...always,
    host: { address: "127.0.0.1", name: "LOCALHOST" },
    ...guarded({ challenge: () => 'Basic realm="zoo"' }),
  },
  {
    name: "host-ipv6",
    does: "has an IPv6 address as host name, and requires a token",
    seen: "IPv6-only clusters",
    ...always,
    host: { address: "::1", name: "[::1]" },
    ...tokens({ token: "sesame" }),
  },
];

/** All registries of the zoo. */
export const PERSONALITIES: readonly Personality[] = [
  ...LISTINGS,
  ...ENTRIES,
  ...MANIFESTS,
  ...UPLOADS,
  ...DELETES,
  ...LOGINS,
  ...WEATHER,
  ...HOSTS,
];
