import { readFileSync } from "node:fs";
import fc from "fast-check";
import { TsignError } from "../../../src/errors.ts";
import { readTrustPolicy } from "../../../src/trust-policy/read.ts";
import { refusal } from "../judge.ts";
import { changes, mutate } from "../mutate.ts";
import { Finding, type Outcome, type Target } from "../target.ts";
import { bytesOf, type Node } from "../tree.ts";

const POLICY = new URL("../../../fixtures/trust-policy/tsign.policy.yaml", import.meta.url);
const FILE = "p.yaml";

/** Lines that mean something in a policy, and what a reader must not misread. */
const LINES = [
  "unmatched: audit",
  "  - {images: '**', insecureAcceptAnything: true}",
  "  - {images: '**', signatures: {signers: a}}",
  "    effect: warn",
  "    signatures: {signers: {atLeast: 2, of: [a, b]}, log: insecure-skip}",
  "  x: {any: [x]}",
  "  a: &anchor {key: a.pub}",
  "  b: *anchor",
  "  a: {identity: {regexp: '('}, issuer: {glob: '***'}}",
  "  <<: {key: a.pub}",
  "version: 2",
  "rules:",
  "---",
  "\t- tab",
  '  "\\u0000": |',
];

/** A policy of changed lines: it is refused with its place, or every rule of it demands something unless it says otherwise. */
export const POLICY_TARGET: Target = {
  name: "trust-policies",
  reaches: "read",
  inputs() {
    const leaf = (line: string): Node => ({ kind: "bytes", bytes: Buffer.from(line) });
    const items = readFileSync(POLICY, "utf8").split("\n").map(leaf);
    const donors = LINES.map(leaf);
    const more = fc.array(fc.record({ line: fc.nat(donors.length - 1), at: fc.nat(items.length) }), { maxLength: 4 });
    return fc.record({ more, list: changes() }).map(({ more: added, list }) => {
      const all = added.reduce<readonly Node[]>(
        (lines, { line, at }) => lines.toSpliced(at, 0, donors[line] as Node),
        items,
      );
      const whole: Node = { kind: "lines", items: [...all] };
      return { form: "policy", document: bytesOf(mutate(whole, list, donors)), setting: null };
    });
  },
  async judge({ document }): Promise<Outcome> {
    try {
      const { rules, unmatched } = await readTrustPolicy(document, FILE);
      const text = Buffer.from(document).toString();
      for (const { demands, acceptsAnything, name } of rules) {
        if (acceptsAnything !== (demands.length === 0)) throw new Finding(`rule ${name} demands nothing`);
        if (acceptsAnything && !text.includes("insecureAcceptAnything")) throw new Finding(`${name} accepts anything`);
      }
      if (unmatched !== "enforce" && !text.includes("unmatched")) throw new Finding("accepts what no rule matches");
      return "read";
    } catch (error) {
      if (
        error instanceof TsignError &&
        error.code === "input" &&
        !/^p\.yaml:\d+:\d+: |^p\.yaml: empty/.test(error.message)
      ) {
        throw new Finding(`refused without line and column: ${error.message}`);
      }
      return refusal(error);
    }
  },
};
