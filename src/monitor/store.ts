import type { Io } from "../io/io.ts";
import type { Audit } from "./audit/audit.ts";
import { type Alarm, type Finding, type LogState, type MonitorState, updateState } from "./state.ts";
import type { Target } from "./target.ts";

/** The state in memory and in its file. */
export class Store {
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

  /** Notes which findings and alarms were told. */
  markReported(ids: ReadonlySet<string>): Promise<void> {
    const { findings, alarms } = this.state;
    const told = <T extends Finding | Alarm>(items: readonly T[]) =>
      items.map((each) => (ids.has(each.id) ? { ...each, reported: true } : each));
    return this.#write({ ...this.state, findings: told(findings), alarms: told(alarms) });
  }

  /** Stores what an audit has shown: findings that are explained need no one's attention. */
  saveAudit({ known, certificates, found }: Pick<Audit, "known" | "certificates" | "found">, now: Date): Promise<void> {
    const at = now.toISOString();
    const findings = this.state.findings.map((each) => {
      const where = known.get(each.leafHash) ?? certificates.get(each.certificate ?? "");
      return where === undefined || each.acknowledged
        ? each
        : { ...each, acknowledged: { why: `stored with ${where}`, at } };
    });
    return this.#write({ ...this.state, findings, audited: [...this.state.audited, ...found] });
  }

  async #write(next: MonitorState): Promise<void> {
    this.state = await updateState(this.#io, this.#path, next);
  }
}

/** Whether two are the same log. */
export function isSame(a: Pick<LogState, "url" | "api">, b: Pick<LogState, "url" | "api">): boolean {
  return a.url === b.url && a.api === b.api;
}
