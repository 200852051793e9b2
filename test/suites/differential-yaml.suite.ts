import assert from "node:assert/strict";
import { test } from "node:test";
import { manifestImages } from "../../src/sources/kubernetes.ts";
import { Choices, judged, oracle, SECONDS, SEED, Tally } from "./differential-kit.ts";
import { cleanManifest, oddManifest } from "./differential-manifests.ts";

const BATCH = 200;

test("tsign finds every image that Kubernetes' reader finds in a generated manifest, or refuses it", async (t) => {
  const kubernetes = await oracle(t, "yaml");
  const choices = new Choices(SEED);
  const refused = new Tally();
  const missed = new Tally();
  let [documents, both, differ] = [0, 0, 0];
  const end = Date.now() + SECONDS * 1000;
  while (Date.now() < end) {
    const batch = Array.from({ length: BATCH }, () => oddManifest(choices));
    for (const [index, theirs] of (await kubernetes.ask(batch.map((text) => Buffer.from(text)))).entries()) {
      const text = batch[index] ?? "";
      const ours = judged(() => manifestImages(Buffer.from(text), "M"));
      documents++;
      if ("refusal" in ours) {
        if (theirs.images && theirs.images.length > 0)
          refused.add(ours.refusal.replace(/^M(:\d+)?: /, "").slice(0, 60), text);
        continue;
      }
      if (!theirs.images) continue;
      both++;
      const hidden = theirs.images.filter((image) => !ours.found.includes(image));
      if (hidden.length > 0) missed.add(`hides ${hidden.join(", ").slice(0, 80)}`, text);
      else if (ours.found.length > theirs.images.length) differ++;
    }
  }
  console.log(`${documents} manifests from seed ${SEED}: read by both ${both}, tsign finds more in ${differ}`);
  console.log(`refused by tsign alone, by reason:\n${refused.report(30)}`);
  assert.equal(missed.report(20), "", "images that tsign does not see");
});

test("manifest verify: manifest that Kubernetes accepts -> exactly its images", async (t) => {
  const kubernetes = await oracle(t, "yaml");
  const choices = new Choices(SEED);
  const batch = Array.from({ length: 2000 }, () => cleanManifest(choices));
  const wrong = new Tally();
  let read = 0;
  for (const [index, theirs] of (await kubernetes.ask(batch.map((text) => Buffer.from(text)))).entries()) {
    const text = batch[index] ?? "";
    if (!theirs.images || theirs.images.length === 0 || theirs.errors) continue;
    read++;
    const ours = judged(() => manifestImages(Buffer.from(text), "M"));
    if ("refusal" in ours) wrong.add(ours.refusal.replace(/^M(:\d+)?: /, ""), text);
    else if ([...ours.found].sort().join() !== [...theirs.images].sort().join()) wrong.add("other images", text);
  }
  assert.equal(wrong.report(10), "");
  assert.ok(read > 1200, `Kubernetes' reader takes ${read} of 2000 only`);
});
