import fc from "fast-check";
import { type Form, judgeDocument, type Setting } from "../judge.ts";
import { changes, mutate } from "../mutate.ts";
import type { Target } from "../target.ts";
import { bytesOf, childrenOf, type Node, nodeAt, readTree, replaceAt, type TreePath } from "../tree.ts";

/**
 * Changes one part of genuine bundles and nothing else, so that the rest of the bundle verifies and the part is reached.
 *
 * @param isPart reports whether the member with a name is the part
 */
function part(name: string, isPart: (member: string) => boolean): Target {
  return {
    name,
    reaches: "yes",
    inputs({ documents, setting }) {
      const all = documents.flatMap(({ form, bytes }) => {
        const tree = readTree(bytes);
        return partsOf(tree, isPart).map((path) => ({ form, tree, path, part: nodeAt(tree, path) ?? tree }));
      });
      const donors = all.map((each) => each.part);
      return fc.record({ base: fc.nat(all.length - 1), list: changes(3) }).map(({ base, list }) => {
        const { form, tree, path, part } = all[base] as (typeof all)[number];
        const changed = mutate(part, list, donors);
        return { form, document: bytesOf(replaceAt(tree, path, () => [changed])), setting };
      });
    },
    judge: ({ form, document, setting }) => judgeDocument(form as Form, document, setting as Setting),
  };
}

function partsOf(node: Node, isPart: (member: string) => boolean, path: TreePath = []): TreePath[] {
  return childrenOf(node).flatMap((child, index) => {
    const at = [...path, index];
    const isThis = node.kind === "object" && isPart(node.entries[index]?.[0] ?? "");
    return isThis ? [at] : partsOf(child, isPart, at);
  });
}

const SIGSTORE = "dev.sigstore.cosign/";

export const PART_TARGETS: readonly Target[] = [
  part("certificates", (member) =>
    ["certificate", "x509CertificateChain", "cert", `${SIGSTORE}certificate`, `${SIGSTORE}chain`].includes(member),
  ),
  part("timestamps", (member) => ["timestampVerificationData", `${SIGSTORE}rfc3161timestamp`].includes(member)),
  part("checkpoints", (member) => member === "inclusionProof"),
  part("log-entries", (member) => ["tlogEntries", "rekorBundle", `${SIGSTORE}bundle`].includes(member)),
];
