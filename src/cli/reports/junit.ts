import type { ImageRecord, ImagesResult } from "./record.ts";
import { errorLines, signerText } from "./words.ts";

/**
 * A JUnit report with a test case for each image. Images that are refused, unsigned or not found are failures; those that could
 * not be checked are errors.
 */
export function junitReport({ images, summary }: ImagesResult, now: Date): string {
  const errors = summary.unchecked;
  const failures = summary.total - summary.verified - errors;
  const counts = `tests="${summary.total}" failures="${failures}" errors="${errors}"`;
  return [
    `<?xml version="1.0" encoding="UTF-8"?>`,
    `<testsuites name="tsign" ${counts}>`,
    `  <testsuite name="images" ${counts} skipped="0" timestamp="${now.toISOString().slice(0, 19)}">`,
    ...images.map(caseOf),
    "  </testsuite>",
    "</testsuites>",
    "",
  ].join("\n");
}

function caseOf(record: ImageRecord): string {
  const { image, state, error } = record;
  const start = `    <testcase classname="image" name="${xml(image)}" time="0"`;
  if (!error) {
    const { signer, time } = signerText(record);
    return `${start}>\n      <system-out>${xml(`signed by ${signer} ${time}`.trimEnd())}</system-out>\n    </testcase>`;
  }
  const tag = state === "unchecked" ? "error" : "failure";
  const text = errorLines(record).join("\n");
  return `${start}>\n      <${tag} type="${xml(error.code)}" message="${xml(error.message)}">${xml(text)}</${tag}>\n    </testcase>`;
}

/** Escapes text for content and attributes. Characters that XML 1.0 does not allow (§2.2) are shown as U+FFFD. */
function xml(text: string): string {
  return text
    .replaceAll(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, "\ufffd")
    .replaceAll(/[&<>"'\t\n\r]/g, (character) => `&#${character.charCodeAt(0)};`);
}
