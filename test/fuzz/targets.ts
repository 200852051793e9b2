import type { Target } from "./target.ts";
import { COMMAND_TARGETS } from "./targets/commands.ts";
import { DOCUMENT_TARGETS } from "./targets/documents.ts";
import { MONITOR_TARGETS } from "./targets/monitor.ts";
import { PART_TARGETS } from "./targets/parts.ts";
import { POLICY_TARGET } from "./targets/policies.ts";
import { READER_TARGETS } from "./targets/readers.ts";
import { REPOSITORY_TARGETS } from "./targets/repository.ts";
import { REVIEW_TARGET } from "./targets/reviews.ts";
import { SIGNED_TARGETS } from "./targets/signed.ts";
import { SOURCE_TARGETS } from "./targets/sources.ts";

/** All fuzz targets. */
export const TARGETS: readonly Target[] = [
  ...DOCUMENT_TARGETS,
  ...PART_TARGETS,
  ...SIGNED_TARGETS,
  ...COMMAND_TARGETS,
  ...READER_TARGETS,
  ...REPOSITORY_TARGETS,
  ...SOURCE_TARGETS,
  POLICY_TARGET,
  ...MONITOR_TARGETS,
  REVIEW_TARGET,
];
