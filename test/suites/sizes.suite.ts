import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import {
  closeSync,
  createReadStream,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join, resolve } from "node:path";
import { type TestContext, test } from "node:test";
import { COSIGN, folder, must, NO_LOG, OFFLINE, registries, TSIGN } from "./support.ts";

const MIB = 1024 * 1024;
/** Around the size of a piece of a file, and large. Bytes. */
const SIZES = [MIB - 1, MIB + 1, 1_200_000, 5_000_000, 20_000_000, 120_000_000];
/** An image of 500 MB. */
const LARGE = Array.from({ length: 6 }, () => 83_333_334);
/** Memory limit of each step of tsign. KiB. */
const MAX_RSS = 120 * 1024;
/** Additional memory for opening a key file: 64 MiB for scrypt with N = 65536 and r = 8. KiB. */
const MAX_RSS_WITH_KEY = MAX_RSS + 64 * 1024;
const MEASURE = resolve(import.meta.dirname, "../bench/measure.py");
const IMAGE = "application/vnd.oci.image.manifest.v1+json";

interface Cost {
  /** Seconds. */
  readonly cpu: number;
  /** KiB. */
  readonly rss: number;
}

/** Runs a program that must succeed, and measures its time and memory. */
async function measured(program: string, args: readonly string[], cwd: string): Promise<Cost> {
  const output = join(cwd, "output");
  const { stdout } = await must("python3", [MEASURE, output, program, ...args], { cwd });
  const { code, cpu, rss } = JSON.parse(stdout) as Cost & { code: number };
  assert.equal(code, 0, `${program} ${args.join(" ")}: ${readFileSync(output, "utf8")}`);
  rmSync(output);
  return { cpu, rss };
}

/** Runs one step with both programs, prints both results, and checks tsign's memory. */
async function beside(
  label: string,
  cwd: string,
  argv: (program: string) => readonly string[],
  limit = MAX_RSS,
): Promise<void> {
  const ours = await measured(TSIGN, argv(TSIGN), cwd);
  const theirs = await measured(COSIGN, argv(COSIGN), cwd);
  const cell = ({ cpu, rss }: Cost) => `${cpu.toFixed(2).padStart(7)} s ${(rss / 1024).toFixed(0).padStart(5)} MiB`;
  console.log(`${label.padEnd(34)} tsign ${cell(ours)}   cosign ${cell(theirs)}`);
  assert.ok(ours.rss <= limit, `${label}: tsign took ${Math.round(ours.rss / 1024)} MiB`);
}

async function sha256(file: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const piece of createReadStream(file)) hash.update(piece);
  return `sha256:${hash.digest("hex")}`;
}

function writeRandom(file: string, size: number): void {
  const descriptor = openSync(file, "w");
  for (let left = size; left > 0; left -= MIB) writeSync(descriptor, randomBytes(Math.min(left, MIB)));
  closeSync(descriptor);
}

