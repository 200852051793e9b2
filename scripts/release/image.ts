import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { digestOf } from "../../src/format/digest.ts";
import { systemFiles } from "../../src/io/files.ts";
import { createLayout, type LayoutStore, openLayout } from "../../src/oci/layout/layout.ts";
import { parseReference } from "../../src/oci/ref.ts";
import type { Descriptor } from "../../src/oci/types.ts";
import { type Entry, gzip, tar } from "./archive.ts";
import type { Component } from "./components.ts";
import { type Documents, type Installation, systemEntries } from "./contents.ts";
import { debianRoot, NONROOT, type Processor } from "./debian-root.ts";
import { DESCRIPTION, HOMEPAGE, PROGRAM } from "./names.ts";

const TSIGN = resolve(import.meta.dirname, "../../bin/main.ts");
const INDEX = "application/vnd.oci.image.index.v1+json";
const MANIFEST = "application/vnd.oci.image.manifest.v1+json";
const CONFIG = "application/vnd.oci.image.config.v1+json";
const LAYER = "application/vnd.oci.image.layer.v1.tar+gzip";

interface Options {
  readonly version: string;
  readonly seconds: number;
  readonly commit: string;
  readonly base: string | undefined;
  readonly currentDebian: boolean;
}

/** Layers below the program's, and their digests when unpacked (OCI image spec, config.md, `rootfs.diff_ids`). */
interface Base {
  readonly layers: readonly Descriptor[];
  readonly diffIds: readonly string[];
  readonly environment: readonly string[];
  /** What they consist of. */
  readonly parts: readonly Component[];
}

/** The images of a release. */
interface Images {
  readonly digests: Readonly<Record<string, string>>;
  /** What they consist of besides the program: Debian's packages, or the base image. */
  readonly parts: readonly Component[];
}

/**
 * Writes the container image into a folder, as an OCI layout with an index of its platforms, and without the policy engine into
 * FOLDER-no-policy. The tags are VERSION and VERSION-no-policy. `tsign load` takes a layout with one image only.
 *
 * @returns the digests by tag, and the parts below the program; undefined when the release has no executable for Linux with glibc
 */
export async function writeImages(
  folder: string,
  made: readonly Installation[],
  docs: Documents,
  options: Options,
): Promise<Images | undefined> {
  const platforms = made.filter(({ platform }) => /^linux-(x64|arm64)$/.test(platform));
  if (platforms.length === 0) return undefined;
  const digests: Record<string, string> = {};
  const below = new Map<string, Component>();
  // Packed once, because that takes most of the time.
  const parts = platforms.map((each) => ({
    processor: processorOf(each),
    below: options.base ?? ownRoot(each, options),
    layers: programLayers(each, docs, options),
  }));
  for (const policy of [true, false]) {
    const suffix = policy ? "" : "-no-policy";
    const tag = `${options.version}${suffix}`;
    const store = await createLayout({ files: systemFiles(process.cwd()) }, `${folder}${suffix}`);
    const manifests: object[] = [];
    for (const { layers, ...part } of parts) {
      const image = await platformImage(store, { ...part, layers: policy ? layers : layers.slice(0, 1) }, options);
      manifests.push(image.entry);
      for (const each of image.parts) below.set(JSON.stringify(each), each);
    }
    const index = { schemaVersion: 2, mediaType: INDEX, manifests, annotations: annotations(options) };
    const descriptor = await store.putManifest(json(index), { mediaType: INDEX });
    await store.commit([{ descriptor, name: { tag } }]);
    digests[tag] = descriptor.digest;
  }
  return { digests, parts: [...below.values()] };
}

/** A layer, and what it consists of. */
interface Root {
  readonly layer: Layer;
  readonly parts: readonly Component[];
}

function ownRoot(made: Installation, options: Options): Root {
  const { entries, parts } = debianRoot({ ...options, processor: processorOf(made) });
  return { layer: packLayer(entries, options.seconds), parts };
}

function processorOf({ platform }: Installation): Processor {
  return platform === "linux-x64" ? "x64" : "arm64";
}

