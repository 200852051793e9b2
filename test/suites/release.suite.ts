import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import { before, type TestContext, test } from "node:test";
import { thisPlatform } from "../../scripts/executable.ts";
import { COSIGN, folder, must, NO_LOG, TSIGN } from "./support.ts";

/** Makes a release for this platform, signed with a key, and installs each file in the way that docs/install.md says. */
const ROOT = resolve(import.meta.dirname, "../..");
const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { version: string };
const RELEASE = join(ROOT, "release", version);
const PLATFORM = thisPlatform();
const ARCHIVE = `tsign-${version}-${PLATFORM}.tar.gz`;
const KEYS = join(ROOT, "release", "keys");
const EMPTY = { env: {}, encoding: "utf8" } as const;

function release(...flags: string[]): void {
  const args = ["run", "--silent", "release", "--", version, "--platform", PLATFORM, ...flags];
  execFileSync("npm", args, { cwd: ROOT, stdio: "ignore", env: { ...process.env, COSIGN_PASSWORD: "suite" } });
}

const sums = () => readFileSync(join(RELEASE, "SHA256SUMS"), "utf8");
let first = "";

before(async () => {
  release();
  first = sums();
  mkdirSync(KEYS, { recursive: true });
  if (!existsSync(join(KEYS, "cosign.key"))) await must(TSIGN, ["generate-key-pair"], { cwd: KEYS });
  release("--key", join(KEYS, "cosign.key"));
});

/** Checks that a program is the released one and has its policy engine. */
function check(context: TestContext, program: string): void {
  const { gitVersion, goVersion } = JSON.parse(execFileSync(program, ["version", "--json"], EMPTY));
  assert.deepEqual([gitVersion, /^bun v/.test(goVersion)], [`v${version}`, true]);
  const cwd = folder(context);
  writeFileSync(join(cwd, "file"), "content");
  writeFileSync(join(cwd, "p.json"), "{}");
  const tsign = (...args: string[]) => spawnSync(program, args, { ...EMPTY, cwd, env: { COSIGN_PASSWORD: "x" } });
  assert.equal(tsign("generate-key-pair").status, 0);
  const signing = ["--key", "cosign.key", "--use-signing-config=false", "--tlog-upload=false", "-y", "--bundle", "b"];
  const signed = tsign("attest-blob", ...signing, "--type", "custom", "--predicate", "p.json", "file");
  assert.equal(signed.status, 0, signed.stderr);
  const verify = ["verify-blob-attestation", "--key", "cosign.pub", NO_LOG, "--type", "custom", "--bundle", "b"];
  assert.equal(tsign(...verify, "file").status, 0);
  assert.notEqual(tsign(...verify, "p.json").status, 0);
  const engine = join(dirname(realpathSync(program)), "policy/engine");
  for (const [verdict, ok] of [
    ["true", true],
    ["false", false],
  ] as const) {
    const rego = [{ path: "p.rego", text: `package signature\nallow { ${verdict} }\n` }];
    const input = JSON.stringify({ statement: "e30=", cwd, cue: [], rego });
    assert.equal(JSON.parse(execFileSync(engine, ["memory=1024"], { ...EMPTY, input })).ok, ok);
  }
}

test("release: the same commit -> the same bytes; SHA256SUMS is right", () => {
  assert.equal(sums(), first);
  execFileSync("sha256sum", ["--strict", "-c", "SHA256SUMS"], { cwd: RELEASE, stdio: "ignore" });
});

test("release: every signature and attestation is accepted by tsign and cosign, for its own file only", async () => {
  const names = readdirSync(RELEASE, { withFileTypes: true }).filter((entry) => entry.isFile());
  const key = ["--key", join(KEYS, "cosign.pub"), NO_LOG];
  const kinds = { provenance: "slsaprovenance1", spdx: "spdxjson", cyclonedx: "cyclonedx" };
  for (const { name } of names) {
    for (const program of [TSIGN, COSIGN]) {
      const bundle = (suffix: string) => ["--bundle", `signatures/${name}${suffix}.sigstore.json`];
      await must(program, ["verify-blob", ...key, ...bundle(""), name], { cwd: RELEASE });
      for (const [suffix, type] of Object.entries(kinds)) {
        const args = ["verify-blob-attestation", ...key, "--type", type, ...bundle(`.${suffix}`)];
        await must(program, [...args, name], { cwd: RELEASE });
      }
    }
  }
  assert.ok(names.length > 8);
  const other = ["verify-blob", ...key, "--bundle", "signatures/SHA256SUMS.sigstore.json", "install.sh"];
  await assert.rejects(must(TSIGN, other, { cwd: RELEASE }));
});

