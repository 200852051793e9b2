import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  appendFileSync,
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { after, before, type TestContext, test } from "node:test";
import { goProgram } from "./ecosystem-kit.ts";
import { needsOf } from "./release-formats.ts";
import {
  ARCHIVE,
  attestedImage,
  BUILT,
  check,
  identityFlags,
  nodeFolder,
  PLATFORM,
  RELEASE,
  release,
  SIGNER,
  startSandbox,
  verifyFile,
  version,
} from "./release-kit.ts";
import { armEmulator, insideRoot, muslRoot, rpmProgram } from "./release-roots.ts";
import { actionSteps, componentScript, serve } from "./release-scripts.ts";
import { COSIGN, folder, must, run, TSIGN } from "./support.ts";

/** Makes a release, signed with an identity of a sandbox, and installs each file in the way that docs/install.md says. */
let sandbox: Awaited<ReturnType<typeof startSandbox>>;
let first = "";

const sums = () => readFileSync(join(RELEASE, "SHA256SUMS"), "utf8");
const sha256 = (content: Uint8Array) => createHash("sha256").update(content).digest("hex");
/** Skips a test when the release has no platform that matches. */
const without = (pattern: RegExp) => ({ skip: !BUILT.some((platform) => pattern.test(platform)) });

before(async () => {
  release();
  first = sums();
  sandbox = await startSandbox();
  const token = await must(TSIGN, ["sandbox", "token", "--email", SIGNER, "--ttl", "1h"], {
    cwd: RELEASE,
    env: sandbox.env,
  });
  release({ ...sandbox.env, SIGSTORE_ID_TOKEN: token.stdout.trim() });
});

after(() => sandbox?.stop());

test("release: the same commit -> the same bytes; SHA256SUMS is right", () => {
  assert.equal(sums(), first);
  execFileSync("sha256sum", ["--strict", "-c", "SHA256SUMS"], { cwd: RELEASE, stdio: "ignore" });
});

test("release: every signature and attestation is accepted by tsign and cosign, for its own file only", async () => {
  const files = readdirSync(RELEASE, { withFileTypes: true }).filter((entry) => entry.isFile());
  const names = files.map(({ name }) => name);
  const flags = identityFlags(sandbox.env);
  assert.ok(names.length > 8);
  while (names.length > 0) {
    await Promise.all(names.splice(0, 3).map((name) => verifyFile(name, flags, sandbox.env)));
  }
  const bundle = ["--bundle", "signatures/SHA256SUMS.sigstore.json"];
  const refused = async (args: readonly string[]) => {
    for (const program of [TSIGN, COSIGN])
      await assert.rejects(must(program, ["verify-blob", ...args], { cwd: RELEASE, env: sandbox.env }));
  };
  await refused([...flags, ...bundle, "install.sh"]);
  await refused([...flags.map((flag) => (flag === SIGNER ? "other@example.com" : flag)), ...bundle, "SHA256SUMS"]);
});

function unpacked(context: TestContext, platform: string): string {
  const cwd = folder(context);
  const name = `tsign-${version}-${platform}`;
  if (platform.startsWith("windows")) execFileSync("unzip", ["-q", join(RELEASE, `${name}.zip`), "-d", cwd]);
  else execFileSync("tar", ["-xzf", join(RELEASE, `${name}.tar.gz`), "-C", cwd]);
  return join(cwd, name);
}

test("archive: unpacked anywhere -> runs, with its policy engine, pages, completions and licences", (t) => {
  const root = unpacked(t, PLATFORM);
  check(t, join(root, "tsign"));
  for (const path of ["policy/engine", "man/man1/tsign.1", "completions/_tsign", "LICENSE"]) {
    assert.ok(existsSync(join(root, path)), path);
  }
  const licences = readFileSync(join(root, "THIRD-PARTY-LICENSES.txt"), "utf8");
  for (const name of ["bun", "zod", "cuelang.org/go", "github.com/open-policy-agent/opa", "std"]) {
    assert.match(licences, new RegExp(`^${name} \\S+ \\(`, "m"));
  }
});

