import { html, type Markup } from "../../format/html.ts";
import { printable } from "../../format/printable.ts";
import type { LogOutcome } from "../../monitor/monitor.ts";
import { countsOf } from "../../monitor/report/report.ts";
import type { Looked } from "../../monitor/report/summary.ts";
import { type Alarm, type Finding, isOpen, type LogState } from "../../monitor/state.ts";
import { apiName } from "../../monitor/target.ts";
import { filePage } from "./page.ts";

/** Findings, and alarms, on the page. */
const MOST = 200;

type Fact = readonly [name: string, value: string | number | undefined];

/**
 * The page of a monitor: alarms and findings that are not acknowledged, then the logs as the last look has seen them, and what it could
 * not read or report.
 */
export function dashboard({ state, logs, undelivered, unread }: Looked, now: Date): string {
  const [alarms, findings] = [state.alarms.filter(isOpen), state.findings.filter(isOpen)];
  const bad = logs.filter(({ outcome }) => outcome !== "consistent").length;
  const isWell = alarms.length + findings.length + bad + unread.length === 0;
  const left = Math.max(alarms.length - MOST, 0) + Math.max(findings.length - MOST, 0);
  return filePage({
    title: isWell ? "All logs are well, nothing is open" : countsOf({ findings, alarms }),
    now,
    content: html`${alarms.slice(0, MOST).map(alarmOf)}${findings.slice(0, MOST).map(findingOf)}${
      left === 0
        ? html``
        : html`<p>And ${left} more.</p>
`
    }${logs.map((log) =>
      logOf(
        log,
        state.logs.find(({ url, api }) => url === log.log && api === log.api),
      ),
    )}${unread.map(({ where, reason }) =>
      article({ isGood: false, state: "not read", name: where, facts: [["Reason", reason]] }),
    )}${undelivered.map(({ channel, reason }) =>
      article({ isGood: false, state: "not reported", name: channel, facts: [["Reason", reason]] }),
    )}`,
  });
}

function alarmOf({ id, log, api, kind, reason, evidence, raisedAt }: Alarm): Markup {
  const facts: Fact[] = [
    ["Log", `${log} (${apiName(api)})`],
    ["Reason", reason],
    ["Raised at", raisedAt],
    ["Evidence", evidence],
  ];
  return article({ isGood: false, state: `alarm: ${kind}`, name: id, facts });
}

function findingOf(finding: Finding): Markup {
  const { id, log, api, index, kind, by, signer, digest, notBefore, foundAt } = finding;
  const facts: Fact[] = [
    ["Signer", signer],
    ["Log entry", `${index} of ${log} (${apiName(api)})`],
    ["Kind", kind],
    ["Found by", by],
    ["Digest", digest],
    ["Issued at", notBefore],
    ["Found at", foundAt],
  ];
  return article({ isGood: false, state: "finding", name: id, facts });
}

function logOf(
  { log, api, outcome, size, searched, unparsed, untrusted, reason }: LogOutcome,
  known?: LogState,
): Markup {
  const facts: Fact[] = [
    ["Reason", reason],
    ["Entries", size],
    ["Searched", `${searched}, of which ${unparsed} unparsed and ${untrusted} untrusted`],
    ["Head", known?.head.root],
    ["Since", known?.since],
  ];
  return article({ isGood: outcome === "consistent", state: outcome, name: `${log} (${apiName(api)})`, facts });
}

function article(parts: { isGood: boolean; state: string; name: string; facts: readonly Fact[] }): Markup {
  const { isGood, state, name, facts } = parts;
  const shown = facts.filter(([, value]) => value !== undefined && value !== "");
  return html`<article class="${isGood ? "good" : "bad"}">
<h2><span class="state">${isGood ? "✓" : "✗"} ${state}</span> ${printable(name)}</h2>
<dl>
${shown.map(([term, value = ""]) => html`<div><dt>${term}</dt><dd>${printable(String(value))}</dd></div>\n`)}</dl>
</article>
`;
}
