import assert from "node:assert/strict";
import { test } from "node:test";
import { memoryStore } from "../../../test/support/memory-store.ts";
import { attachmentTag } from "../../oci/tags.ts";
import { findSbom } from "./sbom.ts";

const SBOM = "application/vnd.dev.cosign.artifact.sbom.v1+json";
const config = { mediaType: "config", digest: `sha256:${"1".repeat(64)}`, size: 2 };

function beside() {
  const store = memoryStore();
  const image = store.add({ config, layers: [] });
  const attach = (name: string, more: object = {}) =>
    store.add({ config, layers: [], artifactType: SBOM, subject: image, annotations: { name }, ...more });
  const find = async (tagPrefix = "") => {
    const found = await findSbom(store, image.digest, { tagPrefix });
    return found && [found.manifest.annotations["name"], found.referrers];
  };
  return { store, image, attach, find };
}

test("findSbom: several referrers -> the last SBOM, and their number", async () => {
  const { store, image, attach, find } = beside();
  assert.equal(await find(), undefined);
  const tag = attachmentTag(image.digest, "sbom");
  store.add({ config, layers: [], annotations: { name: "tagged" } }, { tag });
  assert.deepEqual(await find(), ["tagged", 0]);
  attach("one");
  assert.deepEqual(await find(), ["one", 1]);
  attach("two");
  attach("signature", { artifactType: "application/vnd.dev.cosign.artifact.sig.v1+json" });
  assert.deepEqual(await find(), ["two", 2]);
});

test("findSbom: a tag prefix -> used", async () => {
  const { store, image, find } = beside();
  store.add({ config, layers: [], annotations: { name: "p" } }, { tag: attachmentTag(image.digest, "sbom", "p-") });
  assert.equal(await find(), undefined);
  assert.deepEqual(await find("p-"), ["p", 0]);
});

test("findSbom: a listed type that differs from the manifest -> the manifest decides", async () => {
  const { store, image, attach, find } = beside();
  const another = store.add({ config, layers: [], annotations: { another: "x" } });
  const own = attach("own");
  const untyped = { mediaType: own.mediaType, digest: own.digest, size: own.size };
  const foreign = attach("foreign", { subject: another });
  const nobodys = attach("nobody's", { subject: undefined });
  const gone = { ...own, digest: `sha256:${"7".repeat(64)}` } as const;
  store.listings.set(image.digest, [{ unreadable: "no digest" }, gone, foreign, nobodys, untyped]);
  assert.deepEqual(await find(), ["own", 1]);
  store.listings.set(image.digest, [{ ...own, artifactType: "application/sarif+json" }]);
  assert.equal(await find(), undefined);
  assert.equal(store.asked.filter((asked) => asked === `manifest ${own.digest}`).length, 1);
});

test("findSbom: an unreadable entry -> ignored, without a request", async () => {
  const { store, image, find } = beside();
  store.listings.set(image.digest, [{ unreadable: "no digest" }]);
  assert.equal(await find(), undefined);
  const asked = store.asked.filter((each) => each.startsWith("manifest"));
  assert.deepEqual(asked, [`manifest ${attachmentTag(image.digest, "sbom")}`]);
});
