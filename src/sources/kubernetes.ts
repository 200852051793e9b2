import { TsignError } from "../errors.ts";
import { type DocumentLines, readDocuments, type SourceDocument } from "./documents.ts";
import { imageText, type NamedImage, referenceEdit, type SourceImages, unexpandedTemplate } from "./named-image.ts";
import type { YamlMapping, YamlNode } from "./yaml-parts.ts";

/** Field names in lower case: Go's decoder ignores case. */
const CONTAINERS = ["initcontainers", "containers", "ephemeralcontainers"];

/**
 * Finds the images in a stream of Kubernetes manifests, YAML or JSON, as `kubernetesImages` does.
 *
 * @param content the stream's bytes, or its text
 * @param path name of the stream in errors
 * @returns references in the order of the stream, without duplicates
 * @throws TsignError what `readDocuments` and `kubernetesImages` throw, and "input" for manifests without images
 */
export function manifestImages(content: string | Uint8Array, path: string): string[] {
  const { images } = kubernetesImages(readDocuments(content, path));
  if (images.length === 0) throw new TsignError("input", `no images found in ${path}`);
  return [...new Set(images.map(({ image }) => image))];
}

/**
 * Finds the images of Kubernetes manifests: those of containers, init and ephemeral containers, and image volumes at any depth,
 * so that lists and pod templates of custom resources are included.
 *
 * @returns also notices that name the values of other `image` fields, which custom resources may have
 * @throws TsignError "input" (with the line) for an image that is not a string, and for templates and variables
 */
export function kubernetesImages(documents: readonly SourceDocument[]): SourceImages {
  const finder = new Finder();
  for (const { root, lines } of documents) finder.visit(root, lines);
  const notices = finder.notices();
  const hint = "name the images of custom resources in a list, one a line";
  return { images: finder.images, notices, absence: notices.length === 0 ? undefined : { hint } };
}

/** Walks documents; visits a node with several aliases once. */
class Finder {
  readonly images: NamedImage[] = [];
  readonly #visited = new Set<YamlNode>();
  readonly #found = new Set<YamlNode>();
  readonly #others: { node: YamlNode; text: string; where: string }[] = [];

  visit(node: YamlNode, lines: DocumentLines): void {
    if (node.kind === "scalar") {
      // A template on a line of its own continues the value above it; what it would render is unknown.
      if (node.plain && node.folded && node.value.includes("{{")) {
        throw unexpandedTemplate(node.value, lines.where(node.at));
      }
      return;
    }
    if (this.#visited.has(node)) return;
    this.#visited.add(node);
    if (node.kind === "sequence") for (const item of node.items) this.visit(item, lines);
    if (node.kind !== "mapping") return;
    for (const name of CONTAINERS) {
      for (const item of this.#listed(node, name, lines)) {
        for (const image of fields(item, "image")) this.#add(image, name, lines);
      }
    }
    for (const item of this.#listed(node, "volumes", lines)) {
      for (const image of fields(item, "image")) {
        if (image.kind !== "mapping") continue;
        for (const reference of fields(image, "reference")) this.#add(reference, "volumes", lines);
      }
    }
    for (const other of node.pairs.get("image") ? fields(node, "image") : []) this.#noteOther(other, lines);
    for (const each of node.pairs.values()) this.visit(each, lines);
    for (const each of node.merged) this.visit(each, lines);
  }

  /** What custom resources call an image, outside of lists of containers. */
  notices(): string[] {
    return this.#others
      .filter(({ node }) => !this.#found.has(node))
      .map(({ text, where }) => `WARNING: ${where}: ${text} is not the image of a container; it is not verified`);
  }

  #noteOther(node: YamlNode, lines: DocumentLines): void {
    if (
      node.kind !== "scalar" ||
      node.value === "" ||
      !/^[\w.-]+(?::\d+)?(?:\/[\w./-]+)?(?::[\w.-]+)?(?:@\S+)?$/.test(node.value)
    )
      return;
    this.#others.push({ node, text: node.value, where: lines.where(node.at) });
  }

  /** The mappings in lists with this name. */
  #listed(node: YamlMapping, name: string, lines: DocumentLines): YamlMapping[] {
    return fields(node, name).flatMap((list) => {
      if (list.kind === "scalar" && list.value.includes("{{"))
        throw unexpandedTemplate(list.value, lines.where(list.at));
      return list.kind === "sequence" ? list.items.filter((item) => item.kind === "mapping") : [];
    });
  }

  /** Adds an image; an empty one is ignored, because it is set elsewhere. */
  #add(image: YamlNode, container: string, lines: DocumentLines): void {
    if (this.#found.has(image)) return;
    const where = lines.where(image.at);
    const field = `image under ${container}`;
    if (image.kind !== "scalar") throw new TsignError("input", `${where}: ${field} is not a string`);
    const text = imageText(image, where, field);
    if (text === undefined) return;
    this.#found.add(image);
    const place = lines.place(image);
    this.images.push({ image: text, line: place.line, field, edit: referenceEdit(text, place) });
  }
}

/** The values of keys that Go's decoder matches with a field: in any case, and with letters that fold to ASCII. */
function fields(node: YamlMapping, name: string): YamlNode[] {
  const values: YamlNode[] = [];
  for (const pairs of [node.pairs, node.inherited]) {
    for (const [key, value] of pairs) if (folded(key) === name) values.push(value);
  }
  return values;
}

/** Folds case like Go's strings.EqualFold: the long s is an s, the Kelvin sign a k. */
export function folded(key: string): string {
  return key.replaceAll("\u017F", "s").toLowerCase();
}
