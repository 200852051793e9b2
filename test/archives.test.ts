import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { type TestContext, test } from "node:test";
import { digestOf } from "../src/format/digest.ts";
import { tarEnd, tarHeader, tarPadding } from "../src/format/tar.ts";
import { archiveFiles } from "../src/oci/layout/archive-files.ts";
import { openRegistry } from "../src/oci/open.ts";
import { parseReference } from "../src/oci/ref.ts";
import { pushImage } from "../src/sandbox/registry/push.ts";
import { jsonAnswer } from "./support/json-answer.ts";
import { writeKeyPairs } from "./support/key-pairs.ts";
import { BEFORE, ENVIRONMENT, PROGRAM } from "./support/program.ts";
import { testSigstore } from "./support/sandbox.ts";
import { ALICE } from "./support/sandbox-client.ts";
import { descriptorOf, listed, storageWorkshop } from "./support/storage.ts";
import {
  LEGACY,
  NO_LOG,
  OFFLINE,
  type Outcome,
  PLAIN_REGISTRY,
  run,
  temporaryFolder,
  testIo,
} from "./support/test-io.ts";

/** No request leaves: what tsign does here, it does without a network. */
const NO_NETWORK = {
  http: async (): Promise<never> => {
    throw new Error("the network was used");
  },
};

/** A registry with three images, signed with a key as a bundle and in the legacy form, and an unsigned one. */
async function workshop(t: TestContext) {
  const shop = await storageWorkshop(t);
  const { cwd, ok, registry } = shop;
  const push = async (name: string) => {
    const ref = parseReference(`${registry}/${name}`);
    const store = await openRegistry(testIo({ cwd }), ref, PLAIN_REGISTRY);
    const image = { file: "name", content: Buffer.from(name), tag: ref.identifier };
    return `${ref.name}@${(await pushImage(store, image)).digest}`;
  };
  const [app, web, db] = [shop.image, await push("team/web:v1"), await push("team/db:v2")];
  await ok("sign", "--key", "a.key", ...OFFLINE, app);
  await ok("sign", "--key", "a.key", ...OFFLINE, LEGACY, web);
  await ok("sign", "--key", "a.key", ...OFFLINE, `${registry}/team/db:v2`);
  const names = [`${registry}/app:v1`, `${registry}/team/web:v1`, `${registry}/team/db:v2`];
  const local = (...argv: string[]) => run(argv, { cwd, env: shop.env, io: NO_NETWORK });
  const verify = (...more: string[]) => local("verify", "--key", "a.pub", NO_LOG, "--local-image", ...more);
  return { ...shop, app, web, db, names, verify, push };
}

test("save --json: an archive or a folder -> every image is named", async (t) => {
  const { ok, app, web, db, names } = await workshop(t);
  const saved = async (...argv: string[]) => {
    const { result } = jsonAnswer(await ok("save", "--json", ...argv), "save").document;
    return [Reflect.get(result, "files"), result.images];
  };
  const images = [app, web, db].map((image) => ({ image, state: "saved" }));
  assert.deepEqual(await saved("--dir", "all.tar", ...names), [["all.tar"], images]);
  assert.deepEqual(await saved("--dir", "one", names[1] ?? ""), [["one"], images.slice(1, 2)]);
});

function digestsIn({ stdout }: Outcome): string[] {
  const arrays = stdout.split("\n").filter((line) => line !== "");
  return arrays.flatMap((line) =>
    JSON.parse(line).map(
      (each: { critical: { image: Record<string, string> } }) => each.critical.image["docker-manifest-digest"],
    ),
  );
}

