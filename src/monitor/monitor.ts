import { TsignError } from "../errors.ts";
import type { Io } from "../io/io.ts";
import { Misbehaved, stableId } from "./alarm.ts";
import { emptyHead, lookAt } from "./look.ts";
import type { LogSource } from "./source.ts";
import { openV1 } from "./source-v1.ts";
import { openV2 } from "./source-v2.ts";
import { type Alarm, type Finding, type LogState, type MonitorState, updateState } from "./state.ts";
import type { Target } from "./target.ts";
import { type Watch, watchDigest } from "./watch.ts";

/** What a look at one log has shown. */
export interface LogOutcome {
  readonly log: string;
  readonly api: 1 | 2;
  readonly outcome: "consistent" | "misbehaved" | "unavailable";
  /** Entries of all its trees, and the number of them that were searched by this state. */
  readonly size: number;
  readonly searched: number;
  readonly unparsed: number;
  readonly untrusted: number;
  readonly reason?: string;
}

/** What a monitor tells while it looks. */
export type MonitorEvent =
  | { readonly type: "log"; readonly log: LogOutcome }
  | { readonly type: "finding"; readonly finding: Finding }
  | { readonly type: "alarm"; readonly alarm: Alarm };

export interface MonitorOptions {
  readonly targets: readonly Target[];
  /** All logs of the trusted root. */
  readonly trusted: readonly Target[];
  readonly watch: Watch;
  /** Path of the state file. */
  readonly path: string;
  /** Folder for the evidence of alarms. */
  readonly evidence: string;
  /** Settings of a log. */
  readonly settings: (target: Target) => { readonly searches: boolean; readonly frozenAfter: number | undefined };
  readonly onEvent: (event: MonitorEvent) => void;
}

/** Opens a log's API. */
export function openSource(io: Io, { api, url, logs }: Target): LogSource {
  const address = new URL(url);
  return api === 1 ? openV1(io, address, logs) : openV2(io, address);
}

/**
 * Looks once at every log of the trusted root and of the state, one after another. What was told is stored as told: a monitor that
 * was killed in between tells it again, with the same ID.
 *
 * @returns the state that was stored last
 * @throws TsignError "input" if the state or the evidence cannot be written; failures of logs are events
 */
export async function lookOnce(io: Io, initial: MonitorState, options: MonitorOptions): Promise<MonitorState> {
  const { targets, trusted, watch, path, onEvent } = options;
  const store = new Store(io, path, { ...initial, watched: watchDigest(watch) });
  for (const finding of initial.findings.filter(({ reported }) => !reported)) onEvent({ type: "finding", finding });
  for (const alarm of initial.alarms.filter(({ reported }) => !reported)) onEvent({ type: "alarm", alarm });
  for (const target of targets) {
    const known = store.logOf(target) ?? newLog(target, io.now());
    onEvent({ type: "log", log: await lookAtTarget(io, known, { target, store, options }) });
  }
  for (const lost of store.state.logs.filter((log) => !trusted.some((target) => isSame(log, target)))) {
    const reason = "it is not in the trusted root";
    onEvent({ type: "log", log: outcomeOf(lost, "unavailable", reason) });
  }
  await store.markReported();
  return store.state;
}

/** A log that the state does not have: it is searched from its first entry. Its tree is known at the first look. */
function newLog({ url, api }: Target, now: Date): LogState {
  const head = emptyHead({ treeId: "" });
  const counts = { entries: 0, unparsed: 0, untrusted: 0 };
  return { url, api, head, since: now.toISOString(), inactive: [], offset: 0, next: 0, frontier: [], counts };
}

async function lookAtTarget(
  io: Io,
  known: LogState,
  { target, store, options }: { target: Target; store: Store; options: MonitorOptions },
): Promise<LogOutcome> {
  const { watch, settings, onEvent } = options;
  const now = () => io.now();
  const current = () => store.logOf(target) ?? known;
  try {
    const source = openSource(io, target);
    const first = known.head.treeId === "" && target.api === 1 ? await firstTree(known, source) : known;
    await lookAt(first, {
      target,
      source,
      watch,
      ...settings(target),
      now,
      sleep: (milliseconds) => io.sleep(milliseconds, io.signal),
      save: async (log, findings) => {
        const added = await store.save(log, findings);
        for (const finding of added) onEvent({ type: "finding", finding });
      },
    });
    return outcomeOf(current(), "consistent");
  } catch (error) {
    if (error instanceof Misbehaved) {
      const alarm = await raise(io, error, { target, store, folder: options.evidence });
      if (alarm) onEvent({ type: "alarm", alarm });
      return outcomeOf(current(), "misbehaved", error.message);
    }
    if (!(error instanceof TsignError) || isOwn(error) || io.signal.aborted) throw error;
    return outcomeOf(current(), "unavailable", error.message);
  }
}

