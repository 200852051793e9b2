import assert from "node:assert/strict";
import { test } from "node:test";
import { formatBytes, progress, watchedTransfer } from "./progress.ts";

/** A terminal with a clock that the test sets, in milliseconds. */
function terminal(options: { stderr?: boolean; columns?: number; env?: Record<string, string> } = {}) {
  const state = { now: 5_000, written: "" };
  const io = {
    now: () => new Date(state.now),
    env: options.env ?? {},
    tty: {
      stdin: false,
      stdinIsNull: false,
      stdout: false,
      stderr: options.stderr ?? true,
      columns: options.columns ?? 80,
      status: (text: string) => {
        state.written += `\r\u001b[K${text}`;
      },
      prompt: () => Promise.reject(new Error("no prompt")),
    },
  };
  return { io, state };
}

test("nothing is shown for what takes less than a second", () => {
  const { io, state } = terminal();
  const line = progress(io, "Hashing", { total: 10, unit: "items" });
  state.now += 900;
  line.update(9);
  line.end();
  assert.equal(state.written, "");
});

test("a long step has one line, rewritten at most five times a second, and erased at its end", () => {
  const { io, state } = terminal();
  const line = progress(io, "Hashing", { total: 4 * 1024 ** 3, unit: "bytes" });
  state.now += 1_000;
  line.update(1024 ** 3);
  assert.equal(state.written, "\r\u001b[KHashing: 1.0 GiB of 4.0 GiB (25 %)");
  state.now += 100;
  line.update(2 * 1024 ** 3);
  assert.equal(state.written.split("\r").length, 2, "too soon for the next");
  state.now += 100;
  line.update(3 * 1024 ** 3);
  assert.ok(state.written.endsWith("(75 %)"));
  line.end();
  assert.ok(state.written.endsWith("\r\u001b[K"));
});

test("watchedTransfer: pieces pass unchanged; a slow blob shows its digest and share until it ends or fails", async () => {
  const { io, state } = terminal();
  const blob = { digest: `sha256:${"ab".repeat(32)}`, size: 8, mediaType: "" } as const;
  const read = async (fault?: Error) => {
    const source = (async function* () {
      yield Buffer.from("half");
      state.now += 2_000;
      yield Buffer.from("more");
      if (fault) throw fault;
    })();
    const pieces: string[] = [];
    for await (const piece of watchedTransfer(io, "loading")(blob, source)) pieces.push(String(piece));
    return pieces;
  };
  assert.deepEqual(await read(), ["half", "more"]);
  assert.match(state.written, /\u001b\[Kloading sha256:abababababab: 8 B of 8 B \(100 %\)\r\u001b\[K$/);
  state.written = "";
  await assert.rejects(read(new Error("broken off")), /broken off/);
  assert.match(state.written, /\(100 %\)\r\u001b\[K$/);
});

test("watchedTransfer: without a terminal the pieces are not looked at", () => {
  const { io } = terminal({ stderr: false });
  const pieces = (async function* () {})();
  assert.equal(
    watchedTransfer(io, "loading")({ digest: `sha256:${"ab".repeat(32)}`, size: 8, mediaType: "" }, pieces),
    pieces,
  );
});

test("without a known total there is no share, and a line never wraps", () => {
  const { io, state } = terminal({ columns: 20 });
  const line = progress(io, "Verifying", { total: 0, unit: "items" });
  state.now += 2_000;
  line.update(3);
  assert.ok(state.written.endsWith("Verifying: 3"));
  state.now += 2_000;
  line.update(10 ** 15);
  assert.equal(state.written.split("\u001b[K").at(-1)?.length, 19);
});

test("progress: no terminal, or a dumb one -> nothing is written", () => {
  for (const options of [{ stderr: false }, { env: { TERM: "dumb" } }]) {
    const { io, state } = terminal(options);
    const line = progress(io, "Hashing", { total: 10, unit: "items" });
    state.now += 60_000;
    line.update(5);
    line.end();
    assert.equal(state.written, "", JSON.stringify(options));
  }
});

test("sizes are given in binary units", () => {
  const cases = [
    [0, "0 B"],
    [1023, "1023 B"],
    [1024, "1.0 KiB"],
    [1.5 * 1024 ** 3, "1.5 GiB"],
    [5000 * 1024 ** 4, "5000.0 TiB"],
  ] as const;
  for (const [bytes, text] of cases) assert.equal(formatBytes(bytes), text);
});
