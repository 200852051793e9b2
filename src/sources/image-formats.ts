import { TsignError } from "../errors.ts";
import type { SourceDocument } from "./documents.ts";
import { listedOn } from "./image-list.ts";
import { folded } from "./kubernetes.ts";
import { field, hasScalar, itemsOf } from "./yaml-fields.ts";
import type { YamlMapping, YamlNode } from "./yaml-parts.ts";

/** The formats of files that name images. `json` is an array of references. */
const IMAGE_FORMATS = ["list", "kubernetes", "compose", "dockerfile", "kustomize", "json"] as const;
export type ImageFormat = (typeof IMAGE_FORMATS)[number];

/** Characters that begin a line of YAML or JSON, and no image reference. */
const YAML_START = /^(?:[-?{[\]}"'|>%@&*!`]|\.\.\.)/;
const IMAGE_KEYS = ["name", "newName", "newTag", "digest", "tagSuffix"];

/**
 * Detects the format of a text by its first line that is neither empty nor a comment. A reference contains no white space, an
 * instruction of a Dockerfile does, and a line of YAML begins with a mark or has a colon at the end or before a space.
 */
export function detectText(text: string): "dockerfile" | "list" | "yaml" {
  for (const line of text.replace(/^\uFEFF/, "").split("\n")) {
    const found = listedOn(line);
    if (found === "") continue;
    if (/^(?:FROM|ARG)(?:[ \t]|\\$)/i.test(found)) return "dockerfile";
    return /[ \t]/.test(found) || found.endsWith(":") || YAML_START.test(found) ? "yaml" : "list";
  }
  return "yaml";
}

/**
 * Detects the format of documents by their fields.
 *
 * @throws TsignError "input" (with the line) for documents of no known format, of two formats, and of different ones
 */
export function detectDocuments(
  documents: readonly SourceDocument[],
  path: string,
): Exclude<ImageFormat, "dockerfile" | "list"> {
  let format: Exclude<ImageFormat, "dockerfile" | "list"> | undefined;
  for (const { root, lines } of documents) {
    const where = lines.where(root.at);
    const found = formatsOf(root);
    const [one, other] = found;
    if (one === undefined) {
      throw new TsignError("input", `${where}: unknown format`, {
        hint: "pass --from-format; for a Helm chart, verify the output of `helm template`",
      });
    }
    if (other !== undefined) throw ambiguous(`${where}: could be ${found.join(" or ")}`);
    if (format !== undefined && one !== format)
      throw ambiguous(`${where}: format ${one} after a document of format ${format}`);
    format = one;
  }
  if (format === undefined) throw new TsignError("input", `no images found in ${path}`);
  return format;
}

function ambiguous(message: string): TsignError {
  return new TsignError("input", message, { hint: "pass --from-format" });
}

function formatsOf(root: YamlNode): Exclude<ImageFormat, "dockerfile" | "list">[] {
  if (root.kind === "scalar") return [];
  if (root.kind === "sequence") {
    if (root.items.every((item) => item.kind === "scalar")) return ["json"];
    return root.items.every((item) => item.kind === "mapping" && isObject(item)) ? ["kubernetes"] : [];
  }
  if (isKustomization(root)) return isCompose(root) ? ["kustomize", "compose"] : ["kustomize"];
  if (isObject(root)) return ["kubernetes"];
  return isCompose(root) ? ["compose"] : [];
}

/** Whether a mapping is a Kubernetes object. */
function isObject(node: YamlMapping): boolean {
  const keys = [...node.pairs]
    .filter(([, value]) => value.kind === "scalar" && value.value !== "")
    .map(([key]) => folded(key));
  return keys.includes("apiversion") && keys.includes("kind");
}

function isCompose(node: YamlMapping): boolean {
  return field(node, "services")?.kind === "mapping" && !hasScalar(node, "kind") && !hasScalar(node, "apiVersion");
}

/** Both fields may be absent from a kustomization. Flux has a kind of the same name, in another group. */
function isKustomization(node: YamlMapping): boolean {
  const [version, kind] = [field(node, "apiVersion"), field(node, "kind")];
  const isVersion = version?.kind === "scalar" && version.value.startsWith("kustomize.config.k8s.io/");
  if (version !== undefined) return isVersion;
  if (kind !== undefined) return kind.kind === "scalar" && ["Kustomization", "Component"].includes(kind.value);
  const list = field(node, "images");
  const items = itemsOf(list);
  return (
    list?.kind === "sequence" &&
    items.length > 0 &&
    items.length === list.items.length &&
    items.every((item) => [...item.pairs.keys()].every((key) => IMAGE_KEYS.includes(key)))
  );
}
