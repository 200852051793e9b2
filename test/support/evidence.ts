import type { Evidence } from "../../src/evidence/model.ts";

/** Evidence from a file with this content, and nothing that vouches for it but what is given. */
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
