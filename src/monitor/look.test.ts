import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import { MerkleTree, leafHash as sandboxLeaf } from "../sandbox/logs/merkle.ts";
import { ed25519KeyId, signedCheckpoint } from "../sandbox/logs/note.ts";
import { ALWAYS, NO_TRUST } from "../trust/material.ts";
import { Misbehaved } from "./alarm.ts";
import { emptyHead, type Look, lookAt } from "./look.ts";
import { Frontier } from "./merkle.ts";
import type { LogSource } from "./source.ts";
import type { Finding, LogState } from "./state.ts";

const ENTRIES = 50;
const NAME = "log.example";
const digestOf = (index: number) => index.toString(16).padStart(64, "0");
const bodies = Array.from({ length: ENTRIES }, (_, index) =>
  Buffer.from(
    JSON.stringify({
      apiVersion: "0.0.1",
      kind: "hashedrekord",
      spec: { data: { hash: { algorithm: "sha256", value: digestOf(index % 7) } } },
    }),
  ),
);
const tree = new MerkleTree();
for (const body of bodies) tree.append(sandboxLeaf(body));
const { privateKey, publicKey } = generateKeyPairSync("ed25519");
const keyId = ed25519KeyId(NAME, publicKey.export({ type: "spki", format: "der" }));
const checkpoint = (size: number) =>
  signedCheckpoint({ origin: NAME, name: NAME, key: privateKey, keyId }, { size, root: tree.root(size) });
const target = {
  url: `https://${NAME}`,
  api: 2,
  logs: [{ baseUrl: `https://${NAME}`, id: keyId, key: publicKey, validFor: ALWAYS }],
} as const;
const ours = bodies.flatMap((_, index) => (index % 7 === 3 ? [index] : []));

class Killed extends Error {}

/** A log of growing size, a state file, and a process that is killed at its nth request or write. */
class World {
  size = 20;
  left = Number.POSITIVE_INFINITY;
  disk: { log: LogState; findings: readonly Finding[] } = {
    log: {
      ...{ url: target.url, api: 2, head: emptyHead({ treeId: "" }), since: new Date(0).toISOString(), inactive: [] },
      ...{ offset: 0, next: 0, frontier: [], counts: { entries: 0, unparsed: 0, untrusted: 0 } },
    },
    findings: [],
  };

  step(): void {
    if (this.left-- <= 0) throw new Killed();
  }

  look(): Look {
    const source: LogSource = {
      chunk: 4,
      shards: async () => {
        this.step();
        return { active: { treeId: "", size: this.size, checkpoint: checkpoint(this.size) }, inactive: [] };
      },
      consistency: async ({ size }, first) => {
        this.step();
        return tree.consistencyProof(first, size);
      },
      entries: async function* (this: World, _: unknown, { from, to }: { from: number; to: number }) {
        for (let at = from; at < to; at += 3) {
          this.step();
          yield bodies.slice(at, Math.min(at + 3, to));
        }
      }.bind(this),
      frontier: async () => new Frontier(0, []),
    };
    return {
      target,
      source,
      watch: {
        ...{
          identities: [],
          keys: [],
          digests: new Set([`sha256:${digestOf(3)}`]),
          expected: new Set(),
          authorities: [],
          ordered: { commits: new Set(), identities: [], keys: [] },
        },
        trust: { ...NO_TRUST, now: new Date() },
      },
      searches: true,
      frozenAfter: undefined,
      now: () => new Date(),
      sleep: async () => {},
      save: async (log, findings) => {
        this.step(); // before the write
        this.disk = { log, findings: [...this.disk.findings, ...findings] };
        this.step(); // after it
      },
    };
  }

  /** Looks, and reports whether the process lived to the end. */
  async run(left = Number.POSITIVE_INFINITY): Promise<boolean> {
    this.left = left;
    try {
      await lookAt(this.disk.log, this.look());
      return true;
    } catch (error) {
      if (error instanceof Killed) return false;
      throw error;
    }
  }
}

