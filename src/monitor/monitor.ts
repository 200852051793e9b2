import { TsignError } from "../errors.ts";
import type { Io } from "../io/io.ts";
import { Misbehaved, stableId } from "./alarm.ts";
import { audit } from "./audit/audit.ts";
import type { Places, Unread } from "./audit/stored.ts";
import { openCt } from "./ct/source-ct.ts";
import { emptyHead, type Look, lookAt } from "./look.ts";
import type { LogSource } from "./source.ts";
import { openV1 } from "./source-v1.ts";
import { openV2 } from "./source-v2.ts";
import type { Alarm, Finding, LogState, MonitorState } from "./state.ts";
import { isSame, Store } from "./store.ts";
import { type Api, addressOf, type Target } from "./target.ts";
import { type Watch, watchDigest } from "./watch.ts";

/** What a look at one log has shown. */
export interface LogOutcome {
  readonly log: string;
  readonly api: Api;
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
  | { readonly type: "alarm"; readonly alarm: Alarm }
  | { readonly type: "audit"; readonly audit: AuditOutcome };

/** What the signatures have shown that are stored with our images. */
interface AuditOutcome {
  /** Log entries in them. */
  readonly signatures: number;
  /** Entries that a log does not return. */
  readonly missing: number;
  /** Entries without a valid proof or promise of a trusted log. */
  readonly unproven: number;
  readonly unread: readonly Unread[];
}

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
  readonly settings: (target: Target) => Pick<Look, "searches" | "frozenAfter" | "witnesses">;
  /** Where our own signatures are, and milliseconds in which an entry may wait for its signature to be stored there. */
  readonly places: (Places & { readonly grace: number }) | undefined;
  readonly onEvent: (event: MonitorEvent) => void;
}

/** Opens a log's API. */
export function openSource(io: Io, target: Target): LogSource {
  const { api, logs } = target;
  const address = addressOf(target);
  if (api === "ct") return openCt(io, address);
  return api === 1 ? openV1(io, address, logs) : openV2(io, address);
}

/**
 * Looks once at every log of the trusted root and of the state, one after another, then at the signatures of `places`, which explain
 * findings. What was told is stored as told: a monitor that was killed in between tells it again, with the same ID.
 *
 * @returns the state that was stored last
 * @throws TsignError "input" if the state or the evidence cannot be written; failures of logs and registries are events
 */
export async function lookOnce(io: Io, initial: MonitorState, options: MonitorOptions): Promise<MonitorState> {
  const { targets, trusted, watch, path, places } = options;
  const store = new Store(io, path, { ...initial, watched: watchDigest(watch) });
  const toldIds = new Set<string>();
  const onEvent = (event: MonitorEvent) => {
    options.onEvent(event);
    if (event.type === "finding") toldIds.add(event.finding.id);
    if (event.type === "alarm") toldIds.add(event.alarm.id);
  };
  const telling = { ...options, onEvent };
  const isLate = (finding: Finding) => isDue(finding, { now: io.now(), places });
  for (const finding of initial.findings) if (isLate(finding) && !places) onEvent({ type: "finding", finding });
  for (const alarm of initial.alarms.filter(({ reported }) => !reported)) onEvent({ type: "alarm", alarm });
  const readable: Target[] = [];
  for (const target of targets) {
    const known = store.logOf(target) ?? newLog(target, io.now());
    const outcome = await lookAtTarget(io, known, { target, store, options: telling });
    if (outcome.outcome !== "unavailable") readable.push(target);
    onEvent({ type: "log", log: outcome });
  }
  for (const lost of store.state.logs.filter((log) => !trusted.some((target) => isSame(log, target)))) {
    const reason = "it is not in the trusted root";
    onEvent({ type: "log", log: outcomeOf(lost, "unavailable", reason) });
  }
  if (places) {
    await auditPlaces(io, { store, places, readable, options: telling });
    for (const finding of store.state.findings) if (isLate(finding)) onEvent({ type: "finding", finding });
  }
  await store.markReported(toldIds);
  return store.state;
}

/** Whether a finding is to be told: one that nothing explains, after the time in which its signature may be stored. */
function isDue(
  { reported, acknowledged, foundAt }: Finding,
  { now, places }: { now: Date; places: MonitorOptions["places"] },
): boolean {
  if (reported || acknowledged) return false;
  return !places || now.getTime() - Date.parse(foundAt) >= places.grace;
}

async function auditPlaces(
  io: Io,
  context: { store: Store; places: Places; readable: readonly Target[]; options: MonitorOptions },
): Promise<void> {
  const { store, places, readable, options } = context;
  const audited = new Set(store.state.audited);
  const seen = await audit(io, { places, targets: options.trusted, readable, audited });
  await store.saveAudit(seen, io.now());
  for (const { target, misbehaved } of seen.missing) {
    const alarm = await raise(io, misbehaved, { target, store, folder: options.evidence });
    if (alarm) options.onEvent({ type: "alarm", alarm });
  }
  const { known, unproven, unread } = seen;
  options.onEvent({ type: "audit", audit: { signatures: known.size, missing: seen.missing.length, unproven, unread } });
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
        if (!options.places) for (const finding of added) onEvent({ type: "finding", finding });
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

/** Writes the evidence of a misbehaviour, and stores and returns the alarm; undefined if it was raised before. */
async function raise(
  io: Io,
  { kind, message, evidence }: Misbehaved,
  { target, store, folder }: { target: Target; store: Store; folder: string },
): Promise<Alarm | undefined> {
  const { url, api, logs } = target;
  const facts = [textOf(evidence.known), kind === "unsigned" ? "" : textOf(evidence.seen)];
  if (evidence.stored) facts.splice(0, 2, evidence.stored.logIndex, evidence.stored.body); // its heads differ each time
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
