import { TsignError } from "../errors.ts";
import type { DocumentLines, SourceDocument } from "./documents.ts";
import { type Edit, imageText, type NamedImage, type SourceImages } from "./named-image.ts";
import { field, unknownKey } from "./yaml-fields.ts";
import type { YamlMapping, YamlNode } from "./yaml-parts.ts";

/** The fields of a kustomization (kustomize, api/types/kustomization.go) and of its metadata. `imageTags` is obsolete. */
const FIELDS = (
  "apiVersion kind metadata openapi namePrefix nameSuffix namespace commonLabels labels commonAnnotations " +
  "patchesStrategicMerge patchesJson6902 patches images replacements replicas vars sortOptions resources components crds " +
  "bases configMapGenerator secretGenerator helmGlobals helmCharts helmChartInflationGenerator generatorOptions " +
  "configurations generators transformers validators buildMetadata"
).split(" ");
/** Fields that name further images, in other files. */
const RESOURCES = ["resources", "bases", "components", "helmCharts", "patches", "generators", "transformers"];

/**
 * Finds the images that the `images` of a kustomization set (kustomize, api/types/image.go): the name or `newName`, and `digest` or
 * `newTag`. The resources that it changes are not read, and a notice names their fields.
 *
 * @throws TsignError "input" (with the line) for an entry without `newTag` and `digest`, whose tag is in the resources, and for
 *   one with `tagSuffix`
 */
export function kustomizeImages({ root, lines }: SourceDocument): SourceImages {
  const reader = new Reader(lines);
  const unknown = root.kind === "mapping" ? unknownKey(root, (key) => FIELDS.includes(key)) : undefined;
  if (unknown) {
    throw new TsignError("input", `${lines.where(unknown[1].at)}: a kustomization has no field ${unknown[0]}`);
  }
  const list = root.kind === "mapping" ? field(root, "images") : undefined;
  if (list && list.kind !== "sequence") throw new TsignError("input", `${lines.where(list.at)}: images is not a list`);
  const images = (list?.items ?? []).map((item) => reader.entry(item));
  const others = root.kind === "mapping" ? RESOURCES.filter((name) => field(root, name) !== undefined) : [];
  const notices =
    others.length === 0
      ? []
      : [
          `WARNING: ${lines.path}: other images in its ${others.join(", ")} are not verified; verify the output of \`kustomize build\``,
        ];
  const absence = others.length === 0 ? undefined : { hint: "verify the output of `kustomize build`" };
  return { images, notices, absence };
}

class Reader {
  readonly #lines: DocumentLines;

  constructor(lines: DocumentLines) {
    this.#lines = lines;
  }

  entry(node: YamlNode): NamedImage {
    if (node.kind !== "mapping") this.#refuse(node, "images contains an entry that is not a mapping");
    if (this.#text(node, "tagSuffix") !== undefined) this.#refuse(node, "tagSuffix is not supported");
    const name = this.#text(node, "name") ?? this.#refuse(node, "entry of images has no name");
    const repository = this.#text(node, "newName") ?? name;
    const tag = this.#text(node, "newTag");
    const digest = this.#text(node, "digest");
    if (tag !== undefined && !/^\w[\w.-]{0,127}$/.test(tag)) this.#refuse(node, `newTag ${tag} is not a valid tag`);
    if (digest === undefined && tag === undefined) {
      throw new TsignError("input", `${this.#lines.where(node.at)}: the tag of ${repository} is in the resources`, {
        hint: "verify the output of `kustomize build`, or set newTag or digest",
      });
    }
    return {
      image: digest === undefined ? `${repository}:${tag}` : `${repository}@${digest}`,
      line: this.#lines.line(node.at),
      field: "images",
      edit: digest === undefined ? this.#edit(node) : undefined,
    };
  }

  /** Replaces `newTag: TAG` by `digest: DIGEST`, where both are on one line. */
  #edit(node: YamlMapping): Edit | undefined {
    const value = node.pairs.get("newTag");
    if (value?.kind !== "scalar") return undefined;
    const { line, column, length } = this.#lines.place(value);
    const before = this.#lines.text(line).slice(0, column);
    const [written, , quote = ""] = /(["']?)newTag\1[ \t]*:[ \t]*(["']?)$/.exec(before) ?? [];
    if (written === undefined || (quote === "") !== value.plain) return undefined;
    return {
      line,
      column: column - written.length,
      length: written.length + length + quote.length,
      text: (digest) => `${written.replace("newTag", "digest")}${digest}${quote}`,
    };
  }

  #text(node: YamlMapping, key: string): string | undefined {
    const value = field(node, key);
    if (value === undefined) return undefined;
    if (value.kind !== "scalar") this.#refuse(value, `${key} is not a string`);
    return imageText(value, this.#lines.where(value.at), key);
  }

  #refuse(node: YamlNode, reason: string): never {
    throw new TsignError("input", `${this.#lines.where(node.at)}: ${reason}`);
  }
}
