import assert from "node:assert/strict";
import { test } from "node:test";
import { Metrics } from "../src/admission/metrics.ts";
import { TimeLimits } from "../src/admission/time-limits.ts";
import { Turns } from "../src/admission/turns.ts";
import type { Answer } from "../src/admission/words.ts";
import { testIo } from "./support/test-io.ts";

const wanted = () => true;
const turn = () => new Promise((done) => setImmediate(done));

/** Work that runs until it is ended, in the order in which it began. */
function works(turns: Turns) {
  const begun: string[] = [];
  const ends = new Map<string, () => void>();
  const start = (name: string, id: string, isWanted = wanted) =>
    turns.run(name, isWanted, () => {
      begun.push(id);
      return new Promise<void>((done) => ends.set(id, done));
    });
  const end = async (id: string) => {
    ends.get(id)?.();
    await turn();
  };
  return { begun, start, end };
}

test("metrics: names of rules, which anybody may choose, are bounded in number and length, and every decision is counted", () => {
  const metrics = new Metrics();
  const answer: Answer = {
    ...{ image: "r.example/app:1", pinned: undefined, allowed: false, ok: false, rule: "all", isDefect: false },
    ...{ text: "", source: "kept", reason: "refused", effect: "enforce" },
  };
  metrics.decision(answer);
  for (let number = 0; number < 3000; number++) metrics.decision({ ...answer, rule: `${number} ${"x".repeat(5000)}` });
  metrics.decision(answer);
  const text = metrics.text({});
  assert.ok(text.length < 300_000, String(text.length));
  assert.match(text, /^tsign_admission_decisions_total\{rule="all",reason="refused",allowed="false"\} 2$/m);
  assert.match(text, /^tsign_admission_decisions_total\{rule="others",reason="refused",allowed="false"\} 2001$/m);
  const counts = [...text.matchAll(/^tsign_admission_decisions_total\{.*\} (\d+)$/gm)].map(([, count]) =>
    Number(count),
  );
  assert.equal(
    counts.reduce((sum, count) => sum + count, 0),
    3002,
  );
});

test("turns: each name and all together are bounded, and names take turns at the places that become free", async () => {
  const { begun, start, end } = works(new Turns({ running: 2, waiting: 9, allRunning: 3, allWaiting: 9 }));
  for (const id of ["a1", "a2", "a3", "a4"]) void start("a", id);
  assert.deepEqual(begun, ["a1", "a2"], "two of a name");
  for (const name of ["b", "c", "d"]) for (const number of [1, 2]) void start(name, `${name}${number}`);
  assert.deepEqual(begun, ["a1", "a2", "b1"], "three of all");
  await end("a1");
  assert.deepEqual(begun.slice(3), ["a3"]);
  for (const id of ["a2", "b1", "a3"]) await end(id);
  assert.deepEqual(begun.slice(4), ["b2", "c1", "d1"], "not a name's whole queue first");
  for (const id of ["b2", "c1", "d1"]) await end(id);
  assert.deepEqual(begun.slice(7).sort(), ["a4", "c2", "d2"]);
});

test("turns: what nobody waits for any more is dropped, and does not fill the queue; a full queue refuses", async () => {
  const { begun, start, end } = works(new Turns({ running: 1, waiting: 2, allRunning: 9, allWaiting: 3 }));
  let isWanted = true;
  void start("a", "a1");
  const old = start("a", "a2", () => isWanted);
  const older = start("a", "a3", () => isWanted);
  await assert.rejects(start("a", "a4"), /too many images are waiting/);
  isWanted = false;
  const rejected = [old, older].map((each) => assert.rejects(each, /not begun in time/));
  void start("a", "a5");
  await Promise.all(rejected);
  for (const id of ["b1", "b2", "b3"]) void start("b", id);
  await assert.rejects(start("b", "b4"), /too many/, "three wait in all: a5, b2 and b3");
  void start("c", "c1");
  assert.deepEqual(begun.slice(-1), ["c1"], "what need not wait begins");
  await end("a1");
  assert.deepEqual(begun.slice(-1), ["a5"]);
});

test("turns: work that fails gives back its place", async () => {
  const turns = new Turns({ running: 1, waiting: 1, allRunning: 1, allWaiting: 1 });
  for (let round = 0; round < 3; round++) {
    await assert.rejects(
      turns.run("a", wanted, async () => {
        throw new Error("no");
      }),
    );
  }
  assert.equal(await turns.run("b", wanted, async () => "yes"), "yes");
});

test("time limits: work of one that is late is aborted, also over what it shares; others go on", async () => {
  const base = testIo();
  const limits = new TimeLimits(base, 40);
  const request = () =>
    new Promise<never>((_, fail) => {
      const { signal } = limits.io;
      if (signal.aborted) fail(signal.reason);
      signal.addEventListener("abort", () => fail(signal.reason));
    });
  const started = Date.now();
  await assert.rejects(limits.run("verify images of r", request), /verify images of r: not finished within 0\.04 s/);
  assert.ok(Date.now() - started < 5000);
  // Work that does not notice the signal is left behind.
  await assert.rejects(
    limits.run("x", () => new Promise(() => {})),
    /x: not finished/,
  );
  assert.equal(await limits.run("y", async () => limits.io.signal.aborted), false);
  assert.equal(limits.io.signal, base.signal, "outside of limited work");
  const none = new TimeLimits(base, undefined);
  assert.equal(await none.run("z", async () => none.io.signal === base.signal), true);
});
