import type { Target } from "./target.ts";
import { DOCUMENT_TARGETS } from "./targets/documents.ts";
import { PART_TARGETS } from "./targets/parts.ts";
import { READER_TARGETS } from "./targets/readers.ts";
import { SIGNED_TARGETS } from "./targets/signed.ts";

/** Everything that is fuzzed. */
export const TARGETS: readonly Target[] = [...DOCUMENT_TARGETS, ...PART_TARGETS, ...SIGNED_TARGETS, ...READER_TARGETS];