/** A layout of one image with a layer of each size; the digests of its layers. */
async function writeLayout(path: string, sizes: readonly number[]): Promise<string[]> {
  const blobs = join(path, "blobs/sha256");
  mkdirSync(blobs, { recursive: true });
  const put = (bytes: Buffer, mediaType: string) => {
    const digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
    writeFileSync(join(blobs, digest.slice(7)), bytes);
    return { mediaType, digest, size: bytes.length };
  };
  const layers = [];
  for (const size of sizes) {
    const file = join(path, "layer");
    writeRandom(file, size);
    const digest = await sha256(file);
    await must("mv", [file, join(blobs, digest.slice(7))], { cwd: path });
    layers.push({ mediaType: "application/vnd.oci.image.layer.v1.tar", digest, size });
  }
  const diffIds = layers.map(({ digest }) => digest);
  const config = { architecture: "amd64", os: "linux", config: {}, rootfs: { type: "layers", diff_ids: diffIds } };
  const stored = put(Buffer.from(JSON.stringify(config)), "application/vnd.oci.image.config.v1+json");
  const manifest = put(
    Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: IMAGE, config: stored, layers })),
    IMAGE,
  );
  writeFileSync(join(path, "index.json"), JSON.stringify({ schemaVersion: 2, manifests: [manifest] }));
  writeFileSync(join(path, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  return diffIds;
}

/** Checks that every blob of a layout has the digest in its name, and that the layers are among them. */
async function requireWhole(layout: string, layers: readonly string[]): Promise<void> {
  const names = readdirSync(join(layout, "blobs/sha256"));
  for (const name of names) assert.equal(await sha256(join(layout, "blobs/sha256", name)), `sha256:${name}`);
  for (const digest of layers) assert.ok(names.includes(digest.slice(7)), `${digest} is missing in ${layout}`);
}

/** An empty registry for each program. */
async function destinations(context: TestContext): Promise<(program: string) => string> {
  const [ours, theirs] = [await registries(context), await registries(context)];
  return (program) => (program === TSIGN ? ours : theirs).plain;
}

/** Moves an image of these layers with every command that moves images, each step with both programs; other programs check it. */
async function through(context: TestContext, label: string, sizes: readonly number[]): Promise<void> {
  const cwd = folder(context);
  const { ref } = await registries(context);
  // Each program has its own destinations, because an existing blob is not sent again.
  const [loaded, copied] = [await destinations(context), await destinations(context)];
  const of = (program: string) => (program === TSIGN ? "tsign" : "cosign");
  await must(TSIGN, ["generate-key-pair"], { cwd });
  const layers = await writeLayout(join(cwd, "made"), sizes);
  const image = `${ref}/t/app:v1`;
  await must("crane", ["push", "made", image], { cwd });
  rmSync(join(cwd, "made"), { recursive: true });
  await must(TSIGN, ["sign", "--key", "cosign.key", ...OFFLINE, image], { cwd });
  await beside(`${label}: save`, cwd, (program) => ["save", "--dir", `saved-${of(program)}`, image]);
  await requireWhole(join(cwd, "saved-tsign"), layers);
  const local = ["verify", "--key", "cosign.pub", NO_LOG, "--local-image"];
  await beside(`${label}: verify --local-image`, cwd, (program) => [...local, `saved-${of(program)}`]);
  await beside(`${label}: load`, cwd, (program) => [
    "load",
    "--dir",
    `saved-${of(program)}`,
    `${loaded(program)}/t/app:v1`,
  ]);
  for (const each of ["saved-tsign", "saved-cosign"]) rmSync(join(cwd, each), { recursive: true });
  await beside(`${label}: copy`, cwd, (program) => ["copy", image, `${copied(program)}/t/app:v1`]);
  for (const from of [loaded(TSIGN), copied(TSIGN)]) {
    await must("crane", ["pull", "--format=oci", `${from}/t/app:v1`, "pulled"], { cwd });
    await requireWhole(join(cwd, "pulled"), layers);
    rmSync(join(cwd, "pulled"), { recursive: true });
    const copied = ["copy", "--from-plain-http", "--to-oci-layout", `${from}/t/app:v1`, "by-oras:v1"];
    await must("oras", copied, { cwd });
    await requireWhole(join(cwd, "by-oras"), layers);
    rmSync(join(cwd, "by-oras"), { recursive: true });
    await must(TSIGN, ["verify", "--key", "cosign.pub", NO_LOG, `${from}/t/app:v1`], { cwd });
  }
}

test("layers up to 120 MB -> unchanged, in constant memory", async (t) => {
  await through(t, "147 MB in 6 layers", SIZES);
});

test("image of 500 MB -> unchanged, in constant memory", async (t) => {
  await through(t, "500 MB in 6 layers", LARGE);
});

test("files of all sizes -> uploaded and signed unchanged, in constant memory", async (t) => {
  const cwd = folder(t);
  const destination = await destinations(t);
  await must(TSIGN, ["generate-key-pair"], { cwd });
  for (const size of SIZES) {
    writeRandom(join(cwd, "file"), size);
    const digest = await sha256(join(cwd, "file"));
    const mb = `${(size / 1e6).toFixed(1)} MB`;
    await beside(`${mb}: upload blob`, cwd, (program) => [
      ...["upload", "blob", "-f", "file"],
      `${destination(program)}/t/file-${size}:v1`,
    ]);
    await must(
      "oras",
      ["blob", "fetch", "--plain-http", "--output", "fetched", `${destination(TSIGN)}/t/file-${size}@${digest}`],
      {
        cwd,
      },
    );
    assert.equal(await sha256(join(cwd, "fetched")), digest);
    assert.equal(statSync(join(cwd, "fetched")).size, size);
    await beside(
      `${mb}: sign-blob`,
      cwd,
      () => ["sign-blob", "--key", "cosign.key", ...OFFLINE, "--bundle", "b", "file"],
      MAX_RSS_WITH_KEY,
    );
    await beside(`${mb}: verify-blob`, cwd, () => [
      "verify-blob",
      "--key",
      "cosign.pub",
      NO_LOG,
      "--bundle",
      "b",
      "file",
    ]);
  }
});
