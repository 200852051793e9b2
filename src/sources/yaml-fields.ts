import type { YamlMapping, YamlNode } from "./yaml-parts.ts";

/** The value of a key, which `<<` may bring in. */
export function field(node: YamlMapping, key: string): YamlNode | undefined {
  return node.pairs.get(key) ?? node.inherited.get(key);
}

/** The pairs of a mapping, with those that `<<` brings in. */
export function* pairsOf(node: YamlMapping): Iterable<[key: string, value: YamlNode]> {
  yield* node.inherited;
  yield* node.pairs;
}

/** The items of a list that are mappings; none for what is not a list. */
export function itemsOf(node: YamlNode | undefined): YamlMapping[] {
  return node?.kind === "sequence" ? node.items.filter((item) => item.kind === "mapping") : [];
}

/** The first pair whose key is not known. */
export function unknownKey(
  node: YamlMapping,
  isKnown: (key: string) => boolean,
): [key: string, value: YamlNode] | undefined {
  for (const [key, value] of pairsOf(node)) if (!isKnown(key)) return [key, value];
  return undefined;
}

/** Whether a key has a value that is not a collection. */
export function hasScalar(node: YamlMapping, key: string): boolean {
  return field(node, key)?.kind === "scalar";
}
