import assert from "node:assert/strict";
import { test } from "node:test";
import { StatusArea } from "./status.ts";

/** A terminal that records what its status lines are set to, and signals that are held until `held` is false. */
function screen(columns = 80) {
  const state = { drawn: [] as string[], held: false };
  const io = {
    tty: {
      stdin: true,
      stdinIsNull: false,
      stdout: true,
      stderr: true,
      columns,
      status: (text: string) => void state.drawn.push(text),
      prompt: async (question: string) => {
        state.drawn.push(question);
        area.set("during");
        return "answer";
      },
    },
    async orderly<T>(work: () => Promise<T>): Promise<T> {
      state.held = true;
      try {
        return await work();
      } finally {
        state.held = false;
      }
    },
  };
  const area = new StatusArea(io);
  return { area, state };
}

test("StatusArea: lines of several steps are shown together, each removed on its own", () => {
  const { area, state } = screen();
  const [one, two] = [{}, {}];
  area.set("one: 1", one);
  area.set("two: 1", two);
  area.set("", one);
  area.set("", two);
  assert.deepEqual(state.drawn, ["one: 1", "one: 1\ntwo: 1", "two: 1", ""]);
});

test("StatusArea: lines never wrap, and contain no control character", () => {
  const { area, state } = screen(10);
  area.set("a\u001b[2J bcdefghijkl");
  assert.deepEqual(state.drawn, ["a\\u001b[2"]);
});

test("StatusArea: erased before other output, shown again with the next change", () => {
  const { area, state } = screen();
  area.erase();
  area.set("one: 1");
  area.erase();
  area.erase();
  area.set("one: 2");
  assert.deepEqual(state.drawn, ["one: 1", "", "one: 2"]);
});

test("StatusArea: nothing is drawn during a prompt, and nothing after close", async () => {
  const { area, state } = screen();
  area.set("one: 1");
  assert.equal(await area.terminal().prompt("? ", { secret: false }), "answer");
  assert.deepEqual(state.drawn, ["one: 1", "", "? "]);
  area.close();
  area.set("late");
  assert.deepEqual(state.drawn, ["one: 1", "", "? "]);
});

test("StatusArea: signals are held only while a line is shown", async () => {
  const { area, state } = screen();
  area.set("one: 1");
  assert.equal(state.held, true);
  area.set("");
  await new Promise((done) => setImmediate(done));
  assert.equal(state.held, false);
  area.set("one: 2");
  area.close();
  await new Promise((done) => setImmediate(done));
  assert.equal(state.held, false);
});
