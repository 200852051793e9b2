import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { storageWorkshop } from "./support/storage.ts";
import { LEGACY, NO_LOG, OFFLINE, run } from "./support/test-io.ts";

/** Two signed images, an unsigned one, and commands that verify the images of a file. */
async function workshop(...from: Parameters<typeof storageWorkshop>) {
  const shop = await storageWorkshop(...from);
  const { ok, cwd, registry } = shop;
  const image = (name: string) => `${registry}/${name}:v1`;
  const digests: Record<string, string> = {};
  for (const name of ["app", "web", "none"]) {
    writeFileSync(join(cwd, "content"), name);
    await ok("sandbox", "push", `${name}:v1`, "content");
  }
  for (const name of ["app", "web"]) await ok("sign", "--key", "a.key", "-y", ...OFFLINE, LEGACY, image(name));
  for (const name of ["app", "web", "none"]) {
    digests[name] = (await ok("triangulate", image(name))).stdout.replace(/^.*:(sha256)-(\w+)\.sig\s*$/s, "$1:$2");
  }
  const verify = (...words: string[]) => shop.tsign("verify", "--key", "a.pub", NO_LOG, ...words);
  const file = (name: string, text: string) => writeFileSync(join(cwd, name), text);
  return { ...shop, image, digests, verify, file };
}

test("verify --from: each format -> the images of the file are verified", async (t) => {
  const { image, verify, file } = await workshop(t);
  const formats: [format: string, text: (app: string, other: string) => string][] = [
    ["list", (app, other) => `# images\n${app}\n${other} # x\n`],
    ["json", (app, other) => JSON.stringify([app, other])],
    [
      "kubernetes",
      (app, other) => `apiVersion: v1\nkind: Pod\nspec: {containers: [{image: "${app}"}, {image: "${other}"}]}`,
    ],
    ["compose", (app, other) => `services:\n  a:\n    image: ${app}\n  b:\n    image: ${other}\n`],
    ["dockerfile", (app, other) => `FROM ${app} AS x\nCOPY --from=${other} . .\n`],
    [
      "kustomize",
      (app, other) =>
        `images:\n${[app, other].map((each) => `- {name: x, newName: "${each.slice(0, -3)}", newTag: v1}`).join("\n")}`,
    ],
  ];
  for (const [format, text] of formats) {
    file("good", text(image("app"), image("web")));
    file("bad", text(image("app"), image("none")));
    for (const flags of [[], ["--from-format", format]]) {
      const good = await verify("--from", "good", ...flags);
      assert.equal(good.code, 0, `${format}: ${good.stderr}`);
      assert.ok(good.stderr.includes(`good: 2 images (${format})\n`), good.stderr);
      assert.equal(good.stdout.trim().split("\n\n").length, 2, format);
      assert.equal((await verify("--from", "bad", ...flags)).code, 10, format);
    }
  }
  assert.equal((await verify("--from", "good", "--from-format", "list")).code, 1);
  assert.match((await verify("--from", "good", "--from-format", "x")).stderr, /--from-format/);
});

test("verify --from: several files, standard input and arguments -> each image once", async (t) => {
  const { cwd, env, image, digests, verify, file } = await workshop(t);
  const app = image("app");
  file("one", `${app}\n${app.replace(":v1", "")}@${digests["app"]}\n`);
  file("two", `["${app}", "${image("web")}"]`);
  const { code, stdout, stderr } = await verify(app, "--from", "one", "--from", "two");
  assert.equal(code, 0, stderr);
  assert.equal(stdout.trim().split("\n\n").length, 3, "app by tag, app by digest, web");
  const piped = await run(["verify", "--key", "a.pub", NO_LOG, "--from", "-"], { cwd, env, stdin: `${app}\n` });
  assert.equal(piped.code, 0, piped.stderr);
  assert.match(piped.stderr, /^standard input: 1 image \(list\)$/m);
  const bad = await run(["verify", "--key", "a.pub", NO_LOG, "--from", "-"], { cwd, env, stdin: "a\n$b\n" });
  assert.equal(bad.code, 1);
  assert.match(bad.stderr, /^Error: standard input:2: unexpanded variable in \$b$/m);
});

