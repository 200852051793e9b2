import { printable } from "./printable.ts";

/** Text as it is: every character that Markdown or HTML could read is escaped (CommonMark §2.4). */
export function markdownText(text: string): string {
  return printable(text).replaceAll(/[\\`*_{}[\]<>()#+!|~&@:$^-]/g, "\\$&");
}

/** A code span. In tables a vertical bar needs a backslash there too (GFM §4.10). */
export function markdownCode(text: string): string {
  if (text === "") return "";
  const safe = printable(text);
  const longest = Math.max(0, ...(safe.match(/`+/g) ?? []).map((run) => run.length));
  const fence = "`".repeat(longest + 1);
  const space = longest > 0 ? " " : "";
  return `${fence}${space}${safe.replaceAll("|", "\\|")}${space}${fence}`;
}
