import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { storageWorkshop } from "./support/storage.ts";
import { LEGACY, NO_LOG, OFFLINE, run } from "./support/test-io.ts";

/** Images signed in each format, and an unsigned one. */
async function workshop(...from: Parameters<typeof storageWorkshop>) {
  const shop = await storageWorkshop(...from);
  const { ok, cwd } = shop;
  const names: Record<"legacy" | "bundle" | "none", string> = { legacy: "", bundle: "", none: "" };
  for (const name of ["legacy", "bundle", "none"] as const) {
    writeFileSync(join(cwd, "content"), name);
    await ok("sandbox", "push", `${name}:v1`, "content");
    names[name] = `${shop.registry}/${name}:v1`;
  }
  const sign = ["sign", "--key", "a.key", "-y", ...OFFLINE];
  await ok(...sign, LEGACY, names.legacy);
  await ok(...sign, names.bundle);
  await ok("generate-key-pair", "--output-key-prefix", "b");
  const verify = (kind: string, text: string, ...flags: string[]) => {
    writeFileSync(join(cwd, "source"), text);
    const key = flags.includes("--key") ? [] : ["--key", "a.pub"];
    return shop.tsign(kind, "verify", ...key, NO_LOG, ...flags, "source");
  };
  return { ...shop, ...names, verify };
}

test("dockerfile verify: verifies every image, with the exit codes of verify", async (t) => {
  const { legacy, bundle, none, registry, env, verify } = await workshop(t);
  const dockerfile = (text: string, ...flags: string[]) => verify("dockerfile", text, ...flags);
  const good = await dockerfile(`FROM ${legacy} AS build\nFROM build\nCOPY --from=${bundle} /x /x\n`);
  assert.equal(good.code, 0, good.stderr);
  assert.ok(good.stderr.startsWith(`- stage reference ignored: build\nExtracted image(s): ${legacy}, ${bundle}\n`));
  assert.equal(good.stdout.trim().split("\n\n").length, 2, "a line of JSON for each image");
  assert.equal((await dockerfile(`FROM ${none}`)).code, 10);
  assert.equal((await dockerfile(`FROM ${registry}/absent`)).code, 11);
  assert.equal((await dockerfile(`FROM ${legacy}`, "--key", "b.pub")).code, 12);
  assert.equal((await dockerfile(`FROM ${bundle}`, "--key", "b.pub")).code, 1);
  assert.equal((await dockerfile(`FROM ${none} AS x\nFROM ${bundle}`)).code, 10);
  assert.equal((await dockerfile(`FROM ${none} AS x\nFROM ${bundle}`, "--base-image-only")).code, 0);
  assert.equal((await dockerfile(`FROM ${legacy}\nRUN --mount=from=${none} true`)).code, 10);
  env["TAG"] = "v1";
  assert.equal((await dockerfile(`ARG TAG\nFROM ${legacy.replace(":v1", ":$TAG")}`)).code, 0);
  assert.equal((await dockerfile(`FROM ${legacy}`, "-a", "env=prod")).code, 12);
});

test("manifest verify: verifies every image of the stream", async (t) => {
  const { cwd, env, legacy, bundle, none, verify } = await workshop(t);
  const pod = (...images: string[]) =>
    JSON.stringify({ kind: "Pod", spec: { containers: images.map((image) => ({ name: "c", image })) } });
  const good = await verify("manifest", `${pod(legacy)}\n---\n${pod(bundle)}\n`);
  assert.equal(good.code, 0, good.stderr);
  assert.ok(good.stderr.startsWith(`Extracted image(s): ${legacy}, ${bundle}\n`));
  assert.equal((await verify("manifest", `${pod(legacy)}\n---\n${pod(none)}`)).code, 10);
  assert.equal((await verify("manifest", pod(legacy), "--key", "b.pub")).code, 12);
  assert.equal((await verify("manifest", "kind: ConfigMap")).code, 1);
  const piped = await run(["manifest", "verify", "--key", "a.pub", NO_LOG, "-"], { cwd, env, stdin: pod(bundle) });
  assert.equal(piped.code, 0, piped.stderr);
});