test("verify --from: what cannot be read -> an error with file and line, and nothing is verified", async (t) => {
  const { image, verify, file } = await workshop(t);
  for (const [text, error] of [
    [`${image("app")}\nUPPER/x y\n`, "f:2: expected one image on a line"],
    [`${image("app")}\n${image("app")}@sha256:0\n`, /^Error: f:2: .*is not a sha256 or sha512 digest/m],
    [`services:\n  a: {image: "${image("app")}"}\n  b: {image: "\${X}"}\n`, "f:3: unexpanded variable in ${X}"],
    ["", "no images found in f"],
  ] as const) {
    file("f", text);
    const { code, stdout, stderr } = await verify("--from", "f");
    assert.equal(code, 1);
    assert.equal(stdout, "");
    if (typeof error === "string") assert.ok(stderr.includes(`Error: ${error}\n`), stderr);
    else assert.match(stderr, error);
  }
  assert.match((await verify()).stderr, /requires at least 1 arg/);
  assert.match((await verify("--from", "absent")).stderr, /absent/);
  assert.match(
    (await verify("--from", "all.tar")).stderr,
    /got an archive, want .*\nhint: .*`tsign verify --local-image`/,
  );
  assert.match((await verify("--from", "f", "--local-image")).stderr, /from.*local-image/);
});

test("verify --pin: tags -> the digests that verified; nothing is written unless every image verifies", async (t) => {
  const { cwd, env, image, digests, verify, file } = await workshop(t);
  env["COSIGN_PIN"] = "123456";
  const compose = (app: string, web: string) =>
    `# stack\r\nservices:\r\n  a: {image: "${app}"} # x\r\n  b:\r\n    image: ${web}\r\n    environment: [V=${web}]\r\n`;
  const pinned = (name: string) => image(name).replace(":v1", `@${digests[name]}`);
  const out = join(cwd, "out.yaml");
  file("compose.yaml", compose(image("app"), image("none")));
  const refused = await verify("--from", "compose.yaml", "--pin", "out.yaml");
  assert.equal(refused.code, 10);
  assert.equal(existsSync(out), false);
  assert.match(refused.stderr, /^WARNING: out\.yaml was not written: not every image verified$/m);
  file("compose.yaml", compose(image("app"), image("web")));
  const { code, stderr } = await verify("--from", "compose.yaml", "--pin", "out.yaml");
  assert.equal(code, 0, stderr);
  const expected = compose(pinned("app"), pinned("web")).replace(/V=[^\]]*/, `V=${image("web")}`);
  assert.equal(readFileSync(out, "utf8"), expected);
  assert.match(stderr, /^Wrote compose\.yaml with verified digests to out\.yaml$/m);
  assert.equal((await verify("--from", "out.yaml", "--pin", "again.yaml")).code, 0);
  assert.equal(readFileSync(join(cwd, "again.yaml"), "utf8"), expected, "a pinned file is kept as it is");
});

test("verify --pin: an image that a trust policy accepts with a warning -> nothing is written", async (t) => {
  const { cwd, image, digests, tsign, file } = await workshop(t);
  const rule = "{name: all, images: '**', effect: warn, signatures: {signers: team, log: insecure-skip}}";
  file("policy.yaml", `version: 1\nsigners: {team: {key: a.pub}}\nrules:\n  - ${rule}\n`);
  const pin = ["--trust-policy", "policy.yaml", "--from", "list", "--pin", "out"];
  for (const name of [image("none"), image("none").replace(":v1", `@${digests["none"]}`)]) {
    file("list", `${image("app")}\n${name}\n`);
    const { code, stderr } = await tsign("verify", ...pin);
    assert.equal(code, 1, stderr);
    assert.ok(stderr.includes(`Error: write out: ${name} was accepted without being verified\n`), stderr);
    assert.equal((await tsign("verify", ...pin, "--exit-codes=strict")).code, 12);
    assert.equal(existsSync(join(cwd, "out")), false);
  }
  file("list", image("app"));
  assert.equal((await tsign("verify", ...pin)).code, 0);
  assert.equal(readFileSync(join(cwd, "out"), "utf8"), image("app").replace(":v1", `@${digests["app"]}`));
});

