import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { targetBelow } from "../src/cli/options/copy-targets.ts";
import { storageWorkshop } from "./support/storage.ts";
import { NO_LOG, OFFLINE, testRegistry } from "./support/test-io.ts";

test("copy --from --to: every image keeps its path, tag and signatures", async (t) => {
  const { ok, tsign, cwd, registry } = await storageWorkshop(t);
  const mirror = await testRegistry(t);
  for (const name of ["team/web:v1", "team/api:v2", "db:latest"]) {
    writeFileSync(join(cwd, "content"), name);
    await ok("sandbox", "push", name, "content");
  }
  await ok("sign", "--key", "a.key", "-y", ...OFFLINE, `${registry}/team/web:v1`, `${registry}/db`);
  const compose = `services:\n  web:\n    image: ${registry}/team/web:v1\n  api: {image: "${registry}/team/api:v2"}\n`;
  writeFileSync(join(cwd, "compose.yaml"), compose);
  const args = ["copy", "--from", "compose.yaml", "--to", `${mirror}/prod/`, `${registry}/db`];
  const { code, stderr } = await tsign(...args);
  assert.equal(code, 0, stderr);
  assert.match(stderr, /^3 of 3 images copied$/m);
  for (const name of ["team/web:v1", "db:latest"]) {
    await ok("verify", "--key", "a.pub", NO_LOG, `${mirror}/prod/${name}`);
  }
  await ok("tree", `${mirror}/prod/team/api:v2`);
  await ok(...args); // again: nothing changes
  // A failure does not keep the others from being copied, and is named.
  writeFileSync(join(cwd, "content"), "another api");
  await ok("sandbox", "push", "team/api:v2", "content");
  const second = await tsign(...args);
  assert.equal(second.code, 1);
  assert.match(second.stderr, /prod\/team\/api:v2" already exists/);
  assert.match(second.stderr, /^2 of 3 images copied, 1 failed$/m);
});

test("copy --to: two images that would get one name -> refused before anything is copied", async (t) => {
  const { ok, tsign, cwd, registry } = await storageWorkshop(t);
  const other = await testRegistry(t);
  const mirror = await testRegistry(t);
  writeFileSync(join(cwd, "content"), "other");
  await ok("copy", `${registry}/app:v1`, `${other}/app:v1`);
  const same = await tsign("copy", "--to", mirror, `${registry}/app:v1`, `${other}/app:v1`);
  assert.equal(same.code, 0, same.stderr);
  await ok("sandbox", "push", "app:v1", "content");
  const clash = await tsign("copy", "--to", `${mirror}/x`, `${registry}/app:v1`, `${other}/app:v1`);
  assert.equal(clash.code, 1);
  assert.match(clash.stderr, /both would become \S+\/x\/app:v1/);
  assert.equal((await tsign("tree", `${mirror}/x/app:v1`)).code, 1);
});

test("copy: --from and --to without what they need -> refused", async (t) => {
  const { tsign, cwd } = await storageWorkshop(t);
  writeFileSync(join(cwd, "list"), "registry.example/app:v1\n");
  for (const [args, error] of [
    [["--from", "list"], /--from requires --to/],
    [["--from", "list", "a/b", "c/d"], /--from requires --to/],
    [["--to", "mirror.example"], /--to requires an image or --from/],
    [["--to", "mirror.example/app:v1", "registry.example/app"], /--to: "\S+" is not a registry or a repository/],
    [["--to", "mirror.example@sha256:0", "registry.example/app"], /--to: "\S+" is not a registry or a repository/],
  ] as const) {
    const { code, stderr } = await tsign("copy", ...args);
    assert.equal(code, 1);
    assert.match(stderr, error);
  }
});

test("targetBelow: path and tag are kept, a digest where there is no tag", () => {
  const digest = `sha256:${"0".repeat(64)}`;
  for (const [prefix, image, expected] of [
    ["mirror.example", "nginx", "mirror.example/library/nginx:latest"],
    ["mirror.example/prod", "ghcr.io/org/app:v1", "mirror.example/prod/org/app:v1"],
    ["localhost:5000/a/", "localhost:45001/org/app:v1", "localhost:5000/a/org/app:v1"],
    ["mirror.example", `ghcr.io/org/app@${digest}`, `mirror.example/org/app@${digest}`],
    ["mirror.example", `ghcr.io/org/app:v1@${digest}`, "mirror.example/org/app:v1"],
  ] as const) {
    const { name, identifier } = targetBelow(prefix, image);
    const actual = `${name}${identifier.startsWith("sha256:") ? "@" : ":"}${identifier}`;
    assert.equal(actual, expected);
  }
});

test("save --from: the images of a file, in one archive or folder", async (t) => {
  const { ok, cwd, registry } = await storageWorkshop(t);
  writeFileSync(join(cwd, "content"), "other");
  await ok("sandbox", "push", "other:v1", "content");
  await ok("sign", "--key", "a.key", "-y", ...OFFLINE, `${registry}/app:v1`, `${registry}/other:v1`);
  writeFileSync(join(cwd, "list"), `${registry}/app:v1\n${registry}/other:v1\n`);
  await ok("save", "--from", "list", "--dir", "all.tar");
  const { stderr } = await ok("verify", "--key", "a.pub", NO_LOG, "--local-image", "all.tar");
  assert.match(stderr, /2 of 2 images verified/);
  await ok("save", "--from", "list", "--dir", "folder");
  const again = await ok("verify", "--key", "a.pub", NO_LOG, "--local-image", "folder");
  assert.match(again.stderr, /2 of 2 images verified/);
});
