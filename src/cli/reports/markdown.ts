import { printable } from "../../format/printable.ts";
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

/** Text as it is: every character that Markdown or HTML could read is escaped (CommonMark §2.4). */
function escaped(text: string): string {
  return printable(text).replaceAll(/[\\`*_{}[\]<>()#+!|~&@:$^-]/g, "\\$&");
}

/** A code span. In tables a vertical bar needs a backslash there too (GFM §4.10). */
function code(text: string): string {
  if (text === "") return "";
  const safe = printable(text);
  const longest = Math.max(0, ...(safe.match(/`+/g) ?? []).map((run) => run.length));
  const fence = "`".repeat(longest + 1);
  const space = longest > 0 ? " " : "";
  return `${fence}${space}${safe.replaceAll("|", "\\|")}${space}${fence}`;
}
