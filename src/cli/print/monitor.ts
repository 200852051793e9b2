import type { Io } from "../../io/io.ts";
import type { MonitorEvent } from "../../monitor/monitor.ts";
import type { Alarm, Finding } from "../../monitor/state.ts";

/** Version of the lines' schema: members are added, never changed. */
const VERSION = 1;

/** Writes an event of a monitor as one line of JSON. */
export function jsonLine(io: Pick<Io, "stdout">, event: MonitorEvent): void {
  const content =
    event.type === "log" ? event.log : withoutMarks(event.type === "finding" ? event.finding : event.alarm);
  io.stdout.data(`${JSON.stringify({ version: VERSION, type: event.type, ...content })}\n`);
}

/** A finding or an alarm without what the monitor notes about it. */
export function withoutMarks<T extends Finding | Alarm>(item: T): Omit<T, "reported" | "acknowledged"> {
  const { reported: _, acknowledged: __, ...content } = item;
  return content;
}

/** Writes an event of a monitor as a line for people. */
export function writeEvent(io: Pick<Io, "stdout">, event: MonitorEvent): void {
  io.stdout.write(`${lineOf(event)}\n`);
}

function lineOf(event: MonitorEvent): string {
  if (event.type === "finding") {
    const { id, log, index, kind, signer, digest = "no digest", by } = event.finding;
    return `found ${id}: entry ${index} of ${log} (${kind}), ${by} ${signer}, ${digest}`;
  }
  if (event.type === "alarm") {
    const { id, log, kind, reason, evidence } = event.alarm;
    return `alarm ${id}: ${log} ${kind}: ${reason}; evidence in ${evidence}`;
  }
  const { log, api, outcome, size, searched, unparsed, untrusted, reason } = event.log;
  const counts = `${size} entries, ${searched} searched, ${unparsed} unparsed, ${untrusted} untrusted`;
  return `${log} (v${api}): ${outcome}, ${counts}${reason === undefined ? "" : `: ${reason}`}`;
}
