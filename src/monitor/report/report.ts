import { stableId } from "../alarm.ts";
import type { Alarm, Finding } from "../state.ts";

/** What a channel is told: findings and alarms that it was not told before and that nobody has acknowledged. */
export interface Report {
  /** The same for the same findings and alarms, so that a receiver notices a report that was sent twice. */
  readonly id: string;
  /** RFC 3339. */
  readonly time: string;
  readonly findings: readonly Told<Finding>[];
  readonly alarms: readonly Told<Alarm>[];
}

/** A finding or an alarm without what the monitor notes about it. */
export type Told<T extends Finding | Alarm> = Omit<T, "reported" | "sent" | "acknowledged">;

/** A way in which findings and alarms are reported. */
export interface Channel {
  /** Recognizes it in the state. It contains no secret. */
  readonly id: string;
  /** For messages. It contains no secret. */
  readonly name: string;
  /** @throws TsignError */
  send(report: Report): Promise<void>;
}

/** Returns a finding or an alarm without what the monitor notes about it. */
export function told<T extends Finding | Alarm>(item: T): Told<T> {
  const { reported: _, sent: __, acknowledged: ___, ...content } = item;
  return content;
}

/** A report of these findings and alarms. */
export function reportOf(items: { findings: readonly Finding[]; alarms: readonly Alarm[] }, now: Date): Report {
  const [findings, alarms] = [items.findings.map(told), items.alarms.map(told)];
  const id = stableId("r", ...alarms.map((each) => each.id), ...findings.map((each) => each.id));
  return { id, time: now.toISOString(), findings, alarms };
}

/** `2 findings and 1 alarm`. */
export function countsOf({ findings, alarms }: Pick<Report, "findings" | "alarms">): string {
  const counted = (count: number, noun: string) => `${count} ${noun}${count === 1 ? "" : "s"}`;
  return `${counted(findings.length, "finding")} and ${counted(alarms.length, "alarm")}`;
}
