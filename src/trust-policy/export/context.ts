import type { PolicyFile, RuleText } from "../schema.ts";
import type { PolicySources } from "../sources.ts";

/** What the other program's policy refuses, or demands more, because it cannot demand the same. */
export interface ExportNote {
  readonly kind: "refused" | "stricter" | "needs";
  /** Place of the rule: `file:line:column`. */
  readonly place: string;
  readonly text: string;
}

/** What is written from. */
export interface ExportContext {
  readonly policy: PolicyFile;
  readonly note: (kind: ExportNote["kind"], rule: number | undefined, text: string) => void;
  /** PEM of a key of the policy. */
  readonly pem: (reference: string) => Promise<string>;
  readonly sources: PolicySources;
}

/** The patterns of a rule. */
export function imagesOf({ images }: RuleText): string[] {
  return typeof images === "string" ? [images] : [...(images ?? [])];
}