/** What the executables of each platform need; the policy engine needs no library on Linux. */
const NEEDS: Readonly<Record<string, { format: string; loader?: string; libraries?: readonly string[] }>> = {
  "linux-x64": { format: "ELF", loader: "/lib64/ld-linux-x86-64.so.2", libraries: glibc("ld-linux-x86-64.so.2") },
  "linux-arm64": { format: "ELF", loader: "/lib/ld-linux-aarch64.so.1", libraries: glibc("ld-linux-aarch64.so.1") },
  "linux-x64-musl": { format: "ELF", loader: "/lib/ld-musl-x86_64.so.1", libraries: musl("x86_64") },
  "linux-arm64-musl": { format: "ELF", loader: "/lib/ld-musl-aarch64.so.1", libraries: musl("aarch64") },
  "darwin-x64": { format: "Mach-O" },
  "darwin-arm64": { format: "Mach-O" },
  "windows-x64": { format: "PE" },
};

/** Libraries that every Windows 10 and Server 2016 has. */
const WINDOWS_LIBRARY =
  /^((ntdll|kernel32|bcryptprimitives|wsock32|crypt32|ws2_32|dbghelp|userenv|user32|advapi32|ole32|shell32|oleaut32|iphlpapi)|api-ms-win-core-synch-l1-2-0)\.dll$/;

function glibc(loader: string): string[] {
  return ["libc.so.6", loader, "libpthread.so.0", "libdl.so.2", "libm.so.6"].sort();
}

function musl(processor: string): string[] {
  return ["libstdc++.so.6", `libc.musl-${processor}.so.1`].sort();
}

