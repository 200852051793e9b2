import assert from "node:assert/strict";
import { test } from "node:test";
import { digestOf } from "../../format/digest.ts";
import { sendFile } from "./send-file.ts";

/** Sends twice, and reads the content of the first attempt only; returns how often the content was read to its end. */
async function readings(headers: Record<string, string>): Promise<number> {
  let count = 0;
  const read = async function* () {
    yield Buffer.from("content");
    count++;
  };
  await sendFile({ digest: digestOf(Buffer.from("content")), read }, async (body) => {
    for await (const piece of body()) assert.ok(piece.length > 0);
    body();
    return { status: 201, headers, bytes: new Uint8Array(0), url: new URL("http://localhost/") };
  });
  return count;
}

test("sendFile: attempt that reads the file, then one that does not -> only the registry's digest proves the second", async () => {
  assert.equal(await readings({}), 2);
  assert.equal(await readings({ "docker-content-digest": `sha256:${"0".repeat(64)}` }), 2);
  assert.equal(await readings({ "docker-content-digest": digestOf(Buffer.from("content")) }), 1);
});
