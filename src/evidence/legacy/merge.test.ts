import assert from "node:assert/strict";
import { test } from "node:test";
import { memoryStore } from "../../../test/support/memory-store.ts";
import { digestOf } from "../../format/digest.ts";
import type { Descriptor } from "../../oci/types.ts";
import { mergeLayers } from "./merge.ts";

function images() {
  const store = memoryStore();
  const config = { ...store.addBlob("{}"), mediaType: "config" };
  const layer = (name: string, annotations: Record<string, string> = { name }): Descriptor => ({
    mediaType: "layer",
    digest: digestOf(Buffer.from(name)),
    size: 1,
    annotations,
  });
  const image = async (layers: Descriptor[], annotations: Record<string, string> = {}) => {
    const { digest } = store.add({ config, layers, annotations });
    return (await store.manifest(digest)) ?? assert.fail("not there");
  };
  const merge = async (current: Descriptor[] | undefined, added: Descriptor[], exclusive = false) => {
    const there = current && (await image(current, { which: "current" }));
    const more = await image(added, { which: "added" });
    const merged = await mergeLayers({ store, added: more, exclusive })(there);
    if (!merged) return undefined;
    if (Buffer.compare(merged.bytes, more.bytes) === 0) return "added";
    return (JSON.parse(Buffer.from(merged.bytes).toString()) as { layers: Descriptor[] }).layers;
  };
  return { store, layer, image, merge };
}

test("mergeLayers: where nothing is, the image as it is", async () => {
  const { store, layer, merge, image } = images();
  assert.equal(await merge(undefined, [layer("a")]), "added");
  const added = await image([layer("a")]);
  const merged = await mergeLayers({ store, added, exclusive: false })(undefined);
  assert.deepEqual(merged, { bytes: added.bytes, mediaType: added.descriptor.mediaType });
});

test("mergeLayers: layers that are missing are added after those that are there", async () => {
  const { layer, merge } = images();
  const [a, b, c, d] = ["a", "b", "c", "d"].map((name) => layer(name));
  assert.ok(a && b && c && d);
  assert.deepEqual(await merge([a, b], [b, c, d]), [a, b, c, d]);
  assert.deepEqual(await merge([a], [b]), [a, b]);
});

test("mergeLayers: nothing is written where nothing is missing", async () => {
  const { store, layer, merge, image } = images();
  const [a, b] = [layer("a"), layer("b")];
  assert.equal(await merge([a, b], [b, a]), undefined);
  assert.equal(await merge([a, b], [a]), undefined);
  const same = await image([a]);
  for (const exclusive of [true, false]) {
    assert.equal(await mergeLayers({ store, added: same, exclusive })(same), undefined);
  }
});

test("mergeLayers: an image that has all that is there takes its place", async () => {
  const { layer, merge } = images();
  const [a, b] = [layer("a"), layer("b")];
  assert.equal(await merge([a], [b, a]), "added");
  assert.equal(await merge([], [a]), "added");
});

test("mergeLayers: what holds one thing only is replaced", async () => {
  const { layer, merge } = images();
  assert.equal(await merge([layer("a"), layer("b")], [layer("c")], true), "added");
  assert.equal(await merge([layer("a")], [layer("a")], true), "added");
});

test("mergeLayers: two signatures over one payload are two layers, in whatever order their annotations stand", async () => {
  const { layer, merge } = images();
  const one = layer("a", { x: "1", y: "2" });
  const other = layer("a", { x: "1", y: "3" });
  const respelt = layer("a", { y: "2", x: "1" });
  const { annotations: _, ...bare } = one;
  assert.deepEqual(await merge([one], [other]), [one, other]);
  assert.equal(await merge([one, other], [respelt]), undefined);
  assert.deepEqual(await merge([one], [bare]), [one, bare]);
  assert.equal(await merge([one, bare], [bare]), undefined);
});

test("mergeLayers: the merged image keeps the media type and the annotations of the one that is there", async () => {
  const { store, layer, image } = images();
  const [current, added] = [await image([layer("a")], { kept: "yes" }), await image([layer("b")])];
  const merged = await mergeLayers({ store, added, exclusive: false })(current);
  const manifest = JSON.parse(Buffer.from(merged?.bytes ?? "").toString());
  assert.deepEqual(manifest.annotations, { kept: "yes" });
  assert.deepEqual([merged?.mediaType, manifest.mediaType], [current.manifest.mediaType, current.manifest.mediaType]);
  assert.equal(manifest.config.mediaType, "config");
});
