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

test("mergeLayers: no existing image -> the new one unchanged", async () => {
  const { store, layer, merge, image } = images();
  assert.equal(await merge(undefined, [layer("a")]), "added");
  const added = await image([layer("a")]);
  const merged = await mergeLayers({ store, added, exclusive: false })(undefined);
  assert.deepEqual(merged, { bytes: added.bytes, mediaType: added.descriptor.mediaType });
});

test("mergeLayers: missing layers -> added after the existing ones", async () => {
  const { layer, merge } = images();
  const [a, b, c, d] = ["a", "b", "c", "d"].map((name) => layer(name));
  assert.ok(a && b && c && d);
  assert.deepEqual(await merge([a, b], [b, c, d]), [a, b, c, d]);
  assert.deepEqual(await merge([a], [b]), [a, b]);
});

test("mergeLayers: no missing layers -> nothing is written", async () => {
  const { store, layer, merge, image } = images();
  const [a, b] = [layer("a"), layer("b")];
  assert.equal(await merge([a, b], [b, a]), undefined);
  assert.equal(await merge([a, b], [a]), undefined);
  const same = await image([a]);
  for (const exclusive of [true, false]) {
    assert.equal(await mergeLayers({ store, added: same, exclusive })(same), undefined);
  }
});

test("mergeLayers: a new image with all existing layers -> replaces the existing one", async () => {
  const { layer, merge } = images();
  const [a, b] = [layer("a"), layer("b")];
  assert.equal(await merge([a], [b, a]), "added");
  assert.equal(await merge([], [a]), "added");
});

test("mergeLayers: exclusive -> the existing image is replaced", async () => {
  const { layer, merge } = images();
  assert.equal(await merge([layer("a"), layer("b")], [layer("c")], true), "added");
  assert.equal(await merge([layer("a")], [layer("a")], true), "added");
});

test("mergeLayers: two signatures over one payload -> two layers; the order of annotations does not matter", async () => {
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

test("mergeLayers: the merged image -> the media type and annotations of the existing one", async () => {
  const { store, layer, image } = images();
  const [current, added] = [await image([layer("a")], { kept: "yes" }), await image([layer("b")])];
  const merged = await mergeLayers({ store, added, exclusive: false })(current);
  const manifest = JSON.parse(Buffer.from(merged?.bytes ?? "").toString());
  assert.deepEqual(manifest.annotations, { kept: "yes" });
  assert.deepEqual([merged?.mediaType, manifest.mediaType], [current.manifest.mediaType, current.manifest.mediaType]);
  assert.equal(manifest.config.mediaType, "config");
});