test("save to an archive: several images -> all verify without a network, by name, digest, and together", async (t) => {
  const { ok, names, verify, app, web, db, registry } = await workshop(t);
  const saved = await ok("save", "--dir", "all.tar", ...names);
  assert.match(saved.stderr, /^(Saved \S+ with 1 attachment to all\.tar\n){3}$/);
  const all = await verify("all.tar");
  assert.equal(all.code, 0, all.stderr);
  const digests = [app, web, db].map((image) => image.replace(/.*@/, ""));
  assert.deepEqual(digestsIn(all), digests);
  for (const text of [`all.tar:${registry}/team/web:v1`, `all.tar@${digests[1]}`, "all.tar:v2"]) {
    const one = await verify(text);
    assert.equal(one.code, 0, one.stderr);
    assert.equal(digestsIn(one).length, 1);
  }
  for (const [text, reason] of [
    ["all.tar:v1", /expected one image named v1, found 2/],
    ["all.tar:nothing", /expected one image named nothing, found 0\nhint: name one of: /],
    [`all.tar@sha256:${"0".repeat(64)}`, /it does not contain sha256:0/],
    ["other.tar", /read archive other\.tar: no such file/],
  ] as const) {
    const none = await verify(text);
    assert.equal(none.code, 1, text);
    assert.match(none.stderr, reason);
  }
});

test("save to an archive: one image without a signature -> it fails, the others verify", async (t) => {
  const { ok, names, verify, registry, push } = await workshop(t);
  await push("bare:v1");
  await ok("save", "--dir", "all.tar", ...names, `${registry}/bare:v1`);
  const all = await verify("all.tar");
  assert.notEqual(all.code, 0);
  assert.equal(digestsIn(all).length, 3);
  assert.match(all.stderr, /no signatures found for all\.tar:\S+\/bare:v1/);
});

test("load from an archive: into one repository by digest and old tag, and with --keep-paths into the old paths", async (t) => {
  const { ok, tsign, names, registry, app, web, db, verify } = await workshop(t);
  await ok("save", "--dir", "all.tar", ...names);
  const clash = await tsign("load", "--dir", "all.tar", `${registry}/mirror`);
  assert.equal(clash.code, 1);
  assert.match(clash.stderr, /would both become \S+\/mirror:v1\nhint: pass --keep-paths/);
  assert.equal((await tsign("tree", `${registry}/mirror@${app.replace(/.*@/, "")}`)).code, 1, "nothing was loaded");
  const kept = await ok("load", "--dir", "all.tar", "--keep-paths", `${registry}/enclave`);
  assert.match(kept.stderr, /^(Loaded \S+@sha256:\S+ with 1 attachment\n){3}$/);
  for (const [path, image] of [
    ["app:v1", app],
    ["team/web:v1", web],
    ["team/db:v2", db],
  ] as const) {
    const verified = await ok("verify", "--key", "a.pub", NO_LOG, `${registry}/enclave/${path}`);
    assert.deepEqual(digestsIn(verified), [image.replace(/.*@/, "")]);
  }
  await ok("save", "--dir", "two.tar", names[0] ?? "", names[2] ?? "");
  await ok("load", "--dir", "two.tar", `${registry}/mirror`);
  for (const tag of ["v1", "v2"]) await ok("verify", "--key", "a.pub", NO_LOG, `${registry}/mirror:${tag}`);
  await ok("load", "--dir", "two.tar", `${registry}/mirror`); // again: nothing changes
  await ok("load", "--dir", `all.tar:${names[1]}`, `${registry}/single:v9`);
  await ok("verify", "--key", "a.pub", NO_LOG, `${registry}/single:v9`);
  const named = await tsign("load", "--dir", "all.tar", `${registry}/single:v9`);
  assert.match(named.stderr, /names one image, but all\.tar contains 3/);
  assert.equal((await verify("two.tar")).code, 0);
});

test("load from an archive: tag of another image -> refused before anything is sent, moved with --force", async (t) => {
  const { ok, tsign, names, registry, app } = await workshop(t);
  await ok("save", "--dir", "one.tar", names[0] ?? "");
  await ok("copy", "--force", names[1] ?? "", `${registry}/mirror:v1`);
  const refused = await tsign("load", "--dir", "one.tar", `${registry}/mirror`);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /image "\S+\/mirror:v1" already exists\nhint: replace it with --force/);
  await ok("load", "--dir", "one.tar", "--force", `${registry}/mirror`);
  const verified = await ok("verify", "--key", "a.pub", NO_LOG, `${registry}/mirror:v1`);
  assert.deepEqual(digestsIn(verified), [app.replace(/.*@/, "")]);
});

