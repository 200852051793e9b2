import type { Io } from "../../io/io.ts";
import type { MonitorEvent } from "../../monitor/monitor.ts";
import type { Undelivered } from "../../monitor/report/deliver.ts";
import { told } from "../../monitor/report/report.ts";
import { alarmLine, findingLine } from "../../monitor/report/text.ts";
import { apiName } from "../../monitor/target.ts";

/** Version of the lines' schema: members are added, never changed. */
const VERSION = 1;

/** Writes an event of a monitor as one line of JSON. */
export function jsonLine(io: Pick<Io, "stdout">, event: MonitorEvent): void {
  const content = contentOf(event);
  io.stdout.data(`${JSON.stringify({ version: VERSION, type: event.type, ...content })}\n`);
}

function contentOf(event: MonitorEvent): object {
  switch (event.type) {
    case "log":
      return event.log;
    case "audit":
      return event.audit;
    case "finding":
      return told(event.finding);
    case "alarm":
      return told(event.alarm);
  }
}

/** Writes as one line of JSON that a channel did not take a report. */
export function undeliveredLine(io: Pick<Io, "stdout">, undelivered: Undelivered): void {
  io.stdout.data(`${JSON.stringify({ version: VERSION, type: "undelivered", ...undelivered })}\n`);
}

/** Writes an event of a monitor as a line for people. */
export function writeEvent(io: Pick<Io, "stdout">, event: MonitorEvent): void {
  io.stdout.write(`${lineOf(event)}\n`);
}

function lineOf(event: MonitorEvent): string {
  if (event.type === "finding") return findingLine(event.finding);
  if (event.type === "alarm") return alarmLine(event.alarm);
  if (event.type === "audit") {
    const { signatures, missing, unproven, unread } = event.audit;
    const places = unread.map(({ where, reason }) => `; could not read ${where}: ${reason}`).join("");
    return `stored signatures: ${signatures} log entries, ${missing} missing in their log, ${unproven} unproven${places}`;
  }
  const { log, api, outcome, size, searched, unparsed, untrusted, reason } = event.log;
  const counts = `size ${size}, ${searched} searched, ${unparsed} unparsed, ${untrusted} untrusted`;
  return `${log} (${apiName(api)}): ${outcome}, ${counts}${reason === undefined ? "" : `: ${reason}`}`;
}
