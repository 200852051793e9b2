import { hash } from "../format/digest.ts";

/** How a log misbehaves. */
export const ALARM_KINDS = [
  "forked", // two signed trees of the same size
  "rewritten", // a signed tree that does not begin with one that the log signed before
  "shrunk", // a signed tree that is smaller than one that the log signed before
  "frozen", // no new head within the time in which this log must have one
  "changed", // entries that are not those of the signed tree
  "withheld", // an entry of the signed tree that the log does not return
  "unsigned", // a head without the log's signature
  "unwitnessed", // a head that too few witnesses have cosigned
  "missing", // an entry that it proved or promised to have, and does not return
  "replaced", // another tree, and the one before is not among the log's inactive shards
] as const;
export type AlarmKind = (typeof ALARM_KINDS)[number];

/** What proves the misbehaviour to others. Hashes are hex. */
export interface AlarmEvidence {
  /** The last head that was proven, as the log signed it. */
  readonly known: string;
  /** What the log returned now. */
  readonly seen: string;
  readonly proof?: readonly string[];
  /** A signature's entry: where it is stored, its index and its body in base64. */
  readonly stored?: { readonly where: string; readonly logIndex: string; readonly body: string };
  /** Entries that were fetched: the first index, the subtrees before it, and the hashes of the leaves. */
  readonly entries?: { readonly from: number; readonly before: readonly string[]; readonly leaves: readonly string[] };
}

/** Thrown while a log is read, when it misbehaves. It is not thrown outside this folder. */
export class Misbehaved extends Error {
  readonly kind: AlarmKind;
  readonly evidence: AlarmEvidence;

  constructor(kind: AlarmKind, reason: string, evidence: AlarmEvidence) {
    super(reason);
    this.kind = kind;
    this.evidence = evidence;
  }
}

/** An ID that is the same each time for the same facts: 16 hex digits after a letter for alarm, channel, finding or report. */
export function stableId(letter: "a" | "c" | "f" | "r", ...facts: readonly (string | number)[]): string {
  const digest = hash("sha256", Buffer.from(JSON.stringify(facts)));
  return `${letter}-${Buffer.from(digest).toString("hex").slice(0, 16)}`;
}

export const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
