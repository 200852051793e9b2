import { readMonitor, requireState } from "../cli/options/monitor.ts";
import type { FlagValues, Run } from "../cli/parser/define.ts";
import { jsonLine, undeliveredLine, writeEvent } from "../cli/print/monitor.ts";
import { dashboard } from "../cli/reports/dashboard.ts";
import { writeMarkdown } from "../cli/reports/write.ts";
import { TsignError, withExitCode } from "../errors.ts";
import type { Io } from "../io/io.ts";
import { lookOnce, type MonitorEvent } from "../monitor/monitor.ts";
import { deliver } from "../monitor/report/deliver.ts";
import { told } from "../monitor/report/report.ts";
import { type Looked, markdownSummary, metrics } from "../monitor/report/summary.ts";
import { isOpen, type MonitorState, readState } from "../monitor/state.ts";
import { watchDigest } from "../monitor/watch.ts";
import type definition from "./monitor.ts";

export const run: Run<typeof definition> = async (io, { flags, answer }) => {
  const path = requireState(flags);
  if (flags.json && !flags.once) throw new TsignError("usage", "--json requires --once");
  for (;;) {
    // Everything is read anew each time: acknowledgements are in the state, and shards of the logs in the trusted root.
    const state = await readState(io, path);
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

async function look(
  io: Io,
  before: MonitorState,
  options: Awaited<ReturnType<typeof readMonitor>> & { path: string; flags: FlagValues<typeof definition.flags> },
): Promise<Looked & { events: readonly MonitorEvent[] }> {
  const { flags, path } = options;
  const events: MonitorEvent[] = [];
  const isJson = flags.format === "json-lines";
  const onEvent = (event: MonitorEvent) => {
    events.push(event);
    if (isJson) jsonLine(io, event);
    else writeEvent(io, event);
  };
  const evidence = flags.evidence === "" ? `${path}.evidence` : flags.evidence;
  const seen = await lookOnce(io, before, { ...options, evidence, onEvent });
  const { state, undelivered } = await deliver(io, seen, options);
  for (const each of undelivered) {
    if (isJson) undeliveredLine(io, each);
    io.stderr.write(`WARNING: no report to ${each.channel}: ${each.reason}\n`);
  }
  const logs = events.flatMap((event) => (event.type === "log" ? [event.log] : []));
  const unread = events.flatMap((event) => (event.type === "audit" ? event.audit.unread : []));
  const looked = { state, logs, undelivered, unread, events };
  await writeFiles(io, looked, flags);
  return looked;
}

/** Writes the page, the summary and the metrics. The summary of a GitHub job is appended to what is there. */
async function writeFiles(
  io: Io,
  looked: Looked,
  flags: { dashboard: string; summary: string; metrics: string },
): Promise<void> {
  const now = io.now();
  if (flags.dashboard !== "") await io.files.replace(flags.dashboard, dashboard(looked, now), { mode: 0o644 });
  if (flags.summary !== "") await writeMarkdown(io, flags.summary, markdownSummary(looked, now));
  if (flags.metrics !== "") await io.files.replace(flags.metrics, metrics(looked, now), { mode: 0o644 });
}

function resultOf({ state, logs, undelivered, events }: Awaited<ReturnType<typeof look>>) {
  return {
    audits: events.flatMap((event) => (event.type === "audit" ? [event.audit] : [])),
    logs,
    findings: events.flatMap((event) => (event.type === "finding" ? [told(event.finding)] : [])),
    alarms: events.flatMap((event) => (event.type === "alarm" ? [told(event.alarm)] : [])),
    open: { findings: state.findings.filter(isOpen).length, alarms: state.alarms.filter(isOpen).length },
    undelivered,
  };
}

/** @throws TsignError with the exit code of the worst outcome */
function failUnlessWell({ logs, audits, open }: ReturnType<typeof resultOf>): void {
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
  const [first] = unread;
  if (first) {
    const names = unread.map(({ log, reason }) => `${log} (${reason})`).join(", ");
    throw new TsignError("service", `look at ${names}: not possible`, {
      exitCode: 5,
      service: first.api === "ct" ? "ct" : "rekor",
    });
  }
  const places = audits.flatMap(({ unread }) => unread).map(({ where, reason }) => `${where} (${reason})`);
  if (places.length > 0) {
    throw new TsignError("service", `read signatures in ${places.join(", ")}: not possible`, { exitCode: 5 });
  }
}
