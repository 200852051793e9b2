import * as z from "zod/mini";
import { TsignError } from "../errors.ts";
import { digestOf } from "../format/digest.ts";
import { parseJson } from "../format/json.ts";
import type { Io } from "../io/io.ts";
import { ALARM_KINDS } from "./alarm.ts";

const MAX_STATE = 64 * 1024 * 1024;
const hash = z.string().check(z.regex(/^[0-9a-f]{64}$/));
const count = z.int().check(z.minimum(0));
const time = z.string().check(z.regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/));
const acknowledged = z.optional(z.strictObject({ why: z.string(), at: time }));

const api = z.union([z.literal(1), z.literal(2), z.literal("ct")]);

const tree = z.strictObject({ treeId: z.string(), size: count, root: hash, checkpoint: z.string() });

const log = z.strictObject({
  url: z.string(),
  api,
  /** The last head that was proven. */
  head: tree,
  /** When the head of this size was first seen. */
  since: time,
  /** Trees that grow no longer, the oldest first; `offset` is the number of their entries. */
  inactive: z.array(tree),
  offset: count,
  /** The first entry of the tree that was not searched, and the hashes of the complete subtrees before it. */
  next: count,
  frontier: z.array(hash),
  counts: z.strictObject({ entries: count, unparsed: count, untrusted: count }),
});

const finding = z.strictObject({
  id: z.string(),
  log: z.string(),
  api,
  /** Numbered through all trees of the log. */
  index: count,
  leafHash: hash,
  kind: z.string(),
  digest: z.optional(z.string()),
  by: z.enum(["identity", "key", "authority", "digest", "malformed"]),
  signer: z.string(),
  /** Hash of what a certificate transparency log has recorded. */
  certificate: z.optional(hash),
  /** Start of the certificate's validity. */
  notBefore: z.optional(z.string()),
  foundAt: time,
  reported: z.boolean(),
  /** The channels that took it (report/channels.ts). */
  sent: z.array(z.string()),
  acknowledged,
});

const alarm = z.strictObject({
  id: z.string(),
  log: z.string(),
  api,
  kind: z.enum(ALARM_KINDS),
  reason: z.string(),
  evidence: z.string(),
  raisedAt: time,
  reported: z.boolean(),
  /** The channels that took it (report/channels.ts). */
  sent: z.array(z.string()),
  acknowledged,
});

const state = z.strictObject({
  logs: z.array(log),
  /** What the entries were searched for, as a digest. */
  watched: z.string(),
  /** Hashes of the leaves of stored signatures that are in their logs. */
  audited: z.array(hash),
  findings: z.array(finding),
  alarms: z.array(alarm),
});

/** The file: the digest finds a state that was cut or changed. */
const file = z.strictObject({ version: z.literal(1), digest: z.string(), state });

export type MonitorState = Omit<z.infer<typeof state>, "findings" | "alarms"> & {
  findings: Finding[];
  alarms: Alarm[];
};
export type LogState = z.infer<typeof log>;
export type Finding = Exact<z.infer<typeof finding>>;
export type Alarm = Exact<z.infer<typeof alarm>>;
/** Members that may be missing, and are never undefined: JSON has no such value. */
type Exact<T> = { [K in keyof T]: Exclude<T[K], undefined> };

/** Whether a finding or an alarm is told, and not acknowledged. A finding that waits for its signature to be stored is not told yet. */
export function isOpen({ reported, acknowledged }: Finding | Alarm): boolean {
  return reported && acknowledged === undefined;
}

/**
 * Reads the state of a monitor. A missing or spoilt one is an error: a monitor that began again would skip entries.
 *
 * @throws TsignError "input"
 */
export async function readState(io: Pick<Io, "files">, path: string): Promise<MonitorState> {
  if (!(await io.files.stat(path))) {
    throw new TsignError("input", `read state "${path}": no such file`, {
      hint: "create it with `tsign monitor init`, or restore it: a new state does not contain what was seen before",
    });
  }
  const spoilt = (reason: string, cause?: unknown) =>
    new TsignError("input", `read state "${path}": ${reason}`, {
      hint: "restore the file from a copy; `tsign monitor init` creates a new state, which does not contain what was seen before",
      cause,
    });
  const bytes = await io.files.read(path, { maxBytes: MAX_STATE });
  let json: unknown;
  try {
    json = parseJson(bytes, "it");
  } catch (cause) {
    throw spoilt("not valid JSON", cause);
  }
  const { success, data, error } = file.safeParse(json);
  if (!success) {
    const [first] = error.issues;
    throw spoilt(`invalid field ${first?.path.join(".") || "at the top"}`);
  }
  if (data.digest !== digestOfState(data.state)) throw spoilt("digest mismatch: the file was changed or cut");
  return data.state as MonitorState;
}

/** Writes the state in one step: a reader, and a process that was killed, leave the old or the new one. @throws TsignError "input" */
export async function writeState(io: Pick<Io, "files">, path: string, content: MonitorState): Promise<void> {
  const document = { version: 1, digest: digestOfState(content), state: content };
  await io.files.replace(path, `${JSON.stringify(document)}\n`, { mode: 0o600 });
}

/**
 * Writes the state of a monitor that runs, with what `tsign monitor ack` has noted in the file meanwhile, and returns what was written.
 *
 * @throws TsignError "input", also if the file was lost or spoilt meanwhile
 */
export async function updateState(io: Pick<Io, "files">, path: string, content: MonitorState): Promise<MonitorState> {
  const stored = await readState(io, path);
  const marks = new Map([...stored.findings, ...stored.alarms].map(({ id, acknowledged }) => [id, acknowledged]));
  const marked = <T extends Finding | Alarm>(items: readonly T[]): T[] =>
    items.map((item) => {
      const acknowledged = item.acknowledged ?? marks.get(item.id);
      return acknowledged === undefined ? item : { ...item, acknowledged };
    });
  const merged = { ...content, findings: marked(content.findings), alarms: marked(content.alarms) };
  await writeState(io, path, merged);
  return merged;
}

/** The digest of a state. The members are in the order of the schema, whether they were read or made. */
function digestOfState(content: unknown): string {
  return digestOf(Buffer.from(JSON.stringify(state.parse(content))));
}
