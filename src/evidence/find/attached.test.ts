import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { refused } from "../../../test/support/evidence-parts.ts";
import { memoryStore } from "../../../test/support/memory-store.ts";
import type { Digest } from "../../format/digest.ts";
import { attachmentTag } from "../../oci/tags.ts";
import type { Descriptor } from "../../oci/types.ts";
import { BUNDLE_ANNOTATION } from "../media-types.ts";
import { findAttached } from "./attached.ts";

const BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json";
const SIGN = "https://sigstore.dev/cosign/sign/v1";
const number = (value: number): Digest => `sha256:${value.toString(16).padStart(64, "0")}`;
const of = (mediaType: string): Descriptor => ({ mediaType, digest: number(1), size: 2 });

function beside() {
  const store = memoryStore();
  const image = store.add({ config: of("config"), layers: [] });
  const refer = (
    subject: Descriptor,
    parts: { artifactType?: string; config?: string; layers?: string[]; stated?: string },
  ) => {
    const { artifactType, config = "config", layers = [], stated } = parts;
    return store.add({
      config: of(config),
      layers: layers.map(of),
      subject,
      annotations: stated === undefined ? {} : { [BUNDLE_ANNOTATION.predicateType]: stated },
      ...(artifactType === undefined ? {} : { artifactType }),
    });
  };
  return { store, image, refer, find: (tagPrefix = "") => findAttached(store, image.digest, { tagPrefix }) };
}

test("findAttached: the images under the tags, in order, with the tag prefix", async () => {
  const { store, image, find } = beside();
  assert.deepEqual(await find(), []);
  const tagged = (["sbom", "sig", "att"] as const).map((kind) => {
    const { digest } = store.add({ config: of(kind), layers: [] }, { tag: attachmentTag(image.digest, kind) });
    return { kind, digest, subject: image.digest, tagged: true };
  });
  const [sbom, sig, att] = tagged;
  assert.deepEqual(await find(), [sig, att, sbom]);
  assert.deepEqual(await find("p-"), []);
  const { digest } = store.add({ config: of("p"), layers: [] }, { tag: attachmentTag(image.digest, "att", "p-") });
  assert.deepEqual(await find("p-"), [{ kind: "att", digest, subject: image.digest, tagged: true }]);
});

test("findAttached: a referrer -> its kind by type, annotation and layers", async () => {
  const cases: [string, Parameters<ReturnType<typeof beside>["refer"]>[1]][] = [
    ["sig", { artifactType: BUNDLE, layers: [BUNDLE] }],
    ["sig", { artifactType: BUNDLE, layers: [BUNDLE], stated: SIGN }],
    ["att", { artifactType: BUNDLE, layers: [BUNDLE], stated: "https://slsa.dev/provenance/v1" }],
    ["sig", { artifactType: "application/vnd.dev.cosign.artifact.sig.v1+json" }],
    ["sbom", { artifactType: "application/spdx+json" }],
    ["sbom", { config: "application/vnd.CycloneDX" }],
    ["sbom", { layers: ["text", "application/vnd.syft+json"] }],
    ["sbom", { artifactType: "application/vnd.dev.cosign.artifact.sbom.v1+json" }],
    ["other", { artifactType: "application/sarif+json", layers: ["text"] }],
    ["other", {}],
  ];
  for (const [kind, parts] of cases) {
    const { image, refer, find } = beside();
    const { digest } = refer(image, parts);
    assert.deepEqual(await find(), [{ kind, digest, subject: image.digest, tagged: false }], JSON.stringify(parts));
  }
});

test("findAttached: referrers of referrers -> after their subject, down to the fourth level", async () => {
  const { store, image, refer, find } = beside();
  const chain = [image];
  for (let depth = 1; depth <= 5; depth++) chain.push(refer(chain.at(-1) ?? image, { artifactType: `x${depth}` }));
  const beside2 = refer(image, { artifactType: "beside" });
  const found = await find();
  assert.deepEqual(
    found.map(({ digest }) => digest),
    [...chain.slice(1, 5), beside2].map(({ digest }) => digest),
  );
  assert.deepEqual(
    found.map(({ subject }) => subject),
    [...chain.slice(0, 4), image].map(({ digest }) => digest),
  );
  assert.ok(!store.asked.includes(`referrers ${chain[4]?.digest}`));
});

test("findAttached: a listed referrer of another image, without a manifest, or listed twice -> ignored", async () => {
  const { store, image, refer, find } = beside();
  const another = store.add({ config: of("another"), layers: [] });
  const foreign = refer(another, { artifactType: "x" });
  const nobody = store.add({ config: of("nobody"), layers: [], artifactType: "x" });
  const own = refer(image, { artifactType: "x" });
  const gone = { ...own, digest: number(7) };
  store.listings.set(image.digest, [foreign, nobody, gone, own, own, image]);
  assert.deepEqual(
    (await find()).map(({ digest }) => digest),
    [own.digest],
  );
  assert.equal(store.asked.filter((asked) => asked === `manifest ${own.digest}`).length, 1);
  assert.ok(!store.asked.includes(`manifest ${image.digest}`));
});

test("findAttached: an unreadable entry -> an error", async () => {
  const { store, image, find } = beside();
  store.listings.set(image.digest, [{ unreadable: "no digest" }]);
  await assert.rejects(find(), refused("registry", "no digest"));
});

test("findAttached: eight concurrent requests", async () => {
  const { store, image, refer, find } = beside();
  for (let index = 0; index < 20; index++) refer(image, { artifactType: `x${index}` });
  let [now, most] = [0, 0];
  store.before = async (asked) => {
    if (!asked.startsWith("manifest")) return;
    most = Math.max(most, ++now);
    await turn();
    now--;
  };
  assert.equal((await find()).length, 20);
  assert.equal(most, 8);
});

test("findAttached: a referrer without a config -> other", async () => {
  const { store, image, find } = beside();
  const index = "application/vnd.oci.image.index.v1+json";
  const { digest } = store.add({ mediaType: index, manifests: [], subject: image });
  assert.deepEqual(await find(), [{ kind: "other", digest, subject: image.digest, tagged: false }]);
});

test("findAttached: more than 100,000 manifests, the image counted -> an error of code limit", async () => {
  const { store, image, find } = beside();
  const entry = of("config");
  const entries = Array.from({ length: 100_000 }, (_, index) => ({ ...entry, digest: number(index + 1) }));
  store.listings.set(image.digest, entries);
  let asked = 0;
  store.manifest = async () => {
    asked++;
    return undefined;
  };
  await assert.rejects(find(), refused("limit"));
  assert.equal(asked, 99_999);
});