test("copy from an archive and a folder: same as from a registry; unknown name -> refused", async (t) => {
  const { ok, tsign, names, registry } = await workshop(t);
  await ok("save", "--dir", "all.tar", ...names);
  await ok("save", "--dir", "one", names[1] ?? "");
  await ok("copy", `all.tar:${names[0]}`, `${registry}/copied:a`);
  await ok("copy", "./one", `${registry}/copied:b`);
  for (const tag of ["a", "b"]) await ok("verify", "--key", "a.pub", NO_LOG, `${registry}/copied:${tag}`);
  assert.match((await tsign("copy", "all.tar", `${registry}/copied:c`)).stderr, /expected one image, found 3/);
  assert.match((await tsign("copy", "none.tar", `${registry}/copied:c`)).stderr, /none\.tar: no such file/);
});

test("save to an archive: existing file -> replaced only if save wrote it; a failure leaves the old one", async (t) => {
  const { cwd, ok, tsign, names, registry, verify } = await workshop(t);
  writeFileSync(join(cwd, "notes.tar"), "text");
  const foreign = await tsign("save", "--dir", "notes.tar", names[0] ?? "");
  assert.match(foreign.stderr, /save to notes\.tar: the file exists and is not an image archive/);
  assert.equal(readFileSync(join(cwd, "notes.tar"), "utf8"), "text");
  await ok("save", "--dir", "all.tar", names[0] ?? "");
  const before = readFileSync(join(cwd, "all.tar"));
  assert.equal((await tsign("save", "--dir", "all.tar", names[1] ?? "", `${registry}/app:none`)).code, 1);
  assert.deepEqual(readFileSync(join(cwd, "all.tar")), before);
  const replaced = await ok("save", "--dir", "all.tar", names[1] ?? "");
  assert.match(replaced.stderr, /^WARNING: replacing all\.tar, which contains sha256:/);
  assert.equal((await verify("all.tar")).code, 0);
  await ok("save", "--dir", "same.tar", names[1] ?? "");
  assert.deepEqual(
    readFileSync(join(cwd, "same.tar")),
    readFileSync(join(cwd, "all.tar")),
    "equal contents, equal bytes",
  );
  assert.deepEqual(
    readdirSync(cwd).filter((name) => name.endsWith(".tmp")),
    [],
  );
  const root = await tsign("save", "--dir", "folder", "--include-trusted-root", ...names);
  assert.match(
    root.stderr,
    /--include-trusted-root requires an archive\nhint: save to an archive: pass --dir NAME\.tar/,
  );
  assert.equal(existsSync(join(cwd, "folder")), false);
});

test("save to a folder: several images -> read as from an archive; one that is unsigned or altered fails", async (t) => {
  const { cwd, ok, tsign, names, verify, app, web, db, registry, push } = await workshop(t);
  const saved = await ok("save", "--dir", "all", ...names);
  assert.match(saved.stderr, /^(Saved \S+ with 1 attachment to all\n){3}$/);
  const digests = [app, web, db].map((image) => image.replace(/.*@/, ""));
  const all = await verify("all");
  assert.equal(all.code, 0, all.stderr);
  assert.deepEqual(digestsIn(all), digests);
  for (const text of [`all:${registry}/team/web:v1`, `all@${digests[1]}`, "all:v2"]) {
    const one = await verify(text);
    assert.equal(one.code, 0, one.stderr);
    assert.equal(digestsIn(one).length, 1);
  }
  assert.match((await verify("all:v1")).stderr, /expected one image named v1, found 2/);

  await ok("load", "--dir", "all", "--keep-paths", `${registry}/mirror`);
  for (const name of ["app:v1", "team/web:v1", "team/db:v2"]) {
    await ok("verify", "--key", "a.pub", NO_LOG, `${registry}/mirror/${name}`);
  }
  const clash = await tsign("load", "--dir", "all", `${registry}/all`);
  assert.match(clash.stderr, /would both become \S+\/all:v1/);

  await push("bare:v1");
  const replaced = await ok("save", "--dir", "all", names[0] ?? "", `${registry}/bare:v1`);
  assert.deepEqual(
    replaced.stderr.match(/^WARNING: .*$/gm),
    digests.slice(1).map((digest) => `WARNING: replacing ${digest} in all/index.json`),
  );
  const bare = await verify("all");
  assert.notEqual(bare.code, 0);
  assert.deepEqual(digestsIn(bare), digests.slice(0, 1));
  const single = await ok("save", "--dir", "all", names[0] ?? "");
  assert.match(single.stderr, /^WARNING: replacing sha256:\w+ in all\/index\.json$/m);
  assert.equal((await verify("all")).code, 0, "one image again");

  await ok("save", "--dir", "all", ...names);
  const before = readFileSync(join(cwd, "all/index.json"));
  assert.equal((await tsign("save", "--dir", "all", names[1] ?? "", `${registry}/app:none`)).code, 1);
  assert.deepEqual(readFileSync(join(cwd, "all/index.json")), before);
  writeFileSync(join(cwd, "all/blobs/sha256", (digests[1] ?? "").slice(7)), "{}");
  assert.notEqual((await verify("all")).code, 0);
  for (const other of [[], [names[1] ?? ""]]) await ok("save", "--dir", "all", names[0] ?? "", ...other);
  assert.equal((await verify("all")).code, 0, "what was altered is saved again");
});

