import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { cpSync, readdirSync, readFileSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { type TestContext, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import {
  COSIGN,
  COSIGN_2,
  folder,
  folderWithKeys,
  LEGACY,
  must,
  NO_LOG,
  OFFLINE,
  pushImage,
  registries,
  run,
  TSIGN,
} from "./support.ts";

const BOTH = [TSIGN, COSIGN];
const name = (program: string) => (program === TSIGN ? "tsign" : program);

/** A registry with an image that is signed and attested in both forms, and the keys. */
async function signedImage(context: TestContext, options: { index: boolean } = { index: false }) {
  const cwd = await folderWithKeys(context, "a", "b", "c");
  const { ref, plain } = await registries(context);
  let image = await pushImage(ref, "app", cwd);
  if (options.index) image = await pushIndex(ref, cwd);
  writeFileSync(join(cwd, "predicate.json"), '{"hello":"world"}');
  const cosign = (...args: string[]) => must(COSIGN, args, { cwd });
  await cosign("sign", "--key", "a.key", ...OFFLINE, LEGACY, image);
  await cosign("sign", "--key", "b.key", ...OFFLINE, image);
  for (const form of [[LEGACY], []]) {
    await cosign("attest", "--key", "a.key", ...OFFLINE, ...form, "--predicate", "predicate.json", image);
  }
  return { cwd, ref, plain, image };
}

/** An index of two platforms. */
async function pushIndex(registry: string, cwd: string): Promise<string> {
  const crane = (...args: string[]) => must("crane", args, { cwd });
  const platforms = ["amd64", "arm64"];
  for (const each of platforms) {
    const pushed = await pushImage(registry, `multi-${each}`, cwd);
    await crane("mutate", "--set-platform", `linux/${each}`, pushed, "-t", `${registry}/multi:${each}`);
  }
  const parts = platforms.flatMap((each) => ["-m", `${registry}/multi:${each}`]);
  await crane("index", "append", ...parts, "-t", `${registry}/multi:v1`);
  const { stdout } = await crane("digest", `${registry}/multi:v1`);
  return `${registry}/multi@${stdout.trim()}`;
}

/** Returns the result of each key, form and kind of signature for an image: the legacy one is by a, the bundle by b. */
async function verifyAll(program: string, cwd: string, image: readonly string[]): Promise<Record<string, number>> {
  const verify = async (...args: string[]) => (await run(program, [...args, NO_LOG, ...image], { cwd })).code;
  return {
    legacy: await verify("verify", "--key", "a.pub", LEGACY),
    bundle: await verify("verify", "--key", "b.pub"),
    other: Math.sign(await verify("verify", "--key", "c.pub")),
  };
}

/** cosign 2 requires a trusted root for bundles even if it uses nothing from it. */
const EMPTY_ROOT = { mediaType: "application/vnd.dev.sigstore.trustedroot+json;version=0.1" };
const ALL = { legacy: 0, bundle: 0, other: 1 };

for (const saver of BOTH) {
  test(`an image that ${name(saver)} saved loads with either program, and verifies in every form`, async (t) => {
    const { cwd, ref, plain, image } = await signedImage(t);
    await must(saver, ["save", "--dir", "saved", image], { cwd });
    for (const verifier of BOTH) {
      const local = await verifyAll(verifier, cwd, ["--local-image", "saved"]);
      // cosign verifies only the bundles of a layout if it contains one.
      if (verifier === TSIGN) assert.deepEqual(local, ALL, `${name(verifier)} on the folder`);
      else assert.deepEqual({ ...local, legacy: 0 }, ALL, `${name(verifier)} on the folder`);
    }
    for (const loader of BOTH) {
      for (const [where, registry] of Object.entries({ ref, plain })) {
        const loaded = `${registry}/loaded-${name(loader)}:v1`;
        await must(loader, ["load", "--dir", "saved", loaded], { cwd });
        for (const verifier of BOTH) {
          const verified = await verifyAll(verifier, cwd, [loaded]);
          // cosign omits the bundles if there are legacy attestations.
          if (loader === TSIGN) assert.deepEqual(verified, ALL, `${name(loader)}, ${where}: ${name(verifier)}`);
          else assert.equal(verified["legacy"], 0, `${name(loader)}, ${where}: ${name(verifier)}`);
        }
        const attested = ["verify-attestation", "--key", "a.pub", NO_LOG, loaded];
        await must(COSIGN, [...attested, LEGACY], { cwd });
        if (loader === TSIGN) await must(COSIGN, attested, { cwd });
      }
    }
  });
}

for (const saver of BOTH) {
  test(`an index that ${name(saver)} saved keeps its platforms and signatures`, async (t) => {
    const { cwd, plain, image } = await signedImage(t, { index: true });
    await must(saver, ["save", "--dir", "saved", image], { cwd });
    for (const loader of BOTH) {
      const loaded = `${plain}/index-${name(loader)}:v1`;
      await must(loader, ["load", "--dir", "saved", loaded], { cwd });
      const { stdout } = await must("crane", ["digest", loaded], { cwd });
      assert.equal(stdout.trim(), image.split("@")[1]);
      for (const each of ["linux/amd64", "linux/arm64"]) {
        await must("crane", ["manifest", "--platform", each, loaded], { cwd });
      }
      for (const verifier of BOTH) {
        const verified = await verifyAll(verifier, cwd, [loaded]);
        if (loader === TSIGN) assert.deepEqual(verified, ALL, name(verifier));
        else assert.equal(verified["legacy"], 0, name(verifier));
      }
    }
    assert.equal((await run(TSIGN, ["verify", "--key", "b.pub", NO_LOG, "--local-image", "saved"], { cwd })).code, 0);
  });
}

test("bundles that tsign saved are loaded by cosign", async (t) => {
  const cwd = folder(t);
  const { ref, plain } = await registries(t);
  await must(TSIGN, ["generate-key-pair"], { cwd });
  const image = await pushImage(ref, "app", cwd);
  await must(TSIGN, ["sign", "--key", "cosign.key", ...OFFLINE, image], { cwd });
  await must(TSIGN, ["save", "--dir", "saved", image], { cwd });
  for (const registry of [ref, plain]) {
    await must(COSIGN, ["load", "--dir", "saved", `${registry}/loaded:v1`], { cwd });
    for (const verifier of BOTH) {
      await must(verifier, ["verify", "--key", "cosign.pub", NO_LOG, `${registry}/loaded:v1`], { cwd });
    }
  }
});

test("save, load, copy: index -> signatures and attestations of its platforms included", async (t) => {
  const { cwd, ref, plain, image } = await signedImage(t, { index: true });
  const { stdout } = await must("crane", ["digest", "--platform", "linux/arm64", image], { cwd });
  const digest = stdout.trim();
  const child = `${image.split("@")[0]}@${digest}`;
  await must(COSIGN, ["sign", "--key", "a.key", ...OFFLINE, LEGACY, child], { cwd });
  await must(COSIGN, ["sign", "--key", "b.key", ...OFFLINE, child], { cwd });
  await must(TSIGN, ["save", "--dir", "saved", image], { cwd });
  await must(TSIGN, ["load", "--dir", "saved", `${plain}/loaded:v1`], { cwd });
  await must(TSIGN, ["copy", image, `${ref}/copied:v1`], { cwd });
  for (const there of [`${plain}/loaded@${digest}`, `${ref}/copied@${digest}`]) {
    for (const verifier of BOTH) assert.deepEqual(await verifyAll(verifier, cwd, [there]), ALL, there);
  }
  await must(TSIGN, ["copy", "--platform", "linux/arm64", image, `${ref}/single:v1`], { cwd });
  assert.equal((await must("crane", ["digest", `${ref}/single:v1`], { cwd })).stdout.trim(), digest);
  assert.deepEqual(await verifyAll(COSIGN, cwd, [`${ref}/single:v1`]), ALL);
});

test("copy: image verifies at the destination, in every form, with both cosigns", async (t) => {
  const { cwd, ref, plain, image } = await signedImage(t);
  writeFileSync(join(cwd, "root.json"), JSON.stringify(EMPTY_ROOT));
  for (const registry of [ref, plain]) {
    const copied = `${registry}/copied:v1`;
    await must(TSIGN, ["copy", image, copied], { cwd });
    for (const verifier of BOTH) assert.deepEqual(await verifyAll(verifier, cwd, [copied]), ALL, name(verifier));
    await must(COSIGN_2, ["verify", "--key", "b.pub", NO_LOG, "--trusted-root", "root.json", copied], { cwd });
    for (const form of [[LEGACY], []]) {
      await must(COSIGN, ["verify-attestation", "--key", "a.pub", NO_LOG, ...form, copied], { cwd });
    }
    const only = `${registry}/only`;
    await must(TSIGN, ["copy", "--only=sig", image, `${only}:v1`], { cwd });
    assert.deepEqual(await verifyAll(COSIGN, cwd, [`${only}@${image.split("@")[1]}`]), ALL);
    const attested = ["verify-attestation", "--key", "a.pub", NO_LOG, `${only}@${image.split("@")[1]}`];
    assert.notEqual((await run(COSIGN, attested, { cwd })).code, 0, "attestations were not asked for");
    assert.notEqual((await run("crane", ["digest", `${only}:v1`], { cwd })).code, 0, "no tag with --only");
  }
});

test("load: altered folder -> refused, nothing tagged", async (t) => {
  const { cwd, plain, image } = await signedImage(t);
  await must(TSIGN, ["save", "--dir", "saved", image], { cwd });
  const digest = image.split("@sha256:")[1] ?? "";
  const manifest = JSON.parse(readFileSync(join(cwd, "saved/blobs/sha256", digest), "utf8"));
  const layer = join("blobs/sha256", manifest.layers[0].digest.slice("sha256:".length));
  const secret = join(cwd, "secret");
  writeFileSync(secret, "secret");
  const cases: Record<string, [reason: RegExp, spoil: (dir: string) => void]> = {
    "altered blob": [/(digest|size) mismatch/, (dir) => flip(join(dir, layer))],
    "missing blob": [/missing/, (dir) => rmSync(join(dir, layer))],
    "altered manifest": [/digest mismatch/, (dir) => flip(join(dir, "blobs/sha256", digest))],
    "link for a blob": [/not a regular file/, (dir) => link(secret, join(dir, layer))],
    "link for the index": [
      /not a regular file/,
      (dir) => {
        renameSync(join(dir, "index.json"), join(cwd, "elsewhere.json"));
        symlinkSync(join(cwd, "elsewhere.json"), join(dir, "index.json"));
      },
    ],
    "link for the blobs": [
      /not a folder/,
      (dir) => {
        renameSync(join(dir, "blobs"), `${dir}-blobs`);
        symlinkSync(`${dir}-blobs`, join(dir, "blobs"));
      },
    ],
    "path for a digest": [
      /invalid or missing/,
      (dir) => edit(join(dir, "index.json"), /sha256:[0-9a-f]{64}/, "sha256:../../../../secret"),
    ],
    "layer outside": [
      /digest mismatch|invalid or missing/,
      (dir) => edit(join(dir, "blobs/sha256", digest), /sha256:[0-9a-f]{64}/, "sha256:../../secret"),
    ],
  };
  for (const [index, [what, [reason, spoil]]] of Object.entries(cases).entries()) {
    const dir = join(cwd, `spoiled${index}`);
    cpSync(join(cwd, "saved"), dir, { recursive: true });
    spoil(dir);
    const loaded = `${plain}/spoiled${index}:v1`; // a registry that has none of the blobs yet
    const refused = await run(TSIGN, ["load", "--dir", dir, loaded], { cwd });
    assert.equal(refused.code, 1, what);
    assert.match(refused.stderr, reason, what);
    assert.notEqual((await run("crane", ["digest", loaded], { cwd })).code, 0, `${what}: nothing has the tag`);
  }
});

/** Starts docker-registry (distribution): `localhost:<port>`. */
async function dockerRegistry(context: TestContext): Promise<string> {
  const storage = folder(context);
  const port = 20_000 + (process.pid % 20_000);
  const address = `127.0.0.1:${port}`;
  const config = `version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: ${storage}}}\nhttp: {addr: "${address}"}\n`;
  writeFileSync(join(storage, "config.yml"), config);
  const child = spawn("docker-registry", ["serve", join(storage, "config.yml")], { stdio: "ignore" });
  context.after(() => child.kill());
  for (let attempt = 0; attempt < 200; attempt++) {
    const ready = await fetch(`http://${address}/v2/`).catch(() => undefined);
    if (ready?.ok) return `localhost:${port}`;
    await setTimeout(50);
  }
  throw new Error("docker-registry did not start: is it on the PATH (test/suites/tools.sh)?");
}

test("load: layers of 1 and 60 MB, intact and damaged -> loaded, refused and named, by every registry", async (t) => {
  const cwd = folder(t);
  const { ref, plain } = await registries(t);
  const docker = await dockerRegistry(t);
  for (const size of [1_000_000, 60_000_000]) {
    writeFileSync(join(cwd, "layer"), randomBytes(size));
    const name = `big${size}`;
    await must(TSIGN, ["upload", "blob", "-f", "layer", `${ref}/${name}:v1`], { cwd });
    await must(TSIGN, ["save", "--dir", name, `${ref}/${name}:v1`], { cwd });
    const layer = blobs(join(cwd, name)).find((each) => statSync(join(cwd, name, each)).size === size) ?? assert.fail();
    for (const registry of [plain, docker]) {
      await must(TSIGN, ["load", "--dir", name, `${registry}/${name}:v1`], { cwd });
      await must(COSIGN, ["save", "--dir", `${name}-${registry}`, `${registry}/${name}:v1`], { cwd });
      const loaded = readFileSync(join(cwd, `${name}-${registry}`, layer));
      assert.ok(loaded.equals(readFileSync(join(cwd, "layer"))), `${registry}, ${size}`);
    }
    flip(join(cwd, name, layer));
    const other = await registries(t);
    const digest = layer.replace(/^.*\//, "sha256:");
    for (const registry of [other.plain, docker]) {
      const refused = await run(TSIGN, ["load", "--dir", name, `${registry}/damaged:v1`], { cwd });
      assert.equal(refused.code, 1, registry);
      assert.match(refused.stderr, new RegExp(`read ${name}@${digest}: digest mismatch: got sha256:`));
      assert.notEqual((await run("crane", ["digest", `${registry}/damaged:v1`], { cwd })).code, 0, "no tag");
    }
  }
});

test("save: folder with symbolic links -> nothing written elsewhere", async (t) => {
  const { cwd, image } = await signedImage(t);
  await must(TSIGN, ["save", "--dir", "good", image], { cwd });
  const victim = join(cwd, "victim");
  writeFileSync(victim, "untouched");
  for (const [index, file] of ["index.json", "oci-layout", ...blobs(join(cwd, "good"))].entries()) {
    const dir = `trap${index}`;
    cpSync(join(cwd, "good"), join(cwd, dir), { recursive: true });
    link(victim, join(cwd, dir, file));
    const refused = await run(TSIGN, ["save", "--dir", dir, image], { cwd });
    assert.equal(refused.code, 1, file);
    assert.match(refused.stderr, /not a regular file/);
    assert.equal(readFileSync(victim, "utf8"), "untouched", file);
  }
});

function blobs(dir: string): string[] {
  return readdirSync(join(dir, "blobs/sha256")).map((each) => `blobs/sha256/${each}`);
}

function link(target: string, path: string): void {
  rmSync(path);
  symlinkSync(target, path);
}

function flip(path: string): void {
  const bytes = readFileSync(path);
  bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
  writeFileSync(path, bytes);
}

function edit(path: string, what: RegExp, by: string): void {
  writeFileSync(path, readFileSync(path, "utf8").replace(what, by));
}
