import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { attachmentTag } from "../../src/oci/tags.ts";
import { type Crowd, crowdedRegistry } from "../support/crowd.ts";
import { folderWithKeys, LEGACY, must, NO_LOG, OFFLINE, pushImage, run, TSIGN } from "./support.ts";

/** Memory limit of each command, for any number of referrers. MiB. */
const MAX_MEMORY = 250;
const MANY = 10_000;
const LARGE = 60 * 1024 * 1024;
const MEASURE = join(import.meta.dirname, "../bench/measure.py");

/** Runs tsign and measures its time and memory. */
async function measured(label: string, args: readonly string[], cwd: string) {
  const output = join(cwd, "output");
  const { stdout, stderr } = await run("python3", [MEASURE, output, TSIGN, ...args], { cwd });
  const { code, cpu, rss, wall } = JSON.parse(stdout || `{"code":-1,"rss":0,"wall":0,"cpu":0}`);
  const memory = Math.round(rss / 1024);
  console.log(
    `${label.padEnd(64)} ${wall.toFixed(1).padStart(6)} s  ${cpu.toFixed(1).padStart(5)} s CPU  ${memory} MiB`,
  );
  assert.notEqual(code, -1, stderr);
  return { code: code as number, memory };
}

async function workshop(context: TestContext) {
  const cwd = await folderWithKeys(context, "a", "b");
  const registry = await crowdedRegistry(context);
  const image = await pushImage(registry.address, "crowded", cwd);
  for (const flags of [[], [LEGACY]])
    await must(TSIGN, ["sign", "--key", "a.key", ...OFFLINE, ...flags, image], { cwd });
  return { cwd, registry, image, subject: image.slice(image.indexOf("@") + 1) as `sha256:${string}` };
}

/** An invalid bundle with a payload of many megabytes, in pieces that are made when they are read. */
function largeBundle(subject: string): NonNullable<Crowd["blob"]> {
  const [head, tail] = JSON.stringify({
    _type: "https://in-toto.io/Statement/v1",
    subject: [{ name: "", digest: { sha256: subject.slice(7) } }],
    predicateType: "https://sigstore.dev/cosign/sign/v1",
    predicate: { pad: "*" },
  }).split("*") as [string, string];
  // Pieces whose length is a multiple of three bytes can be encoded one by one.
  const begin = Buffer.from(head.padEnd(Math.ceil(head.length / 3) * 3, "x")).toString("base64");
  const middle = Buffer.alloc(48 * 1024, "x").toString("base64");
  const end = Buffer.from(tail).toString("base64");
  const before = `{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{"publicKey":{"hint":"aa"},"tlogEntries":[]},"dsseEnvelope":{"payload":"${begin}`;
  const after = `${end}","payloadType":"application/vnd.in-toto+json","signatures":[{"sig":"MEUCIQ=="}]}}`;
  const count = Math.floor(LARGE / middle.length);
  const texts = [before, ...Array.from({ length: count }, () => middle), after].map((text) => Buffer.from(text));
  const hash = createHash("sha256");
  let size = 0;
  for (const text of texts) {
    hash.update(text);
    size += text.length;
  }
  return { digest: `sha256:${hash.digest("hex")}`, size, pieces: () => texts };
}

test("verify: very many referrers and layers -> valid signature found in bounded memory", {
  timeout: 900_000,
}, async (context) => {
  const { cwd, registry, image, subject } = await workshop(context);
  const verify = ["verify", "--key", "a.pub", NO_LOG, image];
  const blob = largeBundle(subject);
  const crowds: [string, Crowd][] = [
    [`${MANY} referrers of another type`, { subject, kind: "scan", count: MANY, position: MANY }],
    [
      `${MANY} referrers that are no bundles though they say so`,
      { subject, kind: "junk", count: MANY, position: MANY },
    ],
    ["1000 bundles of 60 MiB that are one blob", { subject, kind: "shared", count: 1000, position: 1000, blob }],
  ];
  for (const [label, crowd] of crowds) {
    await context.test(label, async () => {
      registry.gather(crowd);
      const { code, memory } = await measured(`verify, ${label}`, verify, cwd);
      assert.equal(code, 0);
      assert.ok(memory < MAX_MEMORY, `${memory} MiB`);
    });
  }
  await context.test(`${MANY} layers by nobody under the .sig tag`, async () => {
    registry.gather(undefined);
    registry.gatherLayers({ tag: attachmentTag(subject, "sig"), count: MANY, position: MANY });
    const legacy = ["verify", "--key", "a.pub", NO_LOG, LEGACY, image];
    const { code, memory } = await measured(`verify, ${MANY} layers`, legacy, cwd);
    registry.gatherLayers(undefined);
    assert.equal(code, 0);
    assert.ok(memory < MAX_MEMORY, `${memory} MiB`);
  });
  await context.test("another key is refused all the same", async () => {
    registry.gather({ subject, kind: "junk", count: 1000, position: 500 });
    const { code } = await measured(
      "verify with another key, 1000 referrers",
      ["verify", "--key", "b.pub", NO_LOG, image],
      cwd,
    );
    assert.notEqual(code, 0);
  });
  for (const [name, args, count] of [
    ["tree", ["tree", image], MANY],
    ["download signature", ["download", "signature", image], MANY],
    // There are ten requests for each referrer: with all referrers the suite would take minutes.
    ["copy", ["copy", image, image.replace(/\/crowded@.*/, "/copied:v1")], MANY / 5],
    ["clean", ["clean", "-f", "--type", "all", image], MANY],
  ] as const) {
    await context.test(`${name} works with ${count} referrers`, async () => {
      registry.gather({ subject, kind: "scan", count, position: count / 2 });
      const { code, memory } = await measured(`${name}, ${count} referrers of another type`, args, cwd);
      assert.equal(code, 0);
      assert.ok(memory < MAX_MEMORY, `${memory} MiB`);
    });
  }
});
