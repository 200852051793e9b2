import assert from "node:assert/strict";
import { test } from "node:test";
import { dockerfileImages } from "../../src/sources/dockerfile.ts";
import { cleanDockerfile, type Generated, oddDockerfile } from "./differential-dockerfiles.ts";
import { Choices, judged, oracle, SECONDS, SEED, Tally } from "./differential-kit.ts";

const BATCH = 200;
const PLATFORM = "linux/amd64";

const found = ({ text, args }: Generated) =>
  judged(() => dockerfileImages(text, { path: "D", env: args, baseOnly: false, platform: PLATFORM }));

/** docker.io/library/alpine:latest for alpine, as BuildKit names images. */
function canonical(name: string): string {
  const [first = "", ...rest] = name.split("/");
  const hasDomain = rest.length > 0 && /[.:]|^localhost$|[A-Z]/.test(first);
  const path = hasDomain ? name : rest.length > 0 ? `docker.io/${name}` : `docker.io/library/${name}`;
  const domain = path.startsWith("index.docker.io/") ? path.slice("index.".length) : path;
  const last = domain.slice(domain.lastIndexOf("/") + 1);
  return /[:@]/.test(last) ? domain : `${domain}:latest`;
}

const frame = ({ text, args }: Generated) =>
  Buffer.from(JSON.stringify({ text: Buffer.from(text).toString("base64"), args, platform: PLATFORM }));

test("tsign finds every image that BuildKit pulls for a generated Dockerfile, or refuses it", async (t) => {
  const buildkit = await oracle(t, "dockerfile");
  const choices = new Choices(SEED);
  const refused = new Tally();
  const missed = new Tally();
  let [documents, both, differ] = [0, 0, 0];
  const end = Date.now() + SECONDS * 1000;
  while (Date.now() < end) {
    const batch = Array.from({ length: BATCH }, () => oddDockerfile(choices));
    for (const [index, theirs] of (await buildkit.ask(batch.map(frame))).entries()) {
      const generated = batch[index] as Generated;
      const ours = found(generated);
      documents++;
      if ("refusal" in ours) {
        if (theirs.images && theirs.images.length > 0)
          refused.add(ours.refusal.replace(/^D(:\d+)?: /, "").slice(0, 60), generated.text);
        continue;
      }
      if (!theirs.images) continue;
      both++;
      const names = new Set(ours.found.images.map(canonical));
      const hidden = theirs.images.filter((image) => !names.has(image));
      if (hidden.length > 0) missed.add(`hides ${hidden.join(", ")}`, generated.text);
      else if ((ours.found.frontend ?? "") !== theirs.frontend) missed.add("another frontend", generated.text);
      else if (names.size > theirs.images.length + (theirs.frontend === "" ? 0 : 1)) differ++;
    }
  }
  console.log(`${documents} Dockerfiles from seed ${SEED}: read by both ${both}, tsign finds more in ${differ}`);
  console.log(`refused by tsign alone, by reason:\n${refused.report(12)}`);
  assert.equal(missed.report(20), "", "images that tsign does not see");
});

test("dockerfile verify: Dockerfile that BuildKit builds -> exactly its images", async (t) => {
  const buildkit = await oracle(t, "dockerfile");
  const choices = new Choices(SEED);
  const batch = Array.from({ length: 2000 }, () => cleanDockerfile(choices));
  const wrong = new Tally();
  for (const [index, theirs] of (await buildkit.ask(batch.map(frame))).entries()) {
    const generated = batch[index] as Generated;
    const ours = found(generated);
    if (!theirs.images) wrong.add(`BuildKit refuses it: ${theirs.errors?.[0]}`, generated.text);
    else if (theirs.images.length === 0) assert.ok("refusal" in ours || theirs.frontend, generated.text);
    else if ("refusal" in ours) wrong.add(ours.refusal, generated.text);
    else {
      const frontend = theirs.frontend ? [canonical(theirs.frontend)] : [];
      const needed = [...new Set([...theirs.images, ...frontend])].sort();
      if (ours.found.images.map(canonical).sort().join() !== needed.join()) wrong.add("other images", generated.text);
    }
  }
  assert.equal(wrong.report(10), "");
});
