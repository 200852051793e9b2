import { TsignError } from "../../errors.ts";
import type { Io } from "../../io/io.ts";
import { type Alarm, type Finding, isOpen, type MonitorState, updateState } from "../state.ts";
import { type Channel, reportOf } from "./report.ts";

/** Findings and alarms in one report; the rest follows in others. */
const MOST = 200;

/** A channel that did not take a report. */
export interface Undelivered {
  readonly channel: string;
  readonly reason: string;
}

/**
 * Sends to each channel what it was not told yet, and stores what it took. A monitor that is killed in between sends a report again,
 * with the same ID; a channel that refuses gets it at the next look.
 *
 * @returns the new state, and the channels that did not take a report
 * @throws TsignError "input" if the state cannot be written, and "cancelled"
 */
export async function deliver(
  io: Io,
  initial: MonitorState,
  { channels, path }: { channels: readonly Channel[]; path: string },
): Promise<{ state: MonitorState; undelivered: readonly Undelivered[] }> {
  let state = initial;
  const undelivered: Undelivered[] = [];
  for (const channel of channels) {
    try {
      for (;;) {
        const [alarms, findings] = pendingFor(channel, state);
        if (alarms.length + findings.length === 0) break;
        await channel.send(reportOf({ alarms, findings }, io.now()));
        const sent = new Set([...alarms, ...findings].map(({ id }) => id));
        state = await updateState(io, path, markedAsSent(state, channel, sent));
      }
    } catch (error) {
      if (!(error instanceof TsignError) || error.code === "cancelled" || error.code === "input") throw error;
      if (io.signal.aborted) throw error;
      undelivered.push({ channel: channel.name, reason: error.message });
    }
  }
  return { state, undelivered };
}

function pendingFor({ id }: Channel, { alarms, findings }: MonitorState): [Alarm[], Finding[]] {
  const isPending = (each: Finding | Alarm) => isOpen(each) && !each.sent.includes(id);
  const first = alarms.filter(isPending).slice(0, MOST);
  return [first, findings.filter(isPending).slice(0, MOST - first.length)];
}

function markedAsSent(state: MonitorState, { id }: Channel, ids: ReadonlySet<string>): MonitorState {
  const marked = <T extends Finding | Alarm>(items: readonly T[]) =>
    items.map((each) => (ids.has(each.id) ? { ...each, sent: [...each.sent, id] } : each));
  return { ...state, alarms: marked(state.alarms), findings: marked(state.findings) };
}
