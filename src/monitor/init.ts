import { TsignError } from "../errors.ts";
import type { Io } from "../io/io.ts";
import { CheckFailed } from "../verify/model.ts";
import { hexOf } from "./alarm.ts";
import { emptyHead } from "./look.ts";
import { openSource } from "./monitor.ts";
import type { Shard } from "./source.ts";
import type { LogState, MonitorState } from "./state.ts";
import { type Target, verifyHead } from "./target.ts";

/**
 * The first state of a monitor: the heads of the logs, and where the search begins.
 *
 * @param from a number of entries of each log that are not searched; "now" for all that it has
 * @throws TsignError "untrusted" for a log whose head is not signed or whose entries are not those of its tree; "input" for a number
 *   above the log's size or in an inactive shard, and what the logs throw
 */
export async function firstState(
  io: Io,
  { targets, from, watched }: { targets: readonly Target[]; from: "now" | number; watched: string },
): Promise<MonitorState> {
  const logs: LogState[] = [];
  for (const target of targets) logs.push(await firstLog(io, target, from));
  return { logs, watched, audited: [], findings: [], alarms: [] };
}

async function firstLog(io: Io, target: Target, from: "now" | number): Promise<LogState> {
  const { url, api } = target;
  const source = openSource(io, target);
  const { active, inactive } = await source.shards();
  const counts = { entries: 0, unparsed: 0, untrusted: 0 };
  const common = { url, api, since: io.now().toISOString(), counts };
  const heads = inactive.map((shard) => headOf(shard, target));
  const head = headOf(active, target);
  if (from === 0) {
    const first = emptyHead(inactive[0] ?? active);
    return { ...common, head: first, inactive: [], offset: 0, next: 0, frontier: [] };
  }
  const offset = heads.reduce((sum, { size }) => sum + size, 0);
  const next = from === "now" ? head.size : from - offset;
  if (next < 0 || next > head.size) {
    const range = `${offset} to ${offset + head.size}`;
    throw new TsignError("input", `start at entry ${from} of ${url}: its active tree has entries ${range}`, {
      hint: "pass a number in this range, 0, or now",
    });
  }
  const frontier = await source.frontier({ treeId: active.treeId, size: head.size, offset }, next);
  const isRoot = next < head.size || hexOf(frontier.root()) === head.root;
  if (!isRoot || !frontier.isComplete) throw untrusted(target, "its entries are not those of the tree that it signed");
  return { ...common, head, inactive: heads, offset, next, frontier: frontier.nodes.map(hexOf) };
}

function headOf(shard: Shard, target: Target): LogState["head"] {
  try {
    const { size, root, treeId = "", envelope } = verifyHead(shard.checkpoint, target);
    if (size !== shard.size || treeId !== shard.treeId) throw new CheckFailed("log", "checkpoint is for another tree");
    return { treeId, size, root: hexOf(root), checkpoint: envelope };
  } catch (error) {
    if (!(error instanceof CheckFailed)) throw error;
    throw untrusted(target, error.message);
  }
}

function untrusted({ url }: Target, reason: string): TsignError {
  return new TsignError("untrusted", `read the head of ${url}: ${reason}`);
}