test("verify --pin: an output or flags that do not fit -> refused before anything is verified", async (t) => {
  const { cwd, image, verify, file } = await workshop(t);
  file("list", image("app"));
  file("two", image("web"));
  mkdirSync(join(cwd, "folder"));
  for (const [flags, error] of [
    [["--from", "list", "--pin", "folder"], /folder/],
    [["--from", "list", "--pin", "-"], /write -: it is not a regular file/],
    [["--from", "list", "--pin", "list"], /would overwrite list/],
    [["--from", "list", "--from", "two", "--pin", "out"], /--pin requires one --from file, found 2/],
    [["--pin", "out", image("app")], /--pin requires --from/],
    [["--from", "list", "--pin", "out", "--check-claims=false"], /cannot be used together/],
    [["--from", "list", "--pin", "out", "--attachment", "sbom"], /pin.*attachment|attachment.*pin/],
  ] as const) {
    const { code, stdout, stderr } = await verify(...flags);
    assert.equal(code, 1, flags.join(" "));
    assert.match(stderr, error);
    assert.equal(stdout, "");
  }
  assert.equal(existsSync(join(cwd, "out")), false);
});

test("verify-attestation --from and --pin: the images of the file are verified", async (t) => {
  const { cwd, ok, tsign, image, digests, file } = await workshop(t);
  file("predicate", "{}");
  await ok("attest", "--key", "a.key", "-y", ...OFFLINE, "--predicate", "predicate", image("app"));
  const verify = (...words: string[]) => tsign("verify-attestation", "--key", "a.pub", NO_LOG, ...words);
  file("list", `${image("app")} # x\n`);
  const { code, stderr } = await verify("--from", "list", "--pin", "out");
  assert.equal(code, 0, stderr);
  assert.equal(readFileSync(join(cwd, "out"), "utf8"), `${image("app").replace(":v1", "")}@${digests["app"]} # x\n`);
  file("list", `${image("app")}\n${image("web")}\n`);
  assert.notEqual((await verify("--from", "list")).code, 0);
});

test("sign, attest, tree and clean: the images of --from and several arguments", async (t) => {
  const { cwd, env, ok, tsign, image, verify, file, registry } = await workshop(t);
  file("list", `${image("app")}\n${image("none")}\n${image("none")}\n`);
  file("predicate", "{}");
  await ok("sign", "--key", "a.key", "-y", ...OFFLINE, "--from", "list");
  assert.equal((await verify("--from", "list")).code, 0);
  await ok("attest", "--key", "a.key", "-y", ...OFFLINE, "--predicate", "predicate", "--from", "list", image("web"));
  const attested = ["verify-attestation", "--key", "a.pub", NO_LOG, image("web"), "--from", "list"];
  const { code, stdout } = await tsign(...attested);
  assert.equal(code, 0);
  assert.equal(stdout.trim().split("\n").length, 3, "none is attested once");
  const bad = await tsign("sign", "--key", "a.key", "-y", ...OFFLINE, "--from", "predicate");
  assert.match(bad.stderr, /^Error: predicate:1: unknown format$/m);

  const trees = await tsign("tree", image("app"), `${registry}/absent:v1`, image("web"));
  assert.equal(trees.code, 1);
  const headers = trees.stdout.match(/^.*artifacts for an image: .*$/gm) ?? [];
  assert.deepEqual(
    headers.map((line) => line.replace(/^.*: /, "")),
    [image("app"), image("web")],
  );
  assert.match(trees.stderr, /absent:v1/);
  assert.equal((await tsign("tree")).code, 1);

  const declined = await run(["clean", "--from", "list"], { cwd, env, stdin: "n\n" });
  assert.notEqual(declined.code, 0);
  assert.equal((await verify("--from", "list")).code, 0, "nothing was removed");
  await ok("clean", "--force", "--from", "list");
  for (const name of ["app", "none"]) assert.equal((await verify(image(name))).code, 10, name);
  assert.equal((await verify(image("web"))).code, 0);
});