/** The layer with the program, and after it the one with the policy engine if there is one. */
function programLayers(made: Installation, docs: Documents, { seconds }: Options): Layer[] {
  const needed = systemEntries(made, docs).filter(({ path }) => /^usr\/(bin|lib|share\/doc)\//.test(path));
  const parts = [needed.filter((entry) => !isEngine(entry)), needed.filter(isEngine)];
  return parts.filter((entries) => entries.length > 0).map((entries) => packLayer(entries, seconds));
}

/**
 * Stores the image for one platform and returns its entry in the index, and the parts below the program.
 *
 * @param part.below the layer below the program's, or an image in a registry
 */
async function platformImage(
  store: LayoutStore,
  part: { processor: Processor; below: Root | string; layers: readonly Layer[] },
  options: Options,
): Promise<{ entry: object; parts: readonly Component[] }> {
  const architecture = part.processor === "x64" ? "amd64" : "arm64";
  const base =
    typeof part.below === "string" ? await baseFrom(store, part.below, architecture) : await ownBase(store, part.below);
  const added: Awaited<ReturnType<typeof putLayer>>[] = [];
  for (const layer of part.layers) added.push(await putLayer(store, layer));
  const config = {
    architecture,
    os: "linux",
    created: new Date(options.seconds * 1000).toISOString(),
    config: {
      User: `${NONROOT}:${NONROOT}`,
      Env: base.environment,
      Entrypoint: [`/usr/bin/${PROGRAM}`],
      WorkingDir: "/",
      Labels: annotations(options),
    },
    rootfs: { type: "layers", diff_ids: [...base.diffIds, ...added.map(({ diffId }) => diffId)] },
  };
  const stored = { ...(await store.putBlob(json(config))), mediaType: CONFIG };
  const layers = [...base.layers, ...added.map(({ descriptor }) => descriptor)];
  const manifest = { schemaVersion: 2, mediaType: MANIFEST, config: stored, layers, annotations: annotations(options) };
  const descriptor = await store.putManifest(json(manifest), { mediaType: MANIFEST });
  return { entry: { ...descriptor, platform: { os: "linux", architecture } }, parts: base.parts };
}

function isEngine({ path }: Entry): boolean {
  return path.includes("/policy/");
}

function annotations({ version, commit, seconds }: Options): Record<string, string> {
  const named = {
    title: PROGRAM,
    description: DESCRIPTION,
    version,
    revision: commit,
    created: new Date(seconds * 1000).toISOString(),
    source: HOMEPAGE,
    licenses: "Apache-2.0",
  };
  return Object.fromEntries(Object.entries(named).map(([key, value]) => [`org.opencontainers.image.${key}`, value]));
}

async function ownBase(store: LayoutStore, { layer, parts }: Root): Promise<Base> {
  const { descriptor, diffId } = await putLayer(store, layer);
  const environment = ["PATH=/usr/bin", "HOME=/home/nonroot", "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt"];
  return { layers: [descriptor], diffIds: [diffId], environment, parts };
}

/** Copies the layers of an image in a registry, which `tsign save` downloads and checks. */
async function baseFrom(store: LayoutStore, image: string, architecture: string): Promise<Base> {
  const work = mkdtempSync(join(tmpdir(), "tsign-base-"));
  try {
    execFileSync(process.execPath, [TSIGN, "save", "--dir", work, image], { stdio: ["ignore", "ignore", "inherit"] });
    const saved = await openLayout({ files: systemFiles(process.cwd()) }, work);
    const { digest } = await saved.image();
    const top = await saved.manifest(digest);
    const child = top?.manifest.manifests?.find(({ platform }) => {
      return platform?.["os"] === "linux" && platform["architecture"] === architecture;
    });
    const found = child === undefined ? top : await saved.manifest(child.digest);
    if (found?.manifest.config === undefined)
      throw new Error(`make image: ${image} has no image for linux/${architecture}`);
    const bytes = await saved.blob(found.manifest.config, { maxBytes: 1e6 });
    const config = JSON.parse(Buffer.from(bytes).toString("utf8"));
    if (config.architecture !== architecture)
      throw new Error(`make image: ${image} is for ${config.architecture}, want ${architecture}`);
    const layers = found.manifest.layers ?? [];
    for (const layer of layers) {
      await store.putBlob({ digest: layer.digest, size: layer.size, chunks: saved.blobStream(layer) });
    }
    const { name: repository } = parseReference(image);
    const part: Component = {
      name: repository.replace(/^.*\//, ""),
      version: digest,
      kind: "oci",
      repository,
      license: "NOASSERTION",
      texts: [],
    };
    return { layers, diffIds: config.rootfs.diff_ids, environment: config.config?.Env ?? [], parts: [part] };
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** A compressed layer, and the digest of the layer when unpacked. */
interface Layer {
  readonly packed: Buffer;
  readonly diffId: string;
}

/** Packs files as a layer. The folders above them are entries too, because runtimes differ in the modes they give them. */
function packLayer(entries: readonly Entry[], seconds: number): Layer {
  const folders = new Set<string>();
  for (const { path } of entries) {
    for (let at = path.indexOf("/"); at >= 0 && at < path.length - 1; at = path.indexOf("/", at + 1))
      folders.add(path.slice(0, at + 1));
  }
  for (const { path } of entries) folders.delete(path);
  const above = [...folders].map((path) => ({ path, content: Buffer.alloc(0), mode: 0o755 }));
  const unpacked = tar([...above, ...entries], seconds);
  return { packed: gzip(unpacked), diffId: digestOf(unpacked) };
}

async function putLayer(store: LayoutStore, { packed, diffId }: Layer) {
  return { descriptor: { ...(await store.putBlob(packed)), mediaType: LAYER }, diffId };
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value, null, 2));
}
