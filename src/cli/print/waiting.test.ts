import assert from "node:assert/strict";
import { test } from "node:test";
import { showWaiting } from "./waiting.ts";

/** Runs through `steps` of half a second each, in which the services named have not answered. */
async function shown(steps: readonly (readonly string[])[], options: { stderr?: boolean; TERM?: string } = {}) {
  const state = { now: 0, step: -1, drawn: [] as string[] };
  const done = new AbortController();
  const io = {
    now: () => new Date(state.now),
    env: { TERM: options.TERM ?? "xterm" },
    async sleep(milliseconds: number) {
      state.now += milliseconds;
      state.step++;
      if (state.step >= steps.length) done.abort();
    },
    tty: {
      stdin: false,
      stdinIsNull: true,
      stdout: false,
      stderr: options.stderr ?? true,
      columns: 80,
      status: (text: string) => void state.drawn.push(text),
      prompt: () => Promise.reject(new Error("no prompt")),
    },
  };
  await showWaiting(io, () => steps[state.step] ?? [], done.signal);
  return state.drawn;
}

test("showWaiting: services that are silent for a second are shown, and removed when they answer", async () => {
  assert.deepEqual(await shown([["a"], ["a"], ["a", "b"], ["b"], []]), [
    "waiting for a (1 s)",
    "waiting for a (1 s)",
    "",
    "waiting for b (1 s)",
    "",
  ]);
});

test("showWaiting: quick answers, no terminal, a dumb one -> nothing", async () => {
  assert.deepEqual(await shown([["a"], ["b"], ["c"], []]), []);
  const silent = Array.from({ length: 20 }, () => ["a"]);
  assert.deepEqual(await shown(silent, { stderr: false }), []);
  assert.deepEqual(await shown(silent, { TERM: "dumb" }), []);
});
