import assert from "node:assert/strict";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { directOutlet } from "./output.ts";

/** A descriptor of a new file, and what was written to it. */
function file(t: TestContext, flags: string) {
  const folder = mkdtempSync(join(tmpdir(), "tsign-output-"));
  const path = join(folder, "file");
  closeSync(openSync(path, "w"));
  const descriptor = openSync(path, flags);
  t.after(() => {
    closeSync(descriptor);
    rmSync(folder, { recursive: true });
  });
  return { descriptor, content: () => readFileSync(path, "utf8") };
}

/** A stream that records what it is given, and calls back when told. */
function recorder() {
  const written: string[] = [];
  const waiting: (() => void)[] = [];
  const stream = {
    isTTY: true,
    write(data: Uint8Array | string, done: () => void) {
      written.push(Buffer.from(data as Uint8Array).toString());
      waiting.push(done);
    },
  };
  return { written, waiting, stream: stream as unknown as NodeJS.WriteStream };
}

const unopened = () => assert.fail("the stream was opened");

test("an outlet -> writes text and bytes in order, without the stream", (t) => {
  const { descriptor, content } = file(t, "w");
  const outlet = directOutlet(descriptor, unopened);
  let done = 0;
  outlet.write("one\n", () => done++);
  outlet.write(Buffer.from("two\n"), () => done++);
  outlet.write("three\n");
  assert.equal(content(), "one\ntwo\nthree\n");
  assert.equal(done, 2);
});

test("an outlet that cannot be written -> the stream gets all from then on, and says when it is out", (t) => {
  const { descriptor } = file(t, "r");
  const { written, waiting, stream } = recorder();
  const outlet = directOutlet(descriptor, () => stream);
  let done = 0;
  outlet.write("one\n", () => done++);
  outlet.write("two\n", () => done++);
  assert.deepEqual(written, ["one\n", "two\n"]);
  assert.equal(done, 0);
  for (const each of waiting) each();
  assert.equal(done, 2);
});

test("an outlet to a file -> not a terminal, without the stream; a device -> as its stream says", (t) => {
  const { descriptor } = file(t, "w");
  assert.equal(directOutlet(descriptor, unopened).isTerminal, false);
  const device = openSync("/dev/null", "w");
  t.after(() => closeSync(device));
  assert.equal(directOutlet(device, () => recorder().stream).isTerminal, true);
});