/** An archive with other files in place of some of its own. */
async function altered(cwd: string, change: (files: Map<string, Buffer>) => void): Promise<void> {
  const files = await archiveFiles(testIo({ cwd }), "all.tar");
  const content = new Map<string, Buffer>();
  for (const name of ["oci-layout", "index.json", "trusted_root.json"]) {
    if ((await files.size(name)) !== undefined)
      content.set(name, Buffer.from(await files.read(name, { maxBytes: 1e7 })));
  }
  for (const { name } of await files.list("blobs/sha256")) {
    const path = `blobs/sha256/${name}`;
    content.set(path, Buffer.from(await files.read(path, { maxBytes: 1e7 })));
  }
  change(content);
  const pieces = [...content].flatMap(([name, bytes]) => [
    tarHeader(name, bytes.length),
    bytes,
    tarPadding(bytes.length),
  ]);
  writeFileSync(join(cwd, "altered.tar"), Buffer.concat([...pieces, tarEnd()]));
}

test("verify --local-image: replaced layer -> refused; missing layer -> named, and verified as before", async (t) => {
  const { cwd, ok, names, verify, digest } = await workshop(t);
  await ok("save", "--dir", "all.tar", names[0] ?? "");
  const layerOf = (files: Map<string, Buffer>) => {
    const manifest = JSON.parse(files.get(`blobs/sha256/${digest.slice(7)}`)?.toString() ?? "{}");
    return `blobs/sha256/${manifest.layers[0].digest.slice(7)}`;
  };
  await altered(cwd, () => {});
  assert.equal((await verify("altered.tar")).code, 0);
  for (const change of [(bytes: Buffer) => bytes.with(0, 1), (bytes: Buffer) => Buffer.concat([bytes, bytes])]) {
    await altered(cwd, (files) => {
      const name = layerOf(files);
      files.set(name, Buffer.from(change(files.get(name) ?? Buffer.alloc(0))));
    });
    const refused = await verify("altered.tar");
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /read altered\.tar@sha256:\S+: (digest|size) mismatch/);
    assert.equal(refused.stdout, "");
  }
  let missing = "";
  await altered(cwd, (files) => {
    missing = layerOf(files);
    files.delete(missing);
  });
  const verified = await verify("altered.tar");
  assert.equal(verified.code, 0, verified.stderr);
  assert.match(
    verified.stderr,
    new RegExp(`WARNING: altered\\.tar is incomplete: missing sha256:${missing.slice(13)}`),
  );
});

