import type { Target } from "./target.ts";
import { DOCUMENT_TARGETS } from "./targets/documents.ts";
import { READER_TARGETS } from "./targets/readers.ts";

/** Everything that is fuzzed. */
export const TARGETS: readonly Target[] = [...DOCUMENT_TARGETS, ...READER_TARGETS];
