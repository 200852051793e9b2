import type { TransparencyLogEntry } from "@sigstore/bundle";
import { TsignError } from "../../errors.ts";
import { readBundle } from "../../evidence/bundle/read.ts";
import { findEvidence } from "../../evidence/find/find.ts";
import type { Evidence } from "../../evidence/model.ts";
import { openAttachmentStore, openImage, withChildren } from "../../images/open.ts";
import type { Io } from "../../io/io.ts";
import { readBlob } from "../../net/input.ts";
import { Connections, openRegistry, PLAIN_REGISTRY, type RegistryOptions } from "../../oci/open.ts";
import { parseReference, parseRepository } from "../../oci/ref.ts";

/** Bytes of a payload or bundle. */
const MAX_BYTES = 16 * 1024 * 1024;
const WORKERS = 4;
const ATTACHMENT = /^sha256-([0-9a-f]{64})(?:\.(?:sig|att|sbom))?$/;

/** A log entry that is stored with a signature of ours. */
export interface StoredEntry {
  readonly where: string;
  readonly entry: TransparencyLogEntry;
  /** The signature's certificate, DER. */
  readonly certificate: Uint8Array | undefined;
}

/** A place that could not be read completely: what is stored there is not known. */
export interface Unread {
  readonly where: string;
  readonly reason: string;
}

/** Where our signatures are. */
export interface Places {
  /** `registry/repository`, for all its tags and signed digests, or images. */
  readonly images: readonly string[];
  /** Sigstore bundles: files, URLs, or folders with files named `*.json`. */
  readonly bundles: readonly string[];
}

/** The log entries of all signatures and attestations in these places. A place that cannot be read is returned instead. */
export async function* storedEntries(io: Io, places: Places): AsyncGenerator<StoredEntry | Unread, void, undefined> {
  const registry = { ...PLAIN_REGISTRY, connections: new Connections() };
  for (const text of places.images) {
    try {
      for (const reference of await imagesOf(io, text, registry)) yield* entriesOf(io, reference, registry);
    } catch (error) {
      yield unread(error, { io, where: text });
    }
  }
  for (const path of places.bundles) {
    try {
      for (const file of await filesOf(io, path)) {
        const evidence = readBundle(await readBlob(io, file), { kind: "file", where: file });
        yield* entriesIn(evidence, file);
      }
    } catch (error) {
      yield unread(error, { io, where: path });
    }
  }
}

function unread(error: unknown, { io, where }: { io: Pick<Io, "signal">; where: string }): Unread {
  if (!(error instanceof TsignError) || error.code === "internal" || io.signal.aborted) throw error;
  return { where, reason: error.message };
}

/** The image that a reference names; for a repository the images of its tags, and those to which signatures are attached by tag. */
async function imagesOf(io: Io, text: string, registry: RegistryOptions): Promise<string[]> {
  if (/[:@]/.test(text.slice(text.lastIndexOf("/") + 1))) return [text];
  const repository = parseRepository(text);
  const tags = await (await openRegistry(io, repository, registry)).tags();
  const found = tags.map((tag) => {
    const [, hex] = ATTACHMENT.exec(tag) ?? [];
    return hex === undefined ? `${text}:${tag}` : `${text}@sha256:${hex}`;
  });
  return [...new Set(found)];
}

function entriesIn({ log, key }: Evidence, where: string): StoredEntry[] {
  return log.map((entry) => ({ where, entry, certificate: key.kind === "certificate" ? key.leaf : undefined }));
}

async function* entriesOf(io: Io, reference: string, registry: RegistryOptions): AsyncGenerator<StoredEntry | Unread> {
  const isSubject = parseReference(reference).digest !== undefined; // the image may be gone, its signatures are there
  const named = await openImage(io, reference, { registry, mustExist: !isSubject });
  const store = await openAttachmentStore(io, named, registry);
  for (const { ref, digest } of isSubject ? [named] : await withChildren(named)) {
    const common = { subject: digest, tagPrefix: "", maxBytes: MAX_BYTES, workers: WORKERS };
    const searches = [
      { ...common, attachment: "sig", forms: { legacy: true, bundle: true } },
      { ...common, attachment: "att", forms: { legacy: true, bundle: false } },
    ] as const;
    for (const search of searches) {
      for await (const found of findEvidence(store, search)) {
        if ("incomplete" in found) yield { where: found.origin.where, reason: found.incomplete.message };
        if (!("log" in found)) continue;
        yield* entriesIn(found, `${ref.name}@${digest}`);
      }
    }
  }
}

async function filesOf(io: Io, path: string): Promise<string[]> {
  const isFolder = !path.includes("://") && (await io.files.stat(path))?.kind === "directory";
  if (!isFolder) return [path];
  return (await io.files.list(path)).filter((name) => name.endsWith(".json")).map((name) => `${path}/${name}`);
}