function assertWhole({ disk }: World, size: number, name: string): void {
  assert.deepEqual(
    disk.findings.map(({ index }) => index),
    ours.filter((index) => index < size),
    name,
  );
  assert.deepEqual([disk.log.counts.entries, disk.log.next, disk.log.head.size], [size, size, size], name);
}

test("lookAt: killed at every request and write, the log growing meanwhile -> no entry twice or never", async () => {
  let moments = 0;
  for (; ; moments++) {
    const world = new World();
    const isDone = await world.run(moments);
    world.size = ENTRIES;
    assert.ok(await world.run());
    assertWhole(world, ENTRIES, `killed at ${moments}`);
    if (isDone) break;
  }
  assert.ok(moments > 20, String(moments));
});

test("lookAt: killed again and again after each few steps -> ends, with every entry once", async () => {
  for (const steps of [6, 7, 9, 13]) {
    const world = new World();
    world.size = ENTRIES;
    let rounds = 0;
    while (!(await world.run(steps))) assert.ok(++rounds < 100, "no progress");
    assertWhole(world, ENTRIES, `every ${steps}`);
  }
});

/** Looks with a source of which some answers are others, and returns the kind of the alarm. */
async function alarmOf(answers: (source: LogSource) => Partial<LogSource>, world = new World()): Promise<string> {
  const look = world.look();
  try {
    await lookAt(world.disk.log, { ...look, source: { ...look.source, ...answers(look.source) } });
    return "none";
  } catch (error) {
    if (error instanceof Misbehaved) return error.kind;
    throw error;
  }
}

test("lookAt: a head signed by the right key under another name, or of another API -> alarm unsigned", async () => {
  const head = (
    origin: string,
    name: string,
    id = ed25519KeyId(name, publicKey.export({ type: "spki", format: "der" })),
  ) => signedCheckpoint({ origin, name, key: privateKey, keyId: id }, { size: 20, root: tree.root(20) });
  const seenAs = (checkpoint: string, treeId = "") =>
    alarmOf(() => ({ shards: async () => ({ active: { treeId, size: 20, checkpoint }, inactive: [] }) }));
  assert.equal(await seenAs(head(NAME, NAME)), "none");
  for (const [origin, name, id] of [
    ["other.example", "other.example", undefined],
    ["other.example", NAME, undefined],
    [NAME, "other.example", undefined],
    [NAME, "other.example", keyId],
    [`${NAME} - 1234`, NAME, undefined],
    ["other.example", NAME, keyId],
  ] as const) {
    assert.equal(await seenAs(head(origin, name, id)), "unsigned", `${origin} by ${name}`);
  }
  const shard = (size: number) => ({ active: { treeId: "", size, checkpoint: checkpoint(20) }, inactive: [] });
  assert.equal(
    await alarmOf(() => ({ shards: async () => shard(19) })),
    "unsigned",
    "another size than the signed one",
  );
});

test("lookAt: other entries for other ranges, in another order, twice, too few, too many -> alarm", async () => {
  const other = Buffer.from("another entry");
  const change = (alter: (found: Buffer[], from: number) => Buffer[]) => (): Partial<LogSource> => ({
    async *entries(_, { from, to }) {
      yield alter(bodies.slice(from, to), from);
    },
  });
  assert.equal(await alarmOf(change((found) => found)), "none");
  const swapped = ([first = other, second = other, ...rest]: Buffer[]) => [second, first, ...rest];
  assert.equal(await alarmOf(change((found, from) => (from === 8 ? swapped(found) : found))), "changed");
  assert.equal(
    await alarmOf(change((found, from) => (from === 16 ? [...found.slice(0, -1), other] : found))),
    "changed",
  );
  assert.equal(
    await alarmOf(change((_, from) => bodies.slice(from === 4 ? 0 : from, from === 4 ? 4 : from + 4))),
    "changed",
  );
  assert.equal(await alarmOf(change((found, from) => (from === 12 ? found.slice(1) : found))), "withheld");
  assert.equal(await alarmOf(change((found) => [...found, other])), "changed");
});
