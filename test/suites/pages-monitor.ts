import type { Looked } from "../../src/monitor/report/summary.ts";
import type { Alarm, Finding, LogState } from "../../src/monitor/state.ts";

const TIME = "2026-11-30T12:00:00.000Z";
const HASH = "a".repeat(64);
const URLS = [
  "https://rekor.sigstore.dev",
  "https://log2025-1.rekor.sigstore.dev",
  "https://ctfe.sigstore.dev/2022",
] as const;
const APIS = [1, 2, "ct"] as const;
const COUNTS = { entries: 5_000_000, unparsed: 3, untrusted: 1 };

const logOf = (index: 0 | 1 | 2): LogState => ({
  url: URLS[index],
  api: APIS[index],
  head: { treeId: "", size: 2_000_000_000, root: HASH, checkpoint: "" },
  since: TIME,
  inactive: [],
  offset: 0,
  next: 0,
  frontier: [],
  counts: COUNTS,
});

const findingOf = (text: string, index: number): Finding => ({
  id: `f-${String(index).padStart(16, "0")}`,
  log: URLS[1],
  api: 2,
  index,
  leafHash: HASH,
  kind: "hashedrekord 0.0.2",
  digest: `sha256:${HASH}`,
  by: "identity",
  signer: text,
  notBefore: TIME,
  foundAt: TIME,
  reported: true,
  sent: [],
});

const alarmOf = (text: string, index: number): Alarm => ({
  id: `a-${String(index).padStart(16, "0")}`,
  log: URLS[0],
  api: 1,
  kind: "forked",
  reason: text,
  evidence: `monitor.json.evidence/a-${String(index).padStart(16, "0")}.json`,
  raisedAt: TIME,
  reported: true,
  sent: [],
});

/** What a monitor's page shows: nothing open, findings and alarms whose texts are those of an attacker, and hundreds of them. */
export function dashboards(hostile: string): Readonly<Record<string, Looked>> {
  const looked = (text: string, count: number): Looked => ({
    state: {
      logs: [logOf(0), logOf(1), logOf(2)],
      watched: "",
      audited: [],
      findings: Array.from({ length: count }, (_, index) => findingOf(text, index)),
      alarms: Array.from({ length: count }, (_, index) => alarmOf(text, index)),
    },
    logs: URLS.map((log, index) => ({
      log,
      api: APIS[index] ?? 1,
      outcome: count === 0 ? "consistent" : index === 0 ? "misbehaved" : "unavailable",
      size: 2_000_000_000,
      searched: COUNTS.entries,
      unparsed: COUNTS.unparsed,
      untrusted: COUNTS.untrusted,
      ...(count === 0 ? {} : { reason: text }),
    })),
    undelivered: count === 0 ? [] : [{ channel: "https://hooks.example.com", reason: text }],
    unread: count === 0 ? [] : [{ where: "registry.example.com/acme/app", reason: text }],
  });
  return {
    "monitor-well": looked("", 0),
    "monitor-hostile": looked(hostile, 2),
    "monitor-many": looked("https://github.com/acme/widget/.github/workflows/release.yml@refs/heads/main", 300),
  };
}
