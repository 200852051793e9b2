import assert from "node:assert/strict";
import { test } from "node:test";
import { memoryStore } from "../../test/support/memory-store.ts";
import { digestOf } from "../format/digest.ts";
import type { Descriptor } from "../oci/types.ts";
import { putBundleReferrer } from "./write-referrer.ts";

const BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json";
const OCI = "application/vnd.oci.image.manifest.v1+json";

test("putBundleReferrer: a manifest as cosign writes it, with the bundle as the only layer", async () => {
  const store = memoryStore();
  const subject: Descriptor = {
    ...store.add({ layers: [], config: { mediaType: "c", digest: digestOf(Buffer.from("c")), size: 1 } }),
    annotations: { a: "b" },
  };
  const bundle = '{"mediaType":"x"}';
  const stored = await putBundleReferrer({
    store,
    subject,
    bundle,
    predicateType: "https://example.com/<type>",
    created: new Date("2024-02-03T04:05:06.789Z"),
  });
  const bytes = Buffer.from(store.manifests.get(stored.digest)?.bytes ?? "");
  const expected = {
    schemaVersion: 2,
    mediaType: OCI,
    config: {
      mediaType: "application/vnd.oci.empty.v1+json",
      size: 2,
      digest: digestOf(Buffer.from("{}")),
      artifactType: BUNDLE,
    },
    layers: [{ mediaType: BUNDLE, size: bundle.length, digest: digestOf(Buffer.from(bundle)) }],
    annotations: {
      "dev.sigstore.bundle.content": "dsse-envelope",
      "dev.sigstore.bundle.predicateType": "https://example.com/<type>",
      "org.opencontainers.image.created": "2024-02-03T04:05:06Z",
    },
    subject: { mediaType: subject.mediaType, size: subject.size, digest: subject.digest },
    artifactType: BUNDLE,
  };
  assert.equal(bytes.toString(), JSON.stringify(expected).replace("<type>", "\\u003ctype\\u003e"));
  assert.deepEqual(stored, { mediaType: OCI, digest: digestOf(bytes), size: bytes.length });
  assert.deepEqual(store.asked.at(-1), `put referrer ${stored.digest}`);
  assert.deepEqual([...store.blobs.values()].map(String), ["{}", bundle]);
});
