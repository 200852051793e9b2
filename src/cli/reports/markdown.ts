import { markdownCode as code, markdownText as escaped } from "../../format/markdown.ts";
import type { ImageRecord, ImagesResult } from "./record.ts";
import { errorLines, STATE_WORDS, signerText, summaryText } from "./words.ts";

/** A report in GitHub Flavored Markdown: a table of the images, and the reasons below it. */
export function markdownReport(result: ImagesResult): string {
  const failed = result.images.filter(({ error }) => error !== undefined);
  return [
    `## ${summaryText(result)}`,
    "",
    "| Image | Result | Signer | Signed at | Digest |",
    "|---|---|---|---|---|",
    ...result.images.map(rowOf),
    "",
    ...failed.flatMap((record) => [`### ${code(record.image)}`, "", ...errorLines(record).map(itemOf), ""]),
  ].join("\n");
}

function rowOf(record: ImageRecord): string {
  const { image, state, digest = "" } = record;
  const { signer, time } = signerText(record);
  const result = state === "verified" ? "✅ verified" : `❌ ${STATE_WORDS[state]}`;
  return `| ${code(image)} | ${result} | ${code(signer)} | ${escaped(time)} | ${code(digest)} |`;
}

function itemOf(line: string): string {
  return `- ${escaped(line)}`;
}
