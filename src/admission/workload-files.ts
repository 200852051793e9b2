import { TsignError } from "../errors.ts";
import { isObject } from "../format/json.ts";
import { printable } from "../format/printable.ts";
import { readDocuments } from "../sources/documents.ts";
import type { YamlNode } from "../sources/yaml-parts.ts";
import { isKindOf, type Workloads } from "./workload-paths.ts";
import { kindName, questionOf } from "./workloads.ts";

/**
 * Reads the custom resources of a file of manifests as a service reads them.
 *
 * @param content the file's bytes
 * @param path name of the file in errors
 * @param workloads where custom resources have their images
 * @returns warnings about those that name no images there
 * @throws TsignError "input" (with the line) for one that a service refuses because it cannot be read
 */
export function checkWorkloads(content: Uint8Array, path: string, workloads: Workloads): string[] {
  const warnings: string[] = [];
  if (workloads.size === 0) return warnings;
  for (const { root, lines } of readDocuments(content, path)) {
    for (const node of objectsOf(root)) {
      const object = contentOf(node, new Map());
      const kind = kindOf(object);
      const [resource, paths = []] = [...workloads].find(([key]) => isKindOf(kind, key)) ?? [];
      if (resource === undefined || !isObject(object)) continue;
      const question = questionOf(
        {
          ...{ uid: "", operation: "CREATE", kind, resource, subResource: "", namespace: "", name: "", user: "" },
          ...{ dryRun: true, object, oldObject: undefined },
        },
        workloads,
      );
      const where = `${lines.where(node.at)}: ${printable(kindName(kind))}`;
      if (question.kind === "unreadable") {
        throw new TsignError("input", `${where}: ${question.faults.map(printable).join("; ")}`);
      }
      if (question.kind === "images") continue;
      warnings.push(`${where} names no images at ${paths.map(({ pointer }) => pointer).join(" or ")}`);
    }
  }
  return warnings;
}

/** The objects of a document: itself, or the items of a list. */
function objectsOf(root: YamlNode): readonly YamlNode[] {
  if (root.kind === "sequence") return root.items.flatMap(objectsOf);
  if (root.kind !== "mapping") return [];
  const items = root.pairs.get("items");
  return items?.kind === "sequence" ? [root, ...items.items] : [root];
}

/** `group/Kind`; "" for what is not an object. */
function kindOf(object: unknown): string {
  if (!isObject(object)) return "";
  const { apiVersion, kind } = object;
  if (typeof apiVersion !== "string" || typeof kind !== "string") return "";
  return `${apiVersion.includes("/") ? apiVersion.slice(0, apiVersion.indexOf("/")) : ""}/${kind}`;
}

/** A node as JSON has it; scalars but null stay texts. @param known values of nodes, which may have several aliases */
function contentOf(node: YamlNode, known: Map<YamlNode, unknown>): unknown {
  if (node.kind === "scalar") {
    return node.plain && node.tag === undefined && /^(?:|~|null|Null|NULL)$/.test(node.value) ? null : node.value;
  }
  if (known.has(node)) return known.get(node);
  if (node.kind === "sequence") {
    const items: unknown[] = [];
    known.set(node, items);
    for (const item of node.items) items.push(contentOf(item, known));
    return items;
  }
  const object: Record<string, unknown> = Object.create(null);
  known.set(node, object);
  for (const pairs of [node.inherited, node.pairs]) {
    for (const [key, each] of pairs) object[key] = contentOf(each, known);
  }
  return object;
}
