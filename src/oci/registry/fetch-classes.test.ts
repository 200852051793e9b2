import assert from "node:assert/strict";
import { test } from "node:test";
import fetch, { Headers, Response } from "./fetch-classes.ts";

test("Headers: the same answers as the platform's class", () => {
  const initials = [
    null,
    { Accept: "a", "content-TYPE": "b" },
    [
      ["Accept", "a"],
      ["accept", "b"],
    ] as [string, string][],
  ];
  for (const initial of initials) {
    const own = new Headers(initial);
    const platform = new globalThis.Headers(initial ?? {});
    for (const headers of [own, platform]) {
      headers.append("ACCEPT", "c");
      headers.set("X-One", "1");
      headers.set("x-one", "2");
      headers.delete("Content-Type");
    }
    for (const name of ["accept", "Accept", "content-type", "x-ONE", "none"]) {
      assert.equal(own.get(name), platform.get(name), name);
      assert.equal(own.has(name), platform.has(name), name);
    }
    assert.deepEqual([...new Headers(own)].sort(), [...platform].sort());
  }
});

test("Response: status, headers and body", async () => {
  const response = new Response(Buffer.from("body"), { status: 201, headers: { Location: "x" } });
  assert.deepEqual([response.ok, response.headers.get("location")], [true, "x"]);
  assert.equal(Buffer.from(await response.arrayBuffer()).toString(), "body");
  const none = new Response(null, { status: 404, headers: {} });
  assert.deepEqual([none.ok, (await none.arrayBuffer()).byteLength], [false, 0]);
});

test("fetch: any call -> error", () => assert.throws(fetch, /transport of its own/));
