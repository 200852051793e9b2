import { leafHash } from "../format/merkle.ts";
import type { LogHead } from "../verify/checkpoint.ts";
import { CheckFailed } from "../verify/model.ts";
import { verifyWitnesses, type Witnesses } from "../verify/witness.ts";
import { type AlarmEvidence, hexOf, Misbehaved, stableId } from "./alarm.ts";
import { searchLeaf } from "./ct/search-ct.ts";
import { Frontier, isConsistent } from "./merkle.ts";
import type { LogSource, Shard, Shards, SizedTree } from "./source.ts";
import type { Finding, LogState } from "./state.ts";
import { type Target, verifyHead } from "./target.ts";
import { type Match, search, type Watch } from "./watch.ts";

/** How often a head that is older than the known one is asked for again: a replica may be behind. */
const AGAIN = 2;
const PAUSE = 1000;

/** How a log is looked at. */
export interface Look {
  readonly target: Target;
  readonly source: LogSource;
  readonly watch: Watch;
  /** Whether entries are searched. */
  readonly searches: boolean;
  /** Milliseconds after which a head that does not change is an alarm; undefined for never. */
  readonly frozenAfter: number | undefined;
  /** The witnesses of the log, if its heads must be cosigned. */
  readonly witnesses?: Witnesses | undefined;
  readonly now: () => Date;
  readonly sleep: (milliseconds: number) => Promise<void>;
  /** Stores the log's state, with the findings of the range that was searched last. */
  readonly save: (log: LogState, findings: readonly Finding[]) => Promise<void>;
}

/**
 * Looks at a log: that its head is signed, that its tree begins with the one that is known, and whose entries are new. Each step is
 * stored by `save` when it is proven.
 *
 * @throws Misbehaved with the evidence; TsignError for a log that cannot be read
 */
export async function lookAt(known: LogState, look: Look): Promise<void> {
  const shards = await currentShards(known, look);
  let log = known;
  for (const [index, tree] of log.inactive.entries()) requireUnchanged(tree, shards.inactive[index], look);
  for (const closed of shards.inactive.slice(log.inactive.length)) {
    if (closed.treeId !== log.head.treeId) break;
    log = await searchTree(await advance(log, closed, look), look);
    log = await startNext(log, shards, look);
  }
  if (shards.active.treeId !== log.head.treeId && look.target.api === 1) {
    throw new Misbehaved("replaced", `tree ${log.head.treeId} is neither active nor among the inactive shards`, {
      known: log.head.checkpoint,
      seen: shards.active.checkpoint,
    });
  }
  const { size } = log.head;
  log = await advance(log, shards.active, look);
  // What there is comes first: a log that is frozen may still have entries that were not searched.
  await searchTree(log, look);
  if (log.head.size === size) requireFresh(log, look);
}

/** Asks for the trees, again if the head is older than the known one. */
async function currentShards({ head }: LogState, { source, sleep }: Look): Promise<Shards> {
  for (let round = 1; ; round++) {
    const shards = await source.shards();
    const { active } = shards;
    if (active.treeId !== head.treeId || active.size >= head.size || round > AGAIN) return shards;
    await sleep(PAUSE);
  }
}

/** A tree that grows no longer has the root that it had. */
function requireUnchanged(known: LogState["head"], seen: Shard | undefined, { target }: Look): void {
  const evidence = { known: known.checkpoint, seen: seen?.checkpoint ?? "" };
  if (seen?.treeId !== known.treeId) {
    throw new Misbehaved("replaced", `inactive shard ${known.treeId} is no longer one of the log`, evidence);
  }
  const head = signedHead(seen, known.checkpoint, target);
  if (head.size === known.size && hexOf(head.root) === known.root) return;
  throw new Misbehaved("rewritten", `inactive shard ${known.treeId} has changed`, evidence);
}

function signedHead(shard: Shard, known: string, target: Target): LogHead {
  try {
    const head = verifyHead(shard.checkpoint, target);
    if ((head.treeId ?? "") !== shard.treeId || head.size !== shard.size) {
      throw new CheckFailed("log", "checkpoint is not for the tree that the log names");
    }
    return head;
  } catch (error) {
    if (!(error instanceof CheckFailed)) throw error;
    throw new Misbehaved("unsigned", error.message, { known, seen: shard.checkpoint });
  }
}

/** Proves that a tree begins with the known one, and stores its head. */
async function advance(log: LogState, shard: Shard, look: Look): Promise<LogState> {
  const { head: known } = log;
  const head = signedHead(shard, known.checkpoint, look.target);
  const evidence = { known: known.checkpoint, seen: head.envelope };
  if (head.size < known.size) {
    const reason = `its tree has ${head.size} entries, fewer than the ${known.size} that it had`;
    throw new Misbehaved("shrunk", reason, evidence);
  }
  if (head.size === known.size) {
    if (hexOf(head.root) !== known.root) {
      throw new Misbehaved("forked", `it signed two trees of ${head.size} entries`, evidence);
    }
    return log;
  }
  if (known.size > 0) await requireConsistent(log, head, look);
  requireWitnessed(head, evidence, look);
  const { treeId } = shard;
  const next = {
    ...log,
    since: look.now().toISOString(),
    head: { treeId, size: head.size, root: hexOf(head.root), checkpoint: head.envelope },
  };
  await look.save(next, []);
  return next;
}

