import type { Evidence } from "../../src/evidence/model.ts";

/** Returns evidence from a file with this content, with only the given certificates and proofs. */
export function evidenceOf(content: Evidence["content"], more: Partial<Evidence> = {}): Evidence {
  return {
    origin: { kind: "file", where: "f" },
    content,
    key: { kind: "none" },
    log: [],
    timestamps: [],
    annotations: {},
    ...more,
  };
}