for (const platform of BUILT) {
  test(`${platform}: executable and engine have the right format, processor, loader, libraries and signature`, (t) => {
    const root = unpacked(t, platform);
    const suffix = platform.startsWith("windows") ? ".exe" : "";
    const [, processor] = platform.split("-");
    for (const name of [`tsign${suffix}`, `policy/engine${suffix}`]) {
      const path = join(root, name);
      const needs = needsOf(readFileSync(path), path);
      const want = NEEDS[platform];
      assert.deepEqual([needs.format, needs.processor], [want?.format, processor], name);
      assert.ok(needs.format === "ELF" || needs.libraries.length > 0, name);
      if (needs.format === "PE") {
        for (const library of needs.libraries) assert.match(library, WINDOWS_LIBRARY, name);
        assert.equal(needs.signed, undefined, name);
      }
      if (needs.format === "ELF") {
        const engine = name.startsWith("policy");
        assert.equal(needs.loader, engine ? undefined : want?.loader, name);
        assert.deepEqual([...needs.libraries].sort(), engine ? [] : want?.libraries, name);
      }
      if (needs.format !== "Mach-O") continue;
      for (const library of needs.libraries) assert.match(library, /^\/(usr\/lib|System\/Library)\//, name);
      // Go signs programs for arm64 only, because macOS requires it there only.
      assert.equal(needs.signed, name.startsWith("policy") && processor === "x64" ? undefined : true, name);
    }
  });
}

test("Homebrew, Scoop: digests are those of the archives", () => {
  const listed = new Map(
    sums()
      .split("\n")
      .map((line) => line.split("  ").reverse() as [string, string]),
  );
  const formula = readFileSync(join(RELEASE, "tsign.rb"), "utf8");
  const pairs = [...formula.matchAll(/url "[^"]*\/([^/"]+)"\s+sha256 "(\w+)"/g)];
  assert.ok(pairs.length > 0);
  for (const [, name = "", digest] of pairs) assert.equal(digest, listed.get(name));
  if (!BUILT.includes("windows-x64")) return;
  const manifest = JSON.parse(readFileSync(join(RELEASE, "tsign.json"), "utf8"));
  assert.equal(manifest.architecture["64bit"].hash, listed.get(`tsign-${version}-windows-x64.zip`));
});

/** The release's files with an altered archive. */
function alteredRelease(context: TestContext): string {
  const cwd = folder(context);
  for (const name of ["install.sh", "action.yml", ARCHIVE]) cpSync(join(RELEASE, name), join(cwd, name));
  appendFileSync(join(cwd, ARCHIVE), "x");
  return cwd;
}

test("install.sh: right archive -> installed; altered archive -> refused, nothing installed", (t) => {
  const cwd = folder(t);
  const install = (from: string, prefix: string) => {
    const args = [join(RELEASE, "install.sh"), "--from", from, "--prefix", prefix, "--cosign"];
    return spawnSync("sh", args, { encoding: "utf8" });
  };
  const installed = install(RELEASE, join(cwd, "prefix"));
  assert.equal(installed.status, 0, installed.stderr);
  check(t, join(cwd, "prefix/bin/cosign"));
  const refused = install(alteredRelease(t), join(cwd, "other"));
  assert.equal(refused.status, 1);
  assert.match(refused.stderr, /sha256 mismatch/);
  assert.ok(!existsSync(join(cwd, "other")));
});

test("GitHub Action: installs and sets PATH; another version or an altered archive -> fails", async (t) => {
  const { url, server } = await serve(RELEASE);
  t.after(() => server.close());
  const start = async (values: Record<string, string>, from: string) => {
    const cwd = folder(t);
    const files = Object.fromEntries(["OUTPUT", "PATH", "ENV"].map((name) => [`GITHUB_${name}`, join(cwd, name)]));
    for (const file of Object.values(files)) writeFileSync(file, "");
    const dir = join(cwd, "tsign");
    const given = { "github.action_path": from, "steps.place.outputs.dir": dir, "inputs.base-url": url, ...values };
    for (const { script, env } of actionSteps(join(RELEASE, "action.yml"), given)) {
      const result = await run("bash", ["-c", script], { cwd, env: { ...env, ...files } });
      if (result.code !== 0) return { dir, result, path: "" };
    }
    const path = readFileSync(files["GITHUB_PATH"] ?? "", "utf8").trim();
    return { dir, path, output: readFileSync(files["GITHUB_OUTPUT"] ?? "", "utf8") };
  };
  const { path, dir, output } = await start({ "inputs.install-dir": "$HOME/tsign" }, RELEASE);
  assert.deepEqual([path, output], [dir, `dir=${dir}\n`]);
  check(t, join(path, "tsign"));
  check(t, join(path, "cosign"));
  const other = await start({ "inputs.tsign-release": "v9.9.9" }, RELEASE);
  assert.match(other.result?.stdout ?? "", /installs tsign v\S+, not v9\.9\.9/);
  const altered = await start({ "inputs.base-url": alteredRelease(t) }, RELEASE);
  assert.match(altered.result?.stderr ?? "", /sha256 mismatch/);
});

test("GitLab component: installs; another install.sh -> fails", async (t) => {
  const { url, server } = await serve(RELEASE);
  t.after(() => server.close());
  const cwd = folder(t);
  const script = (from: string, prefix: string) => {
    const inputs = { "base-url": from, prefix: join(cwd, prefix), cosign: "true" };
    // As a runner does: in a shell that ends with the first failure, before the script of the job.
    const before = componentScript(join(RELEASE, "gitlab-component.yml"), inputs);
    return run("sh", ["-ec", `${before}\necho "job: $NOT_SET"`], { cwd });
  };
  const installed = await script(url, "prefix");
  assert.equal(installed.code, 0, installed.stderr);
  assert.match(installed.stdout, /^job: $/m);
  check(t, join(cwd, "prefix/bin/tsign"));
  const altered = alteredRelease(t);
  appendFileSync(join(altered, "install.sh"), "# altered\n");
  const other = await serve(altered);
  t.after(() => other.server.close());
  assert.notEqual((await script(other.url, "other")).code, 0);
  assert.ok(!existsSync(join(cwd, "other")));
});

/** A version of Node of each line; the newest is the one that runs the tests. */
const NODES = { 20: "20.20.2", 22: "22.23.5", 24: "24.22.3", 26: undefined };
const TARBALLS = [`tsign-${version}.tgz`, `tsign-${PLATFORM}-${version}.tgz`].map((name) => join(RELEASE, name));

for (const [line, exact] of Object.entries(NODES)) {
  test(`npm on Node ${line}: global installation and npx run the executable; an altered one is refused`, async (t) => {
    const cwd = folder(t);
    const bin = exact === undefined ? dirname(process.execPath) : nodeFolder(exact);
    const given = Object.entries(process.env).filter(([name]) => !/^npm_(package|lifecycle)_/.test(name));
    const env = { ...Object.fromEntries(given), PATH: `${bin}:${process.env["PATH"]}` };
    const start = (program: string, ...args: string[]) => {
      return spawnSync(program, args, { cwd, encoding: "utf8", env });
    };
    const npm = (prefix: string, ...args: string[]) => {
      const { status, stderr } = start("npm", "install", "--global", "--prefix", prefix, "--no-audit", ...args);
      assert.equal(status, 0, stderr);
      return join(prefix, "bin/tsign");
    };
    const runtime = (stdout: string) => JSON.parse(stdout).goVersion as string;
    const installed = npm(join(cwd, "both"), ...TARBALLS);
    assert.match(runtime(start(installed, "version", "--json").stdout), /^bun v/);
    assert.ok(readdirSync(join(cwd, "both/share/man/man1")).includes("tsign.1"));
    const packages = TARBALLS.flatMap((path) => ["--package", path]);
    const npx = start("npx", "--yes", ...packages, "--", "tsign", "version", "--json");
    assert.match(runtime(npx.stdout), /^bun v/, npx.stderr);

    const script = npm(join(cwd, "script"), "--omit=optional", TARBALLS[0] ?? "");
    const shown = start(script, "version", "--json");
    if (line === "20") assert.match(shown.stderr, /requires Node.js 22\.21, 24\.5 or newer; this is v20/);
    else {
      assert.match(runtime(shown.stdout), new RegExp(`^node v${line}\\.`));
      assert.match(JSON.parse(shown.stdout).policyEngine, /^WebAssembly: cue v\d\S+, opa v\d\S+$/);
      const { verify } = await attestedImage(t, sandbox.env["TSIGN_SANDBOX"] ?? "");
      const accepted = start(script, ...verify(true));
      assert.equal(accepted.status, 0, accepted.stderr);
      const refused = start(script, ...verify(false));
      assert.notEqual(refused.status, 0);
      assert.match(refused.stderr, /false\.rego/);
    }

    appendFileSync(join(cwd, "both/lib/node_modules/@tsign", PLATFORM, "tsign"), "x");
    const refused = start(installed, "version", "--json");
    assert.deepEqual([refused.status, refused.stdout], [1, ""]);
    assert.match(refused.stderr, /sha256 mismatch/);
  });
}

/** Unpacks the image for a processor into a folder. */
function imageRoot(
  context: TestContext,
  architecture: string,
): { root: string; config: { User: string; Entrypoint: string[] } } {
  const layout = join(RELEASE, `tsign-${version}-image`);
  const read = (digest: string) => JSON.parse(readFileSync(join(layout, "blobs", digest.replace(":", "/")), "utf8"));
  const tags = JSON.parse(readFileSync(`${layout}.json`, "utf8")) as Record<string, string>;
  assert.deepEqual(Object.keys(tags), [version, `${version}-no-policy`]);
  const index = read(tags[version] ?? "") as { manifests: { digest: string; platform: { architecture: string } }[] };
  const entry = index.manifests.find(({ platform }) => platform.architecture === architecture);
  const manifest = read(entry?.digest ?? "");
  const root = folder(context);
  chmodSync(root, 0o755); // the image's user reads it
  for (const { digest } of manifest.layers) {
    execFileSync("tar", ["-xzf", join(layout, "blobs", digest.replace(":", "/")), "-C", root]);
  }
  return { root, config: read(manifest.config.digest).config };
}

test(
  "deb: dpkg installs it into a fresh root, where it runs; it can be removed",
  without(/^linux-(x64|arm64)$/),
  (t) => {
    const root = bareRoot(t, process.arch === "x64" ? "amd64" : "arm64");
    mkdirSync(join(root, "var/lib/dpkg"), { recursive: true });
    writeFileSync(join(root, "var/lib/dpkg/status"), "");
    const dpkg = (...args: string[]) => {
      // The root has Debian's C library, and no list of packages that says so.
      const flags = [`--root=${root}`, "--force-depends"];
      return execFileSync("dpkg", [...flags, ...args], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
    };
    dpkg("--install", join(RELEASE, `tsign-${version}-${PLATFORM}.deb`));
    assert.match(dpkg("--status", "tsign"), /Status: install ok installed[\s\S]*Depends: libc6/);
    check(t, join(root, "usr/bin/tsign"));
    assert.ok(existsSync(join(root, "usr/share/man/man1/tsign.1")));
    dpkg("--remove", "tsign");
    assert.ok(!existsSync(join(root, "usr/lib/tsign")));
  },
);

/** The image's root without tsign: C library, certificates and a user. */
function bareRoot(context: TestContext, architecture: string): string {
  const { root } = imageRoot(context, architecture);
  execFileSync("rm", ["-r", join(root, "usr/lib/tsign"), join(root, "usr/bin/tsign")]);
  return root;
}

/** What runs a program of a root for another processor; nothing for this one's. */
function emulator(platform: string, root: string): string[] {
  return platform.includes(`-${process.arch}`) ? [] : [armEmulator(), "-L", root];
}

/** Checks that files of a root are those of the archive, and the link. */
function sameFiles(context: TestContext, platform: string, root: string): void {
  const archive = unpacked(context, platform);
  for (const [path, original] of [
    ["usr/lib/tsign/tsign", "tsign"],
    ["usr/lib/tsign/policy/engine", "policy/engine"],
    ["usr/share/man/man1/tsign.1", "man/man1/tsign.1"],
    ["usr/share/bash-completion/completions/tsign", "completions/tsign.bash"],
  ] as const) {
    assert.equal(sha256(readFileSync(join(root, path))), sha256(readFileSync(join(archive, original))), path);
  }
  assert.equal(readlinkSync(join(root, "usr/bin/tsign")), "../lib/tsign/tsign");
}

for (const platform of BUILT.filter((each) => /^linux-(x64|arm64)$/.test(each))) {
  test(`rpm, ${platform}: rpm installs it into a fresh root, where it runs; altered -> refused; it can be removed`, (t) => {
    const root = bareRoot(t, platform === "linux-x64" ? "amd64" : "arm64");
    const start = rpmProgram();
    const rpm = (...args: string[]) => start("--root", root, "--dbpath", "/var/lib/rpm", ...args);
    const install = (...args: string[]) => rpm("--install", "--ignorearch", ...args);
    const file = join(RELEASE, `tsign-${version}-${platform}.rpm`);
    // The root has Debian's C library, of which rpm's database knows nothing.
    const needs = install(file);
    assert.notEqual(needs.status, 0);
    const missing = [...needs.stderr.matchAll(/^\s*(\S.*) is needed by /gm)].map(([, name]) => name);
    assert.deepEqual(missing, ["glibc >= 2.17"]);
    const altered = join(folder(t), "altered.rpm");
    const bytes = readFileSync(file);
    const middle = Math.floor(bytes.length / 2);
    bytes[middle] = bytes[middle]! ^ 1;
    writeFileSync(altered, bytes);
    assert.notEqual(install("--nodeps", altered).status, 0);
    assert.ok(!existsSync(join(root, "usr/bin/tsign")));

    const installed = install("--nodeps", file);
    assert.equal(installed.status, 0, installed.stderr);
    assert.equal(rpm("--query", "tsign").stdout.replace(/\.\w+\n$/, ""), `tsign-${version}-1`);
    sameFiles(t, platform, root);
    const verify = () => rpm("--verify", "--nodeps", "tsign").status;
    assert.equal(verify(), 0);
    check(t, join(root, "usr/bin/tsign"), emulator(platform, root));
    appendFileSync(join(root, "usr/lib/tsign/policy/engine"), "x");
    assert.notEqual(verify(), 0);
    assert.equal(rpm("--erase", "tsign").status, 0);
    assert.ok(!existsSync(join(root, "usr/lib/tsign")));
  });
}

for (const platform of BUILT.filter((each) => each.endsWith("-musl"))) {
  const [, processor] = platform.split("-") as [string, "x64" | "arm64"];
  const runner = (root: string) => (processor === process.arch ? insideRoot(root) : emulator(platform, root));

  test(`archive, ${platform}: runs with musl and the C++ library of Alpine`, (t) => {
    const root = folder(t);
    cpSync(muslRoot(processor), root, { recursive: true, verbatimSymlinks: true });
    cpSync(unpacked(t, platform), join(root, "opt/tsign"), { recursive: true });
    check(t, join(root, "opt/tsign/tsign"), runner(root));
  });

  test(`apk, ${platform}: installed into a fresh root with musl, where it runs; it names what it needs`, async (t) => {
    const root = folder(t);
    cpSync(muslRoot(processor), root, { recursive: true, verbatimSymlinks: true });
    const file = join(RELEASE, `tsign-${version}-${platform.replace("-musl", "")}.apk`);
    const architecture = processor === "x64" ? "x86_64" : "aarch64";
    const installed = spawnSync(await goProgram("apk"), [file, root, architecture], { encoding: "utf8" });
    assert.equal(installed.status, 0, installed.stderr);
    assert.equal(installed.stdout, `tsign ${version} ${architecture} libstdc++ libgcc\n`);
    sameFiles(t, platform, root);
    check(t, join(root, "usr/bin/tsign"), runner(root));
  });
}

test("image: runs without root on a read-only file system, at most 200 MB", without(/^linux-(x64|arm64)$/), (t) => {
  const layout = join(RELEASE, `tsign-${version}-image`);
  const names = readdirSync(join(layout, "blobs/sha256"));
  const list = names.map((name) => `${name}  ${name}\n`).join("");
  execFileSync("sha256sum", ["--strict", "-c", "-"], {
    cwd: join(layout, "blobs/sha256"),
    input: list,
    stdio: ["pipe", "ignore", "inherit"],
  });
  const { root, config } = imageRoot(t, process.arch === "x64" ? "amd64" : "arm64");
  assert.equal(config.User, "65532:65532");
  const size = Number(execFileSync("du", ["-s", "--block-size=1000000", root], { encoding: "utf8" }).split("\t")[0]);
  assert.ok(size <= 200, `${size} MB`);
  for (const name of ["proc", "dev"]) mkdirSync(join(root, name));
  const chroot = execFileSync("sh", ["-c", "command -v chroot"], { encoding: "utf8" }).trim();
  const inside = `exec env -i ${chroot} --userspec=${config.User} . ${config.Entrypoint[0]} version`;
  const script = `cd "$1" && mount --bind . . && cd "$1" && mount -t proc proc proc && mount --bind /dev dev && mount -o remount,ro,bind . && ${inside}`;
  const shown = execFileSync("unshare", ["--mount", "sh", "-c", script, "sh", root], { encoding: "utf8" });
  assert.match(shown, new RegExp(`v${version}[\\s\\S]*PolicyEngine: +native`));
});

test(
  "image: loaded with its signatures -> image, platforms and attestations are accepted by tsign and cosign",
  without(/^linux-(x64|arm64)$/),
  async (t) => {
    const cwd = folder(t);
    const { env } = sandbox;
    const layout = join(RELEASE, `tsign-${version}-image`);
    const tags = JSON.parse(readFileSync(`${layout}.json`, "utf8")) as Record<string, string>;
    const by = identityFlags(env);
    const other = by.map((flag) => (flag === SIGNER ? "other@example.com" : flag));
    for (const [tag, digest] of Object.entries(tags)) {
      const suffix = tag.slice(version.length);
      const load = async (from: string, repository: string) => {
        await must(TSIGN, ["load", "--dir", from, `${repository}:${tag}`], { cwd, env });
        return `${repository}@${digest}`;
      };
      const image = await load(
        join(RELEASE, `signatures/tsign-${version}-image${suffix}`),
        `${env["TSIGN_SANDBOX"]}/tsign`,
      );
      const unsigned = await load(`${layout}${suffix}`, `${env["TSIGN_SANDBOX"]}/unsigned`);
      const index = JSON.parse(readFileSync(join(`${layout}${suffix}`, "blobs", digest.replace(":", "/")), "utf8"));
      const platforms = index.manifests.map((each: { digest: string }) => image.replace(digest, each.digest));
      assert.equal(platforms.length, BUILT.filter((platform) => /^linux-(x64|arm64)$/.test(platform)).length);
      const lists = join(RELEASE, `tsign-${version}-image${suffix}`);
      const predicates = {
        slsaprovenance1: join(RELEASE, `tsign-${version}.provenance.json`),
        spdxjson: `${lists}.spdx.json`,
        cyclonedx: `${lists}.cdx.json`,
      };
      for (const program of [TSIGN, COSIGN]) {
        const http = program === COSIGN ? ["--allow-http-registry"] : [];
        for (const each of [image, ...platforms]) await must(program, ["verify", ...http, ...by, each], { cwd, env });
        await assert.rejects(must(program, ["verify", ...http, ...other, image], { cwd, env }));
        await assert.rejects(must(program, ["verify", ...http, ...by, unsigned], { cwd, env }));
        for (const [type, file] of Object.entries(predicates)) {
          const verify = (flags: readonly string[], each: string) => {
            return must(program, ["verify-attestation", "--type", type, ...http, ...flags, each], { cwd, env });
          };
          const { payload } = JSON.parse((await verify(by, image)).stdout);
          const statement = JSON.parse(Buffer.from(payload, "base64").toString("utf8"));
          assert.deepEqual(statement.predicate, JSON.parse(readFileSync(file, "utf8")));
          assert.deepEqual(statement.subject[0].digest, { sha256: digest.slice("sha256:".length) });
          await assert.rejects(verify(other, image));
          await assert.rejects(verify(by, unsigned));
        }
      }
      const { components } = JSON.parse(readFileSync(`${lists}.cdx.json`, "utf8"));
      const urls = components.map(({ purl }: { purl: string }) => purl.replace(/@.*/, ""));
      assert.ok(["pkg:generic/bun", "pkg:deb/debian/libc6"].every((url) => urls.includes(url)));
      assert.equal(urls.includes("pkg:golang/cuelang.org/go"), suffix === "");
    }
  },
);

test("linux-arm64: the archive and the image run in an emulator", {
  skip: !BUILT.includes("linux-arm64") || process.arch === "arm64",
}, (t) => {
  const { root } = imageRoot(t, "arm64");
  check(t, join(unpacked(t, "linux-arm64"), "tsign"), emulator("linux-arm64", root));
});
