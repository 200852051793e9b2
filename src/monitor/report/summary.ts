import { markdownCode as code, markdownText as escaped } from "../../format/markdown.ts";
import { type Labels, labelsText } from "../../format/prometheus.ts";
import type { Unread } from "../audit/stored.ts";
import type { LogOutcome } from "../monitor.ts";
import { type Alarm, type Finding, isOpen, type MonitorState } from "../state.ts";
import { apiName } from "../target.ts";
import type { Undelivered } from "./deliver.ts";
import { countsOf } from "./report.ts";
import { markdownTables, table } from "./text.ts";

/** Rows of alarms, and of findings. */
const MOST = 100;

/** What a look has shown, and what is open. */
export interface Looked {
  readonly state: MonitorState;
  readonly logs: readonly LogOutcome[];
  readonly undelivered: readonly Undelivered[];
  /** Places with signatures that could not be read. */
  readonly unread: readonly Unread[];
}

/** A summary in GitHub Flavored Markdown: every log, and every finding and alarm that is not acknowledged. */
export function markdownSummary({ state, logs, undelivered, unread }: Looked, now: Date): string {
  const [findings, alarms] = [state.findings.filter(isOpen), state.alarms.filter(isOpen)];
  const rows = logs.map(({ log, api, outcome, size, searched, unparsed, untrusted, reason = "" }) => [
    ...[
      `${code(log)} ${apiName(api)}`,
      escaped(outcome),
      String(size),
      String(searched),
      String(unparsed),
      String(untrusted),
    ],
    escaped(reason),
  ]);
  const more = Math.max(findings.length - MOST, 0) + Math.max(alarms.length - MOST, 0);
  return [
    `## tsign monitor: ${countsOf({ findings, alarms })}`,
    "",
    ...table(["Log", "Outcome", "Entries", "Searched", "Unparsed", "Untrusted", "Reason"], rows),
    markdownTables({ findings: findings.slice(0, MOST), alarms: alarms.slice(0, MOST) }),
    ...(more > 0 ? [`And ${more} more.`, ""] : []),
    ...table(
      ["Not read", "Reason"],
      unread.map(({ where, reason }) => [code(where), escaped(reason)]),
    ),
    ...table(
      ["Not reported to", "Reason"],
      undelivered.map(({ channel, reason }) => [escaped(channel), escaped(reason)]),
    ),
    `Looked at ${now.toISOString()}.`,
    "",
  ].join("\n");
}

/** The same as metrics in the text format of Prometheus (version 0.0.4). */
export function metrics({ state, logs, undelivered }: Looked, now: Date): string {
  const labels = ({ log, api }: LogOutcome) => ({ log, api: String(api) });
  const perLog = (value: (log: LogOutcome) => number): Sample[] => logs.map((log) => [labels(log), value(log)]);
  const marks = (items: readonly (Finding | Alarm)[]): Sample[] => [
    [{ state: "open" }, items.filter(isOpen).length],
    [{ state: "acknowledged" }, items.filter(({ acknowledged }) => acknowledged !== undefined).length],
  ];
  const outcomes = logs.flatMap((log): Sample[] =>
    (["consistent", "misbehaved", "unavailable"] as const).map((outcome) => [
      { ...labels(log), outcome },
      log.outcome === outcome ? 1 : 0,
    ]),
  );
  return [
    ...metric("log_outcome", "gauge", "Whether the last look at the log ended like this.", outcomes),
    ...metric(
      "log_entries",
      "gauge",
      "Entries that the log has proven.",
      perLog(({ size }) => size),
    ),
    ...metric(
      "log_searched_total",
      "counter",
      "Entries searched.",
      perLog(({ searched }) => searched),
    ),
    ...metric(
      "log_unparsed_total",
      "counter",
      "Entries without a readable signer.",
      perLog(({ unparsed }) => unparsed),
    ),
    ...metric("log_untrusted_total", "counter", "Certificates of unknown issuers with a watched name.", [
      ...perLog(({ untrusted }) => untrusted),
    ]),
    ...metric("findings", "gauge", "Findings since the state was created.", marks(state.findings)),
    ...metric("alarms", "gauge", "Alarms since the state was created.", marks(state.alarms)),
    ...metric("undelivered_channels", "gauge", "Channels that did not take a report.", [[{}, undelivered.length]]),
    ...metric("last_look_timestamp_seconds", "gauge", "When the last look ended.", [[{}, now.getTime() / 1000]]),
    "",
  ].join("\n");
}

type Sample = readonly [labels: Labels, value: number];

function metric(name: string, type: string, help: string, samples: readonly Sample[]): string[] {
  const full = `tsign_monitor_${name}`;
  return [
    `# HELP ${full} ${help}`,
    `# TYPE ${full} ${type}`,
    ...samples.map(([labels, value]) => `${full}${labelsText(labels)} ${value}`),
  ];
}