test("verify --local-image: two images in an archive, one of them signed -> not accepted", async (t) => {
  const { cwd, ok, names, verify } = await workshop(t);
  await ok("save", "--dir", "all.tar", names[0] ?? "");
  const config = Buffer.from("{}");
  const media = "application/vnd.oci.image.manifest.v1+json";
  const evil = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: media,
      config: { mediaType: "application/vnd.oci.image.config.v1+json", size: 2, digest: digestOf(config) },
      layers: [],
    }),
  );
  const addEvil = (annotations: object, ofGood?: object) =>
    altered(cwd, (files) => {
      const index = JSON.parse(files.get("index.json")?.toString() ?? "{}");
      if (ofGood) index.manifests[0].annotations = ofGood;
      index.manifests.push({ mediaType: media, size: evil.length, digest: digestOf(evil), annotations });
      files.set("index.json", Buffer.from(JSON.stringify(index)));
      files.set(`blobs/sha256/${digestOf(evil).slice(7)}`, evil);
      files.set(`blobs/sha256/${digestOf(config).slice(7)}`, config);
    });
  for (const [annotations, name] of [
    [{ [REF_NAME]: "latest" }, "latest"],
    [{ [REF_NAME]: "latest", kind: "dev.cosignproject.cosign/sigs" }, "latest"],
    [{ [CONTAINERD_NAME]: "team/app:v1" }, "team/app:v1"],
    [{ [CONTAINERD_NAME]: "team/app:v1", [REF_NAME]: `sha256-${"0".repeat(64)}.sig` }, "team/app:v1"],
  ] as const) {
    await addEvil(annotations);
    const refused = await verify("altered.tar");
    assert.notEqual(refused.code, 0, JSON.stringify(annotations));
    assert.ok(refused.stderr.includes(`no signatures found for altered.tar:${name}`), refused.stderr);
  }
  // skopeo takes the one whose tag is v1, whatever containerd would call it.
  const good = { [CONTAINERD_NAME]: "team/app:v1", [REF_NAME]: "v2" };
  await addEvil({ [CONTAINERD_NAME]: "team/app:v3", [REF_NAME]: "v1" }, good);
  assert.match((await verify("altered.tar:v1")).stderr, /no signatures found for altered\.tar:v1/);
  for (const name of ["v2", "team/app:v1"]) assert.equal((await verify(`altered.tar:${name}`)).code, 0, name);
});

/** Annotations with the name of an image: of the image spec, and of containerd. */
const REF_NAME = "org.opencontainers.image.ref.name";
const CONTAINERD_NAME = "io.containerd.image.name";

test("save to an archive: keyless signature -> the trusted root is inside, and used only when it is named", async (t) => {
  const sigstore = await testSigstore();
  const cwd = temporaryFolder(t);
  const env = { TSIGN_SANDBOX: sigstore.registry };
  const tsign = (...argv: string[]) => run(argv, { cwd, env, io: sigstore.io });
  writeFileSync(join(cwd, "root.json"), sigstore.trustedRoot);
  writeFileSync(join(cwd, "config.json"), sigstore.signingConfig.rekor1Tsa);
  const image = (await tsign("sandbox", "push", "app:v1")).stdout.trim();
  const root = ["--trusted-root", "root.json"];
  const signed = await tsign(
    ...["sign", "--yes", "--identity-token", sigstore.mint(ALICE), "--signing-config", "config.json", ...root, image],
  );
  assert.equal(signed.code, 0, signed.stderr);
  const saved = await tsign("save", "--dir", "all.tar", ...root, image);
  assert.equal(saved.code, 0, saved.stderr);
  const digest = digestOf(Buffer.from(sigstore.trustedRoot));
  assert.match(saved.stderr, new RegExp(`Saved the trusted root to all\\.tar: ${digest}, .* expires \\d{4}-`));
  const who = ["--certificate-identity", ALICE, "--certificate-oidc-issuer", sigstore.at.issuer];
  const offline = (...argv: string[]) =>
    run(["verify", ...who, "--offline", "--local-image", "all.tar", ...argv], {
      cwd,
      io: { ...NO_NETWORK, now: sigstore.io.now },
    });
  const verified = await offline("--trusted-root", "all.tar");
  assert.equal(verified.code, 0, verified.stderr);
  assert.match(verified.stderr, new RegExp(`WARNING: using the trusted root in all\\.tar, ${digest}: compare`));
  assert.equal((await offline("--trusted-root", "root.json")).code, 0);
  assert.notEqual((await offline()).code, 0, "the root in the archive is not trusted by itself");
  const other = ["verify", "--certificate-identity", "mallory@example.com", ...who.slice(2), "--offline"];
  const options = { cwd, io: { ...NO_NETWORK, now: sigstore.io.now } };
  const mallory = await run([...other, "--trusted-root", "all.tar", "--local-image", "all.tar"], options);
  assert.notEqual(mallory.code, 0);
  assert.match(mallory.stderr, /certificate identity mismatch/);
  await tsign("save", "--dir", "bare.tar", "--include-trusted-root=false", image);
  const none = await offline("--trusted-root", "bare.tar");
  assert.match(none.stderr, /read bare\.tar: the archive contains no trusted root/);
  const loaded = await tsign("load", "--dir", "all.tar", `${sigstore.registry}/mirror`);
  assert.match(loaded.stderr, new RegExp(`pass --trusted-root all\\.tar: ${digest}`));
  mkdirSync(join(cwd, "empty"));
  const needless = await tsign("save", "--dir", "folder", ...root, image);
  assert.match(needless.stderr, /--trusted-root requires an archive/);
});

