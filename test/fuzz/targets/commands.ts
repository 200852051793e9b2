import fc from "fast-check";
import { TsignError } from "../../../src/errors.ts";
import { digestOf } from "../../../src/format/digest.ts";
import type { Files, HttpRequest, HttpResponse } from "../../../src/io/io.ts";
import { attachmentTag, fallbackTag } from "../../../src/oci/tags.ts";
import { run } from "../../support/test-io.ts";
import type { Setting } from "../judge.ts";
import { changes, mutate } from "../mutate.ts";
import { Finding, type Outcome, type Target } from "../target.ts";
import { bytesOf, readTree } from "../tree.ts";
import type { World } from "../world.ts";

/** Runs whole commands in this process and checks their output, exit codes and registry requests. */

interface CommandSetting {
  readonly keys: Setting["keys"];
  readonly trustedRoot: string;
  readonly issuer: string;
  readonly blob: string;
  readonly now: string;
  readonly image: string;
}

export const settingOf = ({ setting, manifests }: World): CommandSetting => ({
  keys: setting.keys,
  trustedRoot: setting.trustedRoot,
  issuer: setting.issuer,
  blob: setting.blobs.A,
  now: setting.now,
  image: Buffer.from(manifests.find(({ name }) => name === "image")?.bytes ?? "").toString(),
});

