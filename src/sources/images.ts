import { TsignError } from "../errors.ts";
import { composeImages } from "./compose.ts";
import { dockerfileImages } from "./dockerfile.ts";
import { readDocuments, type SourceDocument } from "./documents.ts";
import { detectDocuments, detectText, type ImageFormat } from "./image-formats.ts";
import { arrayImages, listedImages } from "./image-list.ts";
import { kubernetesImages } from "./kubernetes.ts";
import { kustomizeImages } from "./kustomize.ts";
import { hasDigest, type NamedImage, type SourceImages } from "./named-image.ts";
import { decodeDocument } from "./text.ts";

/** Options for reading the images of a file. */
export interface ImageSourceOptions {
  /** Name of the file in errors. */
  readonly path: string;
  /** Detected by the content if absent. */
  readonly format?: ImageFormat | undefined;
  /** Values of build arguments that have none in a Dockerfile. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Dockerfile: whether only the base image of the last stage, and the frontend, are returned. */
  readonly baseOnly?: boolean;
  /** Dockerfile: whether to leave out a frontend; by default none is. */
  readonly ignoreFrontend?: (image: string) => boolean;
  /** Dockerfile: build and target platform, `os/architecture[/variant]`; by default linux/amd64. */
  readonly platform?: string;
}

/** The images of a file, and what it is. */
export interface ReadImages extends SourceImages {
  readonly format: ImageFormat;
  /** Dockerfile: the frontend image of `# syntax=`, also if it is not among the images. */
  readonly frontend?: string | undefined;
}

/**
 * Reads the images that a file names: a list, Kubernetes manifests (also those that Helm renders), a compose file, a Dockerfile, a
 * kustomization, or an array. A file that could be two of them is refused.
 *
 * @param content the file's bytes, or its text
 * @throws TsignError "input" (with the line) for an unknown format, templates, variables, what the readers of the format refuse,
 *   and for a file without images; "limit" for a file that is too large
 */
export function readImages(content: string | Uint8Array, options: ImageSourceOptions): ReadImages {
  const { path } = options;
  const read = readAs(content, options);
  if (read.images.length > 0) return read;
  const { reason, hint } = read.absence ?? {};
  throw new TsignError("input", `no images found in ${path}${reason === undefined ? "" : `: ${reason}`}`, { hint });
}

function readAs(content: string | Uint8Array, options: ImageSourceOptions): ReadImages {
  const { path } = options;
  const given = options.format ?? detectText(decodeDocument(content, { path, maxBytes: MAX_FILE }));
  if (given === "dockerfile") return fromDockerfile(content, options);
  if (given === "list") return { format: "list", ...listedImages(content, path) };
  const documents = readDocuments(content, path);
  const format = given === "yaml" ? detectDocuments(documents, path) : given;
  if (format === "kubernetes") return { format, ...kubernetesImages(documents) };
  const [document] = documents;
  if (document === undefined) return { format, images: [], notices: [] };
  return { format, ...READERS[format](onlyDocument(document, documents, format)) };
}

const MAX_FILE = 8 * 1024 * 1024;
const READERS = { compose: composeImages, kustomize: kustomizeImages, json: arrayImages };

function onlyDocument(first: SourceDocument, [, second]: readonly SourceDocument[], format: string): SourceDocument {
  if (second === undefined) return first;
  const { lines, root } = second;
  throw new TsignError("input", `${lines.where(root.at)}: expected one document of format ${format}, found several`);
}

function fromDockerfile(content: string | Uint8Array, options: ImageSourceOptions): ReadImages {
  const { named, notices, frontend } = dockerfileImages(content, { ...options, baseOnly: options.baseOnly ?? false });
  return { format: "dockerfile", images: named, notices, frontend };
}

/**
 * Returns a file's text with the tags of its images replaced by digests; everything else is kept, byte for byte. The result is
 * read again, and must name the expected images.
 *
 * @param content the file's bytes or text, from which `read` was read with `options`
 * @param digestOf the digest (`sha256:…`) of an image without one
 * @throws TsignError "input" (with the line) for an image that cannot be replaced
 */
export function pinImages(
  content: string | Uint8Array,
  { read, options, digestOf }: { read: ReadImages; options: ImageSourceOptions; digestOf: (image: string) => string },
): string {
  const { path } = options;
  const text = decodeDocument(content, { path, maxBytes: MAX_FILE });
  const pinned = applyEdits(
    text,
    read.images.filter(({ image }) => !hasDigest(image)),
    { path, digestOf },
  );
  const again = readImages(pinned, { ...options, format: read.format });
  const expected = read.images.map(({ image }) => (hasDigest(image) ? image : withDigest(image, digestOf(image))));
  const [wrong] = read.images.filter((_, index) => again.images[index]?.image !== expected[index]);
  if (wrong ?? again.images.length !== expected.length) throw cannotPin(path, wrong ?? read.images[0], "");
  return pinned;
}

function applyEdits(
  text: string,
  images: readonly NamedImage[],
  { path, digestOf }: { path: string; digestOf: (image: string) => string },
): string {
  const mark = text.startsWith("\uFEFF") ? "\uFEFF" : "";
  const lines = text.slice(mark.length).split("\n");
  const edits = new Map<string, { image: NamedImage; column: number; line: number; length: number; text: string }>();
  for (const image of images) {
    const { edit } = image;
    if (!edit) throw cannotPin(path, image, image.field === "images" ? "" : "the name has a build argument");
    const { line, column, length } = edit;
    edits.set(`${line}:${column}`, { image, line, column, length, text: edit.text(digestOf(image.image)) });
  }
  // From the end of a line to its start, so that columns stay valid.
  for (const { line, column, length, text: replacement } of [...edits.values()].sort((a, b) => b.column - a.column)) {
    const old = lines[line - 1] ?? "";
    lines[line - 1] = old.slice(0, column) + replacement + old.slice(column + length);
  }
  return mark + lines.join("\n");
}

function withDigest(image: string, digest: string): string {
  const colon = image.lastIndexOf(":");
  return `${colon > image.lastIndexOf("/") ? image.slice(0, colon) : image}@${digest}`;
}

function cannotPin(path: string, image: NamedImage | undefined, reason: string): TsignError {
  const where = image ? `${path}:${image.line}` : path;
  const because = reason === "" ? "" : `: ${reason}`;
  return new TsignError("input", `${where}: cannot replace ${image?.image ?? "the images"} by its digest${because}`, {
    hint: "write the digest yourself, or pin the file that this one is made from",
  });
}
