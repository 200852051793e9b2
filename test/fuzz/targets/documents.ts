import fc from "fast-check";
import { type Form, judgeDocument, type Setting } from "../judge.ts";
import { changes, mutate } from "../mutate.ts";
import type { Target } from "../target.ts";
import { bytesOf, type Node, readTree } from "../tree.ts";
import type { World } from "../world.ts";

/** Signatures in every stored form with their certificates and proofs, with pieces of other documents of the same form. */
function signatures(name: string, forms: readonly Form[]): Target {
  return {
    name,
    reaches: "yes",
    inputs: (world) => changedDocuments(world, forms),
    judge: ({ form, document, setting }) => judgeDocument(form as Form, document, setting as Setting),
  };
}

function changedDocuments({ documents, setting }: World, forms: readonly Form[]) {
  const trees = documents
    .filter(({ form }) => forms.includes(form))
    .map(({ form, bytes }) => ({ form, tree: readTree(bytes) }));
  const families = Map.groupBy(trees, ({ form }) => form);
  const donors = (form: Form): Node[] => (families.get(form) ?? []).map(({ tree }) => tree);
  return fc.record({ base: fc.nat(trees.length - 1), list: changes() }).map(({ base, list }) => {
    const { form, tree } = trees[base] as (typeof trees)[number];
    return { form, document: bytesOf(mutate(tree, list, donors(form))), setting };
  });
}

export const DOCUMENT_TARGETS: readonly Target[] = [
  signatures("bundles", ["bundle"]),
  signatures("legacy-bundles", ["legacy-bundle"]),
  signatures("sig-layers", ["sig-layer"]),
  signatures("att-layers", ["att-layer"]),
];
