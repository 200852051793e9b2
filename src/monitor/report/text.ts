import { markdownCode as code, markdownText as escaped } from "../../format/markdown.ts";
import { printable } from "../../format/printable.ts";
import type { Alarm, Finding } from "../state.ts";
import type { Report, Told } from "./report.ts";

/** The next step, for people who read a report. */
const NEXT = "Acknowledge each with `tsign monitor ack ID --state FILE --why TEXT`.";

/** A finding as one line of text. */
export function findingLine({ id, log, index, kind, signer, digest = "no digest", by }: Told<Finding>): string {
  return `found ${id}: entry ${index} of ${log} (${kind}), ${by} ${signer}, ${digest}`;
}

/** An alarm as one line of text. */
export function alarmLine({ id, log, kind, reason, evidence }: Told<Alarm>): string {
  return `alarm ${id}: ${log} ${kind}: ${reason}; evidence in ${evidence}`;
}

/** A report as plain text. Names in certificates and answers of logs are escaped. */
export function plainReport({ findings, alarms }: Report): string {
  const lines = [...alarms.map(alarmLine), ...findings.map(findingLine)].map(printable);
  return `${[...lines, "", NEXT].join("\n")}\n`;
}

/** Tables of alarms and findings in GitHub Flavored Markdown; of none, nothing. */
export function markdownTables({ findings, alarms }: Pick<Report, "findings" | "alarms">): string {
  const alarmRows = alarms.map(({ id, log, kind, reason }) => [code(id), escaped(kind), code(log), escaped(reason)]);
  const findingRows = findings.map(({ id, log, index, kind, signer, digest = "", notBefore = "" }) => [
    ...[code(id), `${code(log)} ${index}`, escaped(kind), code(signer), code(digest), escaped(notBefore)],
  ]);
  return [
    ...table(["Alarm", "Kind", "Log", "Reason"], alarmRows),
    ...table(["Finding", "Log entry", "Kind", "Signer", "Digest", "Certificate issued"], findingRows),
    ...(alarms.length + findings.length > 0 ? [NEXT, ""] : []),
  ].join("\n");
}

/** A table with a header; without rows, nothing. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string[] {
  if (rows.length === 0) return [];
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(header), `|${"---|".repeat(header.length)}`, ...rows.map(line), ""];
}