test("archive: unpacked anywhere -> runs, with its policy engine, pages, completions and licences", (t) => {
  const cwd = folder(t);
  execFileSync("tar", ["-xzf", join(RELEASE, ARCHIVE), "-C", cwd]);
  const unpacked = join(cwd, ARCHIVE.replace(".tar.gz", ""));
  check(t, join(unpacked, "tsign"));
  for (const path of ["policy/engine", "man/man1/tsign.1", "completions/_tsign", "LICENSE"]) {
    assert.ok(existsSync(join(unpacked, path)), path);
  }
  const licences = readFileSync(join(unpacked, "THIRD-PARTY-LICENSES.txt"), "utf8");
  for (const name of ["bun", "zod", "cuelang.org/go", "github.com/open-policy-agent/opa", "std"]) {
    assert.match(licences, new RegExp(`^${name} \\S+ \\(`, "m"));
  }
});

test("install.sh: right archive -> installed; altered archive -> refused, nothing installed", (t) => {
  const cwd = folder(t);
  const install = (from: string, prefix: string) => {
    return spawnSync("sh", [join(RELEASE, "install.sh"), "--from", from, "--prefix", prefix, "--cosign"], {
      encoding: "utf8",
    });
  };
  const installed = install(RELEASE, join(cwd, "prefix"));
  assert.equal(installed.status, 0, installed.stderr);
  check(t, join(cwd, "prefix/bin/cosign"));
  mkdirSync(join(cwd, "altered"));
  cpSync(join(RELEASE, ARCHIVE), join(cwd, "altered", ARCHIVE));
  appendFileSync(join(cwd, "altered", ARCHIVE), "x");
  const refused = install(join(cwd, "altered"), join(cwd, "other"));
  assert.equal(refused.status, 1);
  assert.match(refused.stderr, /sha256 mismatch/);
  assert.ok(!existsSync(join(cwd, "other")));
});

test("npm: global installation of the tarballs -> runs; altered executable -> refused", (t) => {
  const cwd = folder(t);
  const tarballs = [`tsign-${version}.tgz`, `tsign-${PLATFORM}-${version}.tgz`].map((name) => join(RELEASE, name));
  execFileSync("npm", ["install", "--global", "--prefix", cwd, "--no-audit", "--no-fund", ...tarballs], {
    stdio: "ignore",
  });
  const start = () => spawnSync(join(cwd, "bin/tsign"), ["version", "--json"], { encoding: "utf8" });
  assert.equal(JSON.parse(start().stdout).gitVersion, `v${version}`);
  assert.ok(readdirSync(join(cwd, "share/man/man1")).includes("tsign.1"));
  const executable = join(cwd, "lib/node_modules/@tsign", PLATFORM, "tsign");
  appendFileSync(executable, "x");
  const refused = start();
  assert.deepEqual([refused.status, refused.stdout], [1, ""]);
  assert.match(refused.stderr, /sha256 mismatch/);
});

test("deb: its contents run from another root", { skip: !/^linux-(x64|arm64)$/.test(PLATFORM) }, (t) => {
  const cwd = folder(t);
  const file = join(RELEASE, `tsign-${version}-${PLATFORM}.deb`);
  execFileSync("dpkg-deb", ["--extract", file, cwd]);
  check(t, join(cwd, "usr/bin/tsign"));
  assert.match(execFileSync("dpkg-deb", ["--info", file], { encoding: "utf8" }), /Depends: libc6/);
});

test("image: two tags, blobs with the digests of their names, run without root on a read-only file system", (t) => {
  const layout = join(RELEASE, `tsign-${version}-image`);
  const read = (digest: string) => JSON.parse(readFileSync(join(layout, "blobs", digest.replace(":", "/")), "utf8"));
  const tags = JSON.parse(readFileSync(`${layout}.json`, "utf8")) as Record<string, string>;
  assert.deepEqual(Object.keys(tags), [version, `${version}-no-policy`]);
  const names = readdirSync(join(layout, "blobs/sha256"));
  const list = names.map((name) => `${name}  ${name}\n`).join("");
  execFileSync("sha256sum", ["--strict", "-c", "-"], {
    cwd: join(layout, "blobs/sha256"),
    input: list,
    stdio: ["pipe", "ignore", "inherit"],
  });
  const manifest = read(read(tags[version] ?? "").manifests[0].digest);
  const { config } = read(manifest.config.digest);
  assert.equal(config.User, "65532:65532");
  const root = folder(t);
  for (const { digest } of manifest.layers) {
    execFileSync("tar", ["-xzf", join(layout, "blobs", digest.replace(":", "/")), "-C", root]);
  }
  const size = Number(execFileSync("du", ["-s", "--block-size=1000000", root], { encoding: "utf8" }).split("\t")[0]);
  assert.ok(size <= 200, `${size} MB`);
  for (const name of ["proc", "dev"]) mkdirSync(join(root, name));
  const chroot = execFileSync("sh", ["-c", "command -v chroot"], { encoding: "utf8" }).trim();
  const script = `cd "$1" && mount --bind . . && cd "$1" && mount -t proc proc proc && mount --bind /dev dev && mount -o remount,ro,bind . && exec env -i ${chroot} --userspec=${config.User} . ${config.Entrypoint[0]} version`;
  assert.match(
    execFileSync("unshare", ["--mount", "sh", "-c", script, "sh", root], { encoding: "utf8" }),
    new RegExp(`v${version}`),
  );
});
