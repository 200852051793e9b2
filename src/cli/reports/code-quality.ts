import { createHash } from "node:crypto";
import type { ImageRecord, ImagesResult } from "./record.ts";
import { errorLines, STATE_WORDS } from "./words.ts";

/** GitLab's Code Quality report: an issue for each image that did not verify. GitLab shows it in merge requests. */
export function codeQualityReport({ images }: ImagesResult): string {
  return `${JSON.stringify(images.filter(({ error }) => error !== undefined).map(issueOf), null, 2)}\n`;
}

function issueOf(record: ImageRecord): object {
  const { image, state } = record;
  return {
    description: `${image} ${STATE_WORDS[state]}: ${errorLines(record).join("; ")}`,
    check_name: `image-${state}`,
    // The same failure of the same image is the same issue in the next pipeline.
    fingerprint: createHash("sha256").update(`${state} ${image}`).digest("hex"),
    severity: state === "unchecked" ? "major" : "critical",
    location: { path: image, lines: { begin: 1 } },
  };
}