/** Files in memory, which can be written. */
function memoryFiles(content: Readonly<Record<string, Uint8Array | string>>): Files {
  const files = new Map(Object.entries(content).map(([name, data]) => [name, Buffer.from(data)]));
  const missing = (path: string) => new TsignError("input", `read ${path}: no such file`);
  const get = (path: string) => files.get(path.replace(/^.*\//, ""));
  const files_: Partial<Files> = {
    async read(path, { maxBytes }) {
      const data = get(path);
      if (!data) throw missing(path);
      if (data.length > maxBytes) throw new TsignError("limit", `read ${path}: larger than ${maxBytes} bytes`);
      return data;
    },
    async *chunks(path) {
      const data = get(path);
      if (!data) throw missing(path);
      yield data;
    },
    async stat(path) {
      const data = get(path);
      return data && { kind: "file", size: data.length, identity: path };
    },
    list: async () => [],
    write: async () => {},
    makeDirectory: async () => {},
    remove: async () => {},
  };
  return files_ as Files;
}

type Run = Awaited<ReturnType<typeof run>>;

/** Checks the promises that hold for every run. @returns whether the command succeeded */
function requireTidy({ code, stdout, stderr }: Run, argv: readonly string[]): boolean {
  const command = argv.slice(0, 2).join(" ");
  if (/defect of tsign|\n {4}at /.test(stderr)) throw new Finding(`${command}: ${stderr}`);
  const control = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/.exec(stderr);
  if (control) throw new Finding(`${command} prints U+${control[0].charCodeAt(0).toString(16)} to stderr`);
  if (code !== 0 && /^Verified OK|^Verification for/m.test(stderr))
    throw new Finding(`${command} fails but prints Verified`);
  if (code !== 0 && !/^Error: ./m.test(stderr)) throw new Finding(`${command} fails without an error message`);
  if (code !== 0 && argv[0]?.startsWith("verify") && stdout !== "")
    throw new Finding(`${command} fails but prints to stdout`);
  return code === 0;
}

const BLOB_COMMANDS: readonly (readonly string[])[] = [
  ["verify-blob", "--key", "K.pub", "--trusted-root", "root", "--bundle", "document", "blob"],
  ["bundle", "inspect", "document"],
  ["bundle", "upgrade", "document"],
  ["verify-blob-attestation", "--key", "K.pub", "--trusted-root", "root", "--bundle", "document", "blob"],
  ["verify-blob", "--key", "M.pub", "--trusted-root", "root", "--bundle", "document", "blob"],
];

/** Gives bundles in a file to the commands that read one. None of them is signed with the key M. */
const FILES: Target = {
  name: "file-commands",
  reaches: "yes",
  inputs(world) {
    const trees = world.documents
      .filter(({ form, name }) => form.endsWith("bundle") && !name.endsWith("M"))
      .map(({ bytes }) => readTree(bytes));
    const setting = settingOf(world);
    return fc
      .record({ base: fc.nat(trees.length - 1), list: changes(3), command: fc.nat(BLOB_COMMANDS.length - 1) })
      .map(({ base, list, command }) => ({
        form: String(command),
        document: bytesOf(mutate(trees[base] as (typeof trees)[number], list, trees)),
        setting,
      }));
  },
  async judge({ form, document, setting }) {
    const { keys, trustedRoot, blob, now } = setting as CommandSetting;
    const files = memoryFiles({
      document,
      blob: Buffer.from(blob, "base64"),
      root: trustedRoot,
      "K.pub": keys.K,
      "M.pub": keys.M,
    });
    const argv = [...(BLOB_COMMANDS[Number(form)] ?? [])];
    const yes = requireTidy(await run(argv, { io: { files, now: () => new Date(now) } }), argv);
    if (yes && argv.includes("M.pub")) throw new Finding("a yes for the key M, which signed nothing");
    return yes ? "yes" : "refused";
  },
};

export const IMAGE_COMMANDS: readonly (readonly string[])[] = [
  ["verify", "--key", "K.pub", "--trusted-root", "root"],
  ["verify-attestation", "--key", "K.pub", "--trusted-root", "root", "--type", "https://example.com/predicate/v1"],
  ["tree"],
  ["tree", "--signers"],
  ["download", "signature"],
  ["download", "attestation"],
  ["verify", "--key", "M.pub", "--trusted-root", "root"],
  ["verify", "--certificate-identity", "alice@example.com", "--trusted-root", "root", "--certificate-oidc-issuer"],
  [
    ...["verify-attestation", "--type", "https://example.com/predicate/v1", "--trusted-root", "root"],
    ...["--certificate-identity", "alice@example.com", "--certificate-oidc-issuer"],
  ],
];

/** The attachments of an image in a registry, as one document; digests and sizes are computed when it is served. */
interface Stored {
  readonly sig?: { readonly manifest?: unknown; readonly blob?: unknown };
  readonly att?: { readonly manifest?: unknown; readonly blob?: unknown };
  readonly referrers?: readonly { readonly manifest?: unknown; readonly blob?: unknown; readonly listed?: unknown }[];
}

export const REGISTRY: Target = {
  name: "registry-commands",
  reaches: "yes",
  inputs(world) {
    const trees = world.repositories
      .filter(({ artifact, signer }) => artifact === "A" && signer !== "M")
      .map(({ stored }) => readTree(Buffer.from(JSON.stringify(stored))));
    const setting = settingOf(world);
    return fc
      .record({ base: fc.nat(trees.length - 1), list: changes(3), command: fc.nat(IMAGE_COMMANDS.length - 1) })
      .map(({ base, list, command }) => ({
        form: String(command),
        document: bytesOf(mutate(trees[base] as (typeof trees)[number], list, trees)),
        setting,
      }));
  },
  async judge({ form, document, setting }): Promise<Outcome> {
    const { keys, trustedRoot, now, image, issuer } = setting as CommandSetting;
    const digest = digestOf(Buffer.from(image));
    const command = IMAGE_COMMANDS[Number(form)] ?? [];
    const argv = [
      ...command,
      ...(command.at(-1)?.endsWith("issuer") ? [issuer] : []),
      `registry.example/app@${digest}`,
    ];
    const files = memoryFiles({ root: trustedRoot, "K.pub": keys.K, "M.pub": keys.M });
    const http = registryOf(document, Buffer.from(image));
    const result = await run(argv, { io: { files, http, now: () => new Date(now), sleep } });
    const yes = requireTidy(result, argv);
    if (yes && argv.includes("M.pub")) throw new Finding("a yes for the key M, which signed nothing");
    if (yes && argv[0] === "verify") requireAbout(result.stdout, digest);
    return yes ? "yes" : "refused";
  },
};

/** Pauses take no time, and commands never time out. */
const sleep = (milliseconds: number): Promise<void> =>
  milliseconds < 20_000 ? Promise.resolve() : new Promise(() => {});

/** Checks that the printed payload names the requested image. */
function requireAbout(stdout: string, digest: string): void {
  for (const line of stdout.split("\n").filter((each) => each.startsWith("["))) {
    for (const { critical } of JSON.parse(line)) {
      const named = critical?.image?.["docker-manifest-digest"];
      if (named !== digest) throw new Finding(`the printed payload is about ${named}`);
    }
  }
}

/** A registry with the image and the document's attachments. */
function registryOf(document: Uint8Array, image: Buffer): (request: HttpRequest) => Promise<HttpResponse> {
  const stored = parsed(document);
  const subject = digestOf(image);
  const manifests = new Map<string, Buffer>([[subject, image]]);
  const blobs = new Map<string, Buffer>();
  const place = (each: { manifest?: unknown; blob?: unknown } | undefined): Buffer | undefined => {
    if (typeof each !== "object" || each === null) return undefined;
    const blob = Buffer.from(String(typeof each.blob === "string" ? each.blob : JSON.stringify(each.blob ?? "")));
    const digest = digestOf(blob);
    blobs.set(digest, blob);
    const manifest = withLayer(each.manifest, { digest, size: blob.length });
    const bytes = Buffer.from(JSON.stringify(manifest) ?? "null");
    manifests.set(digestOf(bytes), bytes);
    return bytes;
  };
  for (const kind of ["sig", "att"] as const) {
    const bytes = place(stored[kind]);
    if (bytes) manifests.set(attachmentTag(subject, kind), bytes);
  }
  const referrers = Array.isArray(stored.referrers) ? stored.referrers : [];
  const list = referrers.flatMap((each) => {
    const bytes = place(each);
    const listed = typeof each?.listed === "object" ? each.listed : {};
    return bytes ? [{ digest: digestOf(bytes), size: bytes.length, ...listed }] : [];
  });
  const index = { schemaVersion: 2, mediaType: "application/vnd.oci.image.index.v1+json", manifests: list };
  manifests.set(fallbackTag(subject), Buffer.from(JSON.stringify(index)));
  return async ({ url, method, headers }) => {
    // A legacy signature without a log entry is looked up in the log, which is unreachable here.
    if (url.host === "rekor.sigstore.dev") throw new TsignError("network", `connect to ${url.origin}`);
    if (headers["authorization"] !== undefined) throw new Finding("credentials were sent, but none are configured");
    if (url.host !== "registry.example") throw new Finding(`request to ${url.host}`);
    const [, kind = "", name = ""] = /\/(manifests|blobs|referrers)\/(.+)$/.exec(url.pathname) ?? [];
    const found = kind === "blobs" ? blobs.get(name) : kind === "manifests" ? manifests.get(name) : undefined;
    if (kind === "referrers") return reply(200, Buffer.from(JSON.stringify(index)), index.mediaType);
    if (method !== "GET" && method !== "HEAD") return reply(405, Buffer.from("{}"), "application/json");
    if (!found) return reply(404, Buffer.from('{"errors":[{"code":"MANIFEST_UNKNOWN"}]}'), "application/json");
    return reply(200, found, mediaTypeOf(found), method === "HEAD");
  };
}

function reply(status: number, bytes: Buffer, type: string, head = false): HttpResponse {
  const headers = { "content-type": type, "content-length": String(bytes.length) };
  const digest = status === 200 ? { "docker-content-digest": digestOf(bytes) } : {};
  const body = (async function* () {
    if (!head) yield bytes;
  })();
  return { status, headers: { ...headers, ...digest }, body, discard: () => {} };
}

function mediaTypeOf(bytes: Buffer): string {
  const type = (parsed(bytes) as { mediaType?: unknown }).mediaType;
  return typeof type === "string" && /^[\x21-\x7e]+$/.test(type) ? type : "application/octet-stream";
}

function parsed(bytes: Uint8Array): Stored {
  try {
    const value = JSON.parse(Buffer.from(bytes).toString());
    return typeof value === "object" && value !== null ? value : {};
  } catch {
    return {};
  }
}

/** Returns the manifest with the blob as its first layer. */
function withLayer(manifest: unknown, blob: { digest: string; size: number }): unknown {
  const layers = (manifest as { layers?: unknown } | undefined)?.layers;
  if (!Array.isArray(layers) || typeof layers[0] !== "object") return manifest;
  return { ...(manifest as object), layers: [{ ...layers[0], ...blob }, ...layers.slice(1)] };
}

export const COMMAND_TARGETS: readonly Target[] = [FILES, REGISTRY];