test("sign, sign-blob and log verify: --trusted-root of an archive is used; one without the logs or without a root is refused", async (t) => {
  const sigstore = await testSigstore();
  const cwd = temporaryFolder(t);
  const env = { TSIGN_SANDBOX: sigstore.registry };
  const tsign = (...argv: string[]) => run(argv, { cwd, env, io: sigstore.io });
  writeFileSync(join(cwd, "root.json"), sigstore.trustedRoot);
  writeFileSync(join(cwd, "no-logs.json"), JSON.stringify({ ...JSON.parse(sigstore.trustedRoot), tlogs: [] }));
  writeFileSync(join(cwd, "config.json"), sigstore.signingConfig.rekor1Tsa);
  writeFileSync(join(cwd, "blob"), "content");
  const image = (await tsign("sandbox", "push", "app:v1")).stdout.trim();
  for (const name of ["root", "no-logs"]) {
    const saved = await tsign("save", "--dir", `${name}.tar`, "--trusted-root", `${name}.json`, image);
    assert.equal(saved.code, 0, saved.stderr);
  }
  await tsign("save", "--dir", "bare.tar", image);
  const keyless = ["--yes", "--identity-token", sigstore.mint(ALICE), "--signing-config", "config.json"];
  const digest = digestOf(Buffer.from(sigstore.trustedRoot));
  const commands = [
    ["sign", ...keyless, image],
    ["sign-blob", ...keyless, "--bundle", "b.json", "blob"],
    ["log", "verify", "b.json"],
  ];
  for (const command of commands) {
    const good = await tsign(...command, "--trusted-root", "root.tar");
    assert.equal(good.code, 0, good.stderr);
    assert.ok(good.stderr.includes(`WARNING: using the trusted root in root.tar, ${digest}: compare`), good.stderr);
    const untrusted = await tsign(...command, "--trusted-root", "no-logs.tar");
    assert.notEqual(untrusted.code, 0, command.join(" "));
    assert.match(untrusted.stderr, /trusted (transparency )?log/);
    const bare = await tsign(...command, "--trusted-root", "bare.tar");
    assert.match(bare.stderr, /^Error: read bare\.tar: the archive contains no trusted root$/m);
  }
});

