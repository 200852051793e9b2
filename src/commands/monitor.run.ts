import { readMonitor, requireState } from "../cli/options/monitor.ts";
import type { FlagValues, Run } from "../cli/parser/define.ts";
import { jsonLine, withoutMarks, writeEvent } from "../cli/print/monitor.ts";
import { TsignError, withExitCode } from "../errors.ts";
import type { Io } from "../io/io.ts";
import { type LogOutcome, lookOnce, type MonitorEvent, type MonitorOptions } from "../monitor/monitor.ts";
import { type MonitorState, readState } from "../monitor/state.ts";
import { watchDigest } from "../monitor/watch.ts";
import type definition from "./monitor.ts";

export const run: Run<typeof definition> = async (io, { flags, answer }) => {
  const path = requireState(flags);
  if (flags.json && !flags.once) throw new TsignError("usage", "--json requires --once");
  let state = await readState(io, path);
  for (;;) {
    // Everything is read anew each time: shards of the logs are in the trusted root.
    const monitor = await readMonitor(io, flags).catch((error: unknown) => unread(error, { io, once: flags.once }));
    if (!monitor) {
      await io.sleep(flags.interval, io.signal);
      continue;
    }
    if (state.watched !== watchDigest(monitor.watch)) {
      io.stderr.write(
        "WARNING: the identities, keys or digests have changed, and earlier entries are not searched again\n",
      );
    }
    const looked = await look(io, state, { ...monitor, path, flags });
    state = looked.state;
    const result = resultOf(looked);
    answer(result);
    if (flags.once) {
      failUnlessWell(result);
      return result;
    }
    await io.sleep(flags.interval, io.signal);
  }
};

/** A service outlives that the trusted root cannot be fetched. @throws TsignError with the exit code of what could not be read */
function unread(error: unknown, { io, once }: { io: Io; once: boolean }): undefined {
  const isRemote = error instanceof TsignError && ["auth", "network", "timeout", "service"].includes(error.code);
  if (!isRemote || io.signal.aborted) throw error;
  if (once) throw withExitCode(error, 5);
  io.stderr.write(`WARNING: ${error.message}\n`);
}

type Looked = { readonly state: MonitorState; readonly events: readonly MonitorEvent[] };

async function look(
  io: Io,
  state: MonitorState,
  options: Pick<MonitorOptions, "targets" | "trusted" | "watch" | "settings" | "path"> & {
    flags: FlagValues<typeof definition.flags>;
  },
): Promise<Looked> {
  const { flags, path } = options;
  const events: MonitorEvent[] = [];
  const onEvent = (event: MonitorEvent) => {
    events.push(event);
    if (flags.format === "json-lines") jsonLine(io, event);
    else writeEvent(io, event);
  };
  const evidence = flags.evidence === "" ? `${path}.evidence` : flags.evidence;
  return { state: await lookOnce(io, state, { ...options, evidence, onEvent }), events };
}

function resultOf({ state, events }: Looked) {
  const isOpen = ({ acknowledged }: { acknowledged?: unknown }) => acknowledged === undefined;
  return {
    logs: events.flatMap((event) => (event.type === "log" ? [event.log] : [])),
    findings: events.flatMap((event) => (event.type === "finding" ? [withoutMarks(event.finding)] : [])),
    alarms: events.flatMap((event) => (event.type === "alarm" ? [withoutMarks(event.alarm)] : [])),
    open: { findings: state.findings.filter(isOpen).length, alarms: state.alarms.filter(isOpen).length },
  };
}

/** @throws TsignError with the exit code of the worst outcome */
function failUnlessWell({
  logs,
  open,
}: {
  logs: readonly LogOutcome[];
  open: { findings: number; alarms: number };
}): void {
  const hint = "read each of them, then acknowledge it with `tsign monitor ack ID --why TEXT`";
  if (open.alarms > 0) {
    throw new TsignError("untrusted", `alarms that are not acknowledged: ${open.alarms}`, { exitCode: 4, hint });
  }
  const bad = logs.filter(({ outcome }) => outcome === "misbehaved").map(({ log, reason }) => `${log} (${reason})`);
  if (bad.length > 0) {
    // Acknowledged or not: nothing is proven about its new entries.
    throw new TsignError("untrusted", `still misbehaving: ${bad.join(", ")}`, { exitCode: 4 });
  }
  if (open.findings > 0) {
    throw new TsignError("policy", `findings that are not acknowledged: ${open.findings}`, { exitCode: 3, hint });
  }
  const unread = logs.filter(({ outcome }) => outcome === "unavailable");
  if (unread.length > 0) {
    const names = unread.map(({ log, reason }) => `${log} (${reason})`).join(", ");
    throw new TsignError("service", `look at ${names}: not possible`, { exitCode: 5, service: "rekor" });
  }
}