/** Errors of this machine, not of a log. */
function isOwn({ code }: TsignError): boolean {
  return ["internal", "cancelled", "input", "usage"].includes(code);
}

async function firstTree(log: LogState, source: LogSource): Promise<LogState> {
  const { active, inactive } = await source.shards();
  return { ...log, head: emptyHead(inactive[0] ?? active) };
}

function outcomeOf(log: LogState, outcome: LogOutcome["outcome"], reason?: string): LogOutcome {
  const { url, api, counts, offset, head } = log;
  const { unparsed, untrusted, entries: searched } = counts;
  const size = offset + head.size;
  return { log: url, api, outcome, size, searched, unparsed, untrusted, ...(reason === undefined ? {} : { reason }) };
}

function isSame(a: Pick<LogState, "url" | "api">, b: Pick<LogState, "url" | "api">): boolean {
  return a.url === b.url && a.api === b.api;
}

/** Writes the evidence of a misbehaviour, and stores and returns the alarm; undefined if it was raised before. */
async function raise(
  io: Io,
  { kind, message, evidence }: Misbehaved,
  { target, store, folder }: { target: Target; store: Store; folder: string },
): Promise<Alarm | undefined> {
  const { url, api, logs } = target;
  const facts = [textOf(evidence.known), kind === "unsigned" ? "" : textOf(evidence.seen)];
  const id = stableId("a", api, url, kind, ...facts);
  if (store.state.alarms.some((each) => each.id === id)) return undefined;
  const raisedAt = io.now().toISOString();
  const file = `${folder}/${id}.json`;
  const keys = logs.map(({ key }) => key.export({ type: "spki", format: "pem" }));
  const document = { version: 1, id, kind, reason: message, log: { url, api, keys }, raisedAt, ...evidence };
  await io.files.makeDirectory(folder, { mode: 0o755 });
  await io.files.replace(file, `${JSON.stringify(document, null, 2)}\n`, { mode: 0o644 });
  const alarm: Alarm = {
    id,
    log: url,
    api,
    kind,
    reason: message,
    evidence: file,
    raisedAt,
    reported: false,
    sent: [],
  };
  await store.saveAlarm(alarm);
  return alarm;
}

/** The signed text of a checkpoint: the signatures of Rekor v1 differ each time. */
function textOf(checkpoint: string): string {
  return checkpoint.split("\n\n", 1)[0] ?? "";
}

/** The state in memory and in its file. */
class Store {
  readonly #io: Io;
  readonly #path: string;
  state: MonitorState;

  constructor(io: Io, path: string, state: MonitorState) {
    this.#io = io;
    this.#path = path;
    this.state = state;
  }

  logOf(target: Target): LogState | undefined {
    return this.state.logs.find((log) => isSame(log, target));
  }

  /** Stores a log, with new findings, and returns those that were not there yet. */
  async save(log: LogState, findings: readonly Finding[]): Promise<readonly Finding[]> {
    const added = findings.filter(({ id }) => !this.state.findings.some((each) => each.id === id));
    const { logs, findings: told } = this.state;
    const isNew = !logs.some((each) => isSame(each, log));
    const next = isNew ? [...logs, log] : logs.map((each) => (isSame(each, log) ? log : each));
    await this.#write({ ...this.state, logs: next, findings: [...told, ...added] });
    return added;
  }

  saveAlarm(alarm: Alarm): Promise<void> {
    return this.#write({ ...this.state, alarms: [...this.state.alarms, alarm] });
  }

  markReported(): Promise<void> {
    const { findings, alarms } = this.state;
    const told = <T extends object>(items: readonly T[]) => items.map((each) => ({ ...each, reported: true }));
    return this.#write({ ...this.state, findings: told(findings), alarms: told(alarms) });
  }

  async #write(next: MonitorState): Promise<void> {
    this.state = await updateState(this.#io, this.#path, next);
  }
}
