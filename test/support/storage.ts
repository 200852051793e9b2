import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import type { Digest } from "../../src/format/digest.ts";
import { openRegistry } from "../../src/oci/open.ts";
import { parseReference } from "../../src/oci/ref.ts";
import type { Descriptor, ImageStore } from "../../src/oci/types.ts";
import { PASSWORD, writeKeyPairs } from "./key-pairs.ts";
import { OFFLINE, PLAIN_REGISTRY, run, temporaryFolder, testIo, testRegistry } from "./test-io.ts";

const MANIFEST = "application/vnd.oci.image.manifest.v1+json";

/** A registry with an image, a key pair `a`, and direct access to the image's repository. */
export async function storageWorkshop(context: TestContext, options = { referrers: true }) {
  const cwd = temporaryFolder(context);
  const registry = await testRegistry(context, options);
  const env: Record<string, string> = {
    COSIGN_PASSWORD: PASSWORD,
    COSIGN_NEW_PASSWORD: PASSWORD,
    TSIGN_SANDBOX: registry,
  };
  const tsign = (...argv: string[]) => run(argv, { cwd, env });
  const ok = async (...argv: string[]) => {
    const outcome = await tsign(...argv);
    assert.equal(outcome.code, 0, `${argv.join(" ")}: ${outcome.stderr}`);
    return outcome;
  };
  writeKeyPairs(cwd, "a");
  const image = (await ok("sandbox", "push", "app:v1")).stdout.trim();
  const ref = parseReference(image);
  const digest = ref.digest ?? assert.fail("no digest");
  const sign = (...flags: string[]) => ok("sign", "--key", "a.key", ...OFFLINE, ...flags, image);
  const store = await openRegistry(testIo({ cwd }), ref, PLAIN_REGISTRY);
  return { cwd, env, registry, tsign, ok, image, ref, digest, sign, store };
}

/** Stores a manifest that refers to the image. */
export async function attachReferrer(
  store: ImageStore,
  subject: Descriptor,
  manifest: { layer: string; layerType: string; more?: Record<string, unknown> },
): Promise<Descriptor> {
  const config = await store.putBlob(Buffer.from("{}"));
  const layer = await store.putBlob(Buffer.from(manifest.layer));
  const bytes = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MANIFEST,
      config: { ...config, mediaType: "application/vnd.oci.empty.v1+json" },
      layers: [{ ...layer, mediaType: manifest.layerType }],
      subject,
      ...manifest.more,
    }),
  );
  return store.putReferrer(bytes, { mediaType: MANIFEST });
}

export async function descriptorOf(store: ImageStore, digest: string): Promise<Descriptor> {
  return (await store.resolve(digest)) ?? assert.fail(`${digest} not found`);
}

/** Returns an image's referrers as listed by the store. */
export async function listed(store: ImageStore, digest: Digest): Promise<Descriptor[]> {
  const found: Descriptor[] = [];
  for await (const entry of store.referrers(digest)) {
    if ("unreadable" in entry) assert.fail(entry.unreadable);
    found.push(entry);
  }
  return found;
}
