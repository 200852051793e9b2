import assert from "node:assert/strict";
import { test } from "node:test";
import { digestOf } from "../format/digest.ts";
import { INDEX_TYPE, MANIFEST_TYPES, readManifest } from "./manifest.ts";

const read = (text: string) => readManifest(Buffer.from(text), { servedType: "", where: "app" });
const of = (name: string) => ({ mediaType: MANIFEST_TYPES[0], digest: digestOf(Buffer.from(name)), size: 3 });
const [good, bad] = [of("good"), of("bad")];
const index = (fields: string) => `{"schemaVersion":2,"mediaType":"${INDEX_TYPE}",${fields}}`;

test("readManifest: a field in another case, which Go programs read too -> refused", () => {
  const listed = (fields: object) => `[${JSON.stringify({ ...good, ...fields })}]`;
  for (const [text, field] of [
    [
      index(`"manifests":[${JSON.stringify(good)}],"Manifests":[${JSON.stringify(bad)}]`),
      /manifests \(got "Manifests"\)/,
    ],
    [index(`"manife\u017fts":[${JSON.stringify(bad)}]`), /manifests \(got "manife.ts"\)/],
    [index(`"manifests":${listed({ Digest: bad.digest })}`), /manifests\.0\.digest \(got "Digest"\)/],
    [index(`"manifests":${listed({ MEDIATYPE: INDEX_TYPE })}`), /manifests\.0\.mediaType \(got "MEDIATYPE"\)/],
    [`{"schemaVersion":2,"layers":[],"Layers":[${JSON.stringify(bad)}]}`, /layers \(got "Layers"\)/],
    [`{"schemaVersion":2,"layers":[],"Subject":${JSON.stringify(bad)}}`, /subject \(got "Subject"\)/],
    [
      `{"schemaVersion":2,"config":${JSON.stringify({ ...good, diGest: bad.digest })}}`,
      /config\.digest \(got "diGest"\)/,
    ],
  ] as const) {
    assert.throws(() => read(text), { code: "registry", message: new RegExp(`^parse app: .*${field.source}`) }, text);
  }
});

test("readManifest: other names, and annotations in any case -> as they are", () => {
  const own = { ...good, annotations: { Digest: "x", Manifests: "y" }, Platform: { os: "linux" } };
  const text = index(`"manifests":[${JSON.stringify(own)}],"manifest":1,"annotations":{"MediaType":"z"},"Extra":[]`);
  const { manifests, annotations } = read(text);
  assert.deepEqual([manifests?.[0]?.digest, manifests?.[0]?.annotations], [good.digest, own.annotations]);
  assert.deepEqual(annotations, { MediaType: "z" });
});