test("save to an archive: killed in the middle -> the old archive is there, whole; again -> the new one", {
  skip: process.platform === "win32",
}, async (t) => {
  const { cwd, ok, names, registry, verify } = await workshop(t);
  await ok("save", "--dir", "all.tar", names[0] ?? "");
  const before = readFileSync(join(cwd, "all.tar"));
  let started: () => void = () => {};
  const reached = new Promise<void>((done) => {
    started = done;
  });
  // Passes requests on, and never ends the layer of the second image.
  const slow = createServer(async (request, response) => {
    const isLayer = request.method === "GET" && request.url?.includes("/blobs/");
    const answer = await fetch(`http://${registry}${request.url}`, {
      method: request.method ?? "GET",
      headers: { accept: request.headers.accept ?? "*/*" },
    });
    const body = Buffer.from(await answer.arrayBuffer());
    const headers = Object.fromEntries(
      [...answer.headers].filter(([name]) => /^(content-type|docker-|oci-)/.test(name)),
    );
    response.writeHead(answer.status, {
      ...headers,
      "content-length": request.method === "HEAD" ? (answer.headers.get("content-length") ?? 0) : body.length,
    });
    if (!isLayer) return response.end(body);
    response.write(body.subarray(0, body.length / 2));
    return started();
  });
  slow.listen(0, "127.0.0.1");
  await once(slow, "listening");
  t.after(() => slow.close());
  const { port } = slow.address() as AddressInfo;
  const env = { ...ENVIRONMENT, HOME: cwd };
  const child = spawn(PROGRAM, [...BEFORE, "save", "--dir", "all.tar", `localhost:${port}/team/web:v1`], {
    cwd,
    env,
    stdio: "ignore",
  });
  const ended = once(child, "exit");
  await Promise.race([reached, ended]);
  assert.equal(child.exitCode, null, "it ended by itself");
  child.kill("SIGKILL");
  await ended;
  slow.closeAllConnections();
  assert.deepEqual(readFileSync(join(cwd, "all.tar")), before);
  assert.equal((await verify("all.tar")).code, 0);
  await ok("save", "--dir", "all.tar", names[1] ?? "");
  assert.equal((await verify("all.tar")).code, 0);
});

/** How other programs list an image in index.json: entries for its descriptor and that of its signature. */
const LISTINGS: Readonly<Record<string, (image: object, signature: object) => object[]>> = {
  "skopeo without a tag": (image) => [image],
  "skopeo with a tag": (image) => [{ ...image, annotations: { "org.opencontainers.image.ref.name": "v1" } }],
  "oras copy -r": (image, signature) => [
    { ...image, annotations: { "org.opencontainers.image.ref.name": "v1" } },
    signature,
  ],
  "docker buildx": (image) => [
    {
      ...image,
      annotations: {
        "io.containerd.image.name": "docker.io/team/app:v1",
        "org.opencontainers.image.created": "2026-01-01T00:00:00Z",
        "org.opencontainers.image.ref.name": "v1",
      },
    },
  ],
};

test("archives of other programs: verified, loaded and copied; another key or a cut archive -> refused", async (t) => {
  const { cwd, ok, tsign, names, registry, digest, store } = await workshop(t);
  writeKeyPairs(cwd, "b");
  await ok("save", "--dir", "all.tar", names[0] ?? "");
  const image = await descriptorOf(store, digest);
  const signature = await descriptorOf(store, (await listed(store, digest))[0]?.digest ?? assert.fail());
  const check = (key: string) => tsign("verify", "--key", key, NO_LOG, "--local-image", "altered.tar");
  for (const [program, listing] of Object.entries(LISTINGS)) {
    const to = `${registry}/${program.replaceAll(/[^a-z]/g, "")}`;
    await altered(cwd, (files) => {
      const index = { schemaVersion: 2, manifests: listing(image, signature) };
      files.set("index.json", Buffer.from(JSON.stringify(index)));
      files.set("manifest.json", Buffer.from('[{"Config":"x"}]')); // docker load reads it
    });
    const good = await check("a.pub");
    assert.equal(good.code, 0, `${program}: ${good.stderr}`);
    assert.notEqual((await check("b.pub")).code, 0, program);
    await ok("load", "--dir", "altered.tar", to);
    const where = program === "skopeo without a tag" ? `${to}@${digest}` : `${to}:v1`;
    await ok("verify", "--key", "a.pub", NO_LOG, where);
    await ok("copy", "altered.tar", `${to}-copied:v2`);
    await ok("verify", "--key", "a.pub", NO_LOG, `${to}-copied:v2`);
    const whole = readFileSync(join(cwd, "altered.tar"));
    writeFileSync(join(cwd, "altered.tar"), whole.subarray(0, whole.length - 1024));
    assert.match((await check("a.pub")).stderr, /read archive altered\.tar: it is truncated/);
  }
  const named = await tsign("load", "--dir", "altered.tar:docker.io/team/app:v1", `${registry}/x:v1`);
  assert.match(named.stderr, /it is truncated/);
});
