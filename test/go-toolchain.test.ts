import assert from "node:assert/strict";
import { test } from "node:test";
import { moduleDigest, unzip } from "../scripts/go.ts";
import { zip } from "../scripts/release/archive.ts";

const FILES = { "m@v1/b/two.txt": "two", "m@v1/a.txt": "one".repeat(1000) };
/** As computed with sha256sum and base64. */
const DIGEST = "h1:uMtXxVfG5gSIiwP7a/8z626ZIWympO9MacIpUGHZOOI=";

function archive(): Buffer {
  const entries = Object.entries(FILES).map(([path, text]) => ({ path, content: Buffer.from(text), mode: 0o644 }));
  return zip(entries, 1_700_000_000);
}

test("unzip: stored and compressed files -> their content, with the module's digest of go.sum", () => {
  const files = unzip(archive());
  const texts = Object.fromEntries([...files].map(([name, content]) => [name, content.toString()]));
  assert.deepEqual(texts, FILES);
  assert.equal(moduleDigest(files), DIGEST);
});

test("unzip: another byte, name or file -> another digest", () => {
  const files = unzip(archive());
  const [[name, content] = assert.fail()] = files;
  const altered = Buffer.from(content);
  altered[0] = 0;
  const renamed = new Map(files);
  renamed.delete(name);
  for (const other of [
    new Map(files).set(name, altered),
    renamed,
    new Map(renamed).set(`${name}x`, content),
    new Map(files).set("m@v1/c.txt", Buffer.alloc(0)),
  ]) {
    assert.notEqual(moduleDigest(other), DIGEST);
  }
});

test("unzip: not a zip archive -> error", () => {
  for (const bytes of [Buffer.alloc(0), Buffer.from("not an archive"), archive().subarray(0, 60)]) {
    assert.throws(() => unzip(bytes), /read zip archive: missing directory/);
  }
});
