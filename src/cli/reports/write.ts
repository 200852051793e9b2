import { TsignError } from "../../errors.ts";
import type { Io } from "../../io/io.ts";
import { codeQualityReport } from "./code-quality.ts";
import { htmlReport } from "./html.ts";
import { junitReport } from "./junit.ts";
import { markdownReport } from "./markdown.ts";
import type { ImagesResult } from "./record.ts";
import { sarifReport } from "./sarif.ts";

type Format = (result: ImagesResult, now: Date) => string;

/** By the end of the name; the first that fits. */
const FORMATS: Readonly<Record<string, Format>> = {
  "code-quality-report.json": codeQualityReport,
  ".html": htmlReport,
  ".json": (result) => `${JSON.stringify(result, null, 2)}\n`,
  ".md": markdownReport,
  ".sarif": sarifReport,
  ".xml": junitReport,
};
const MAX_SUMMARY = 1024 * 1024;

/**
 * Checks the names of reports before anything is verified.
 *
 * @throws TsignError "usage" for an extension without a format
 */
export function requireReportFormats(io: Pick<Io, "env">, files: readonly string[]): void {
  for (const file of files) formatOf(io, file);
}

/** The format of a report. GitHub's step summary is Markdown, in a file without an extension. */
function formatOf({ env }: Pick<Io, "env">, file: string): Format {
  const name = file === env["GITHUB_STEP_SUMMARY"] ? ".md" : file.toLowerCase();
  const end = Object.keys(FORMATS).find((each) => name.endsWith(each));
  const format = FORMATS[end ?? ""];
  if (format) return format;
  throw new TsignError("usage", `--report ${file}: unknown extension`, {
    hint: `use one of ${Object.keys(FORMATS).join(", ")}`,
  });
}

/**
 * Writes reports. The file of GITHUB_STEP_SUMMARY is appended to, others are replaced when they are complete.
 *
 * @param failed whether an image failed. That is the command's error then, and a report that cannot be written is a warning
 * @throws TsignError "usage" or "input"
 */
export async function writeReports(
  io: Pick<Io, "env" | "files" | "now" | "stderr">,
  result: ImagesResult,
  { files, failed }: { files: readonly string[]; failed: boolean },
): Promise<void> {
  for (const file of files) {
    try {
      const text = formatOf(io, file)(result, io.now());
      await io.files.write(file, (await earlier(io, file)) + text, { mode: 0o644 });
    } catch (error) {
      if (!(error instanceof TsignError) || !failed) throw error;
      io.stderr.write(`WARNING: ${error.message}\n`, { always: true });
    }
  }
}

/** Writes Markdown. The file of GITHUB_STEP_SUMMARY is appended to, others are replaced. @throws TsignError "input" */
export async function writeMarkdown(io: Pick<Io, "env" | "files">, file: string, text: string): Promise<void> {
  await io.files.write(file, (await earlier(io, file)) + text, { mode: 0o644 });
}

/** What earlier steps of a GitHub job wrote to the summary. */
async function earlier({ env, files }: Pick<Io, "env" | "files">, file: string): Promise<string> {
  if (file !== env["GITHUB_STEP_SUMMARY"] || !(await files.stat(file))) return "";
  return Buffer.from(await files.read(file, { maxBytes: MAX_SUMMARY })).toString("utf8");
}