function requireWitnessed({ envelope }: LogHead, evidence: AlarmEvidence, { witnesses }: Look): void {
  try {
    if (witnesses) verifyWitnesses(envelope, witnesses);
  } catch (error) {
    if (!(error instanceof CheckFailed)) throw error;
    throw new Misbehaved("unwitnessed", error.message, evidence);
  }
}

function requireFresh({ since, head }: LogState, look: Look): void {
  const { frozenAfter, now, target } = look;
  const isClosed = target.logs.every(({ validFor }) => validFor.end !== undefined && validFor.end < now());
  if (frozenAfter === undefined || isClosed || now().getTime() - Date.parse(since) <= frozenAfter) return;
  const evidence = { known: head.checkpoint, seen: head.checkpoint };
  throw new Misbehaved("frozen", `its head of ${head.size} entries has not changed since ${since}`, evidence);
}

async function requireConsistent({ head: known, offset }: LogState, head: LogHead, look: Look): Promise<void> {
  const proof = await look.source.consistency({ treeId: known.treeId, size: head.size, offset }, known.size);
  if (isConsistent({ size: known.size, root: Buffer.from(known.root, "hex") }, head, proof)) return;
  const reason = `no proof that its tree of ${head.size} entries begins with the ${known.size} that it had`;
  const evidence = { known: known.checkpoint, seen: head.envelope, proof: proof.map(hexOf) };
  throw new Misbehaved("rewritten", reason, evidence);
}

/** Continues with the tree after one that grows no longer. */
async function startNext(log: LogState, { active, inactive }: Shards, look: Look): Promise<LogState> {
  const next = inactive[log.inactive.length + 1] ?? active;
  const started: LogState = {
    ...log,
    inactive: [...log.inactive, log.head],
    offset: log.offset + log.head.size,
    head: emptyHead(next),
    since: look.now().toISOString(),
    next: 0,
    frontier: [],
  };
  await look.save(started, []);
  return started;
}

/** The head of a tree of which nothing is known yet. */
export function emptyHead({ treeId }: Pick<Shard, "treeId">): LogState["head"] {
  return { treeId, size: 0, root: hexOf(new Frontier(0, []).root()), checkpoint: "" };
}

/** Searches the entries of the tree that were not searched yet, in ranges that are proven and stored one by one. */
async function searchTree(known: LogState, look: Look): Promise<LogState> {
  if (!look.searches) return known;
  let log = known;
  while (log.next < log.head.size) {
    const end = log.next + look.source.chunk;
    const to = Math.min(end - (end % look.source.chunk), log.head.size);
    const { searched, findings } = await searchRange(log, to, look);
    log = searched;
    await look.save(log, findings);
  }
  return log;
}

async function searchRange(
  log: LogState,
  to: number,
  look: Look,
): Promise<{ searched: LogState; findings: Finding[] }> {
  const { head, offset, next: from } = log;
  const tree: SizedTree = { treeId: head.treeId, size: head.size, offset };
  const before = log.frontier.map((each) => Buffer.from(each, "hex"));
  const frontier = new Frontier(from, before);
  const leaves: Uint8Array[] = [];
  const counts = { ...log.counts };
  const findings: Finding[] = [];
  for await (const bodies of look.source.entries(tree, { from, to })) {
    for (const body of bodies) {
      const leaf = leafHash(body);
      const seen = look.target.api === "ct" ? searchLeaf(body, look.watch) : search(body, look.watch);
      counts.entries++;
      if (seen === "unparsed" || seen === "untrusted") counts[seen]++;
      else if (seen !== "nothing") findings.push(findingOf(log, { leaf, index: offset + frontier.size, seen }, look));
      leaves.push(leaf);
      frontier.append(leaf);
    }
  }
  const evidence = {
    known: head.checkpoint,
    seen: head.checkpoint,
    entries: { from, before: before.map(hexOf), leaves: leaves.map(hexOf) },
  };
  if (frontier.size < to) {
    const reason = `it does not return entry ${offset + frontier.size}, although its tree has ${head.size} entries`;
    throw new Misbehaved("withheld", reason, evidence);
  }
  await requireProven(tree, { frontier, root: Buffer.from(head.root, "hex") }, { look, evidence });
  return { searched: { ...log, next: to, frontier: frontier.nodes.map(hexOf), counts }, findings };
}

/** Requires that the entries up to here are those of the signed tree. */
async function requireProven(
  tree: SizedTree,
  { frontier, root }: { frontier: Frontier; root: Uint8Array },
  { look, evidence }: { look: Look; evidence: { known: string; seen: string } },
): Promise<void> {
  const { size } = frontier;
  const proof = size === tree.size ? [] : await look.source.consistency(tree, size);
  if (isConsistent({ size, root: frontier.root() }, { size: tree.size, root }, proof)) return;
  const reason = `its entries up to ${tree.offset + size - 1} are not those of the tree that it signed`;
  throw new Misbehaved("changed", reason, { ...evidence, proof: proof.map(hexOf) });
}

function findingOf(
  { url, api }: LogState,
  { leaf, index, seen }: { leaf: Uint8Array; index: number; seen: Match },
  look: Look,
): Finding {
  return {
    id: stableId("f", api, url, index, hexOf(leaf)),
    log: url,
    api,
    index,
    leafHash: hexOf(leaf),
    ...seen,
    foundAt: look.now().toISOString(),
    reported: false,
    sent: [],
  };
}
