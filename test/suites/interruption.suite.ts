import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, truncateSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join, resolve } from "node:path";
import process from "node:process";
import { type TestContext, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { PASSWORD, writeKeyPairs } from "../support/key-pairs.ts";
import { BEFORE, ENVIRONMENT, PROGRAM } from "../support/program.ts";
import { temporaryFolder } from "../support/test-io.ts";

/** Milliseconds from the signal, or the message of --timeout, to the end of the process. Generous, because loaded machines are slow. */
const AT_ONCE = 8000;
/** Milliseconds from the start or the signal until a process is killed; its exit code is then 137. */
const HUNG = 30_000;
const OFFLINE = ["--use-signing-config=false", "--tlog-upload=false", "-y"];
const POSIX = process.platform !== "win32";

interface Ended {
  /** Exit code; for a program ended by a signal that of a shell. */
  code: number;
  stderr: string;
  /** Milliseconds from the signal, or the message of --timeout, to the end. */
  took: number;
}

const NUMBERS = { SIGINT: 130, SIGTERM: 143, SIGKILL: 137 } as const;

/** Runs the program until it is stopped in one of three ways; fails if it ends by itself. */
async function stopped(
  argv: readonly string[],
  by: "SIGINT" | "SIGTERM" | "timeout",
  options: { cwd: string; env?: Record<string, string>; after?: number; stdin?: "pipe" },
): Promise<Ended> {
  const { cwd, after = 900 } = options;
  const limit = by === "timeout" ? [`--timeout=${after}ms`] : [];
  const env = { ...ENVIRONMENT, HOME: cwd, COSIGN_PASSWORD: PASSWORD, ...options.env };
  const child = spawn(PROGRAM, [...BEFORE, ...argv, ...limit], {
    cwd,
    env,
    stdio: [options.stdin ?? "ignore", "ignore", "pipe"],
  });
  const { closed, said } = watched(child);
  if (by !== "timeout") {
    await Promise.race([setTimeout(after), closed]);
    assert.equal(child.exitCode, null, `it ended by itself: ${said.stderr}`);
    child.kill(by);
  }
  // Starting a program may take long on a loaded machine. --timeout starts in the program, and
  // exit code 1 (not the watchdog's 137) shows that it was respected. Measured here is the time from there to the end.
  const signalled = performance.now();
  const { code } = await closed;
  const from = by === "timeout" ? said.timeIsOver : signalled;
  return { code, stderr: said.stderr, took: performance.now() - from };
}

interface Said {
  stderr: string;
  /** Time (performance.now) when the error of --timeout was read; 0 before. */
  timeIsOver: number;
}

/** Returns stderr and exit code of a program; kills it if it does not end. */
function watched(child: ChildProcess): { closed: Promise<{ code: number }>; said: Said } {
  const said: Said = { stderr: "", timeIsOver: 0 };
  child.stderr?.on("data", (text) => {
    said.stderr += String(text);
    if (said.timeIsOver === 0 && /Error: the command took longer than/.test(said.stderr))
      said.timeIsOver = performance.now();
  });
  const guard = new AbortController();
  setTimeout(HUNG, undefined, { signal: guard.signal }).then(
    () => child.kill("SIGKILL"),
    () => {},
  );
  const closed = once(child, "close").then(([code, signal]: (keyof typeof NUMBERS | number | null)[]) => {
    guard.abort();
    return { code: Number(code ?? NUMBERS[(signal ?? "SIGKILL") as keyof typeof NUMBERS]) };
  });
  return { closed, said };
}

const CODES = { SIGINT: 130, SIGTERM: 143, timeout: 1 } as const;

/** Checks that every way of stopping ends the program at once, with its exit code. */
async function requireStoppable(
  argv: readonly string[],
  options: Parameters<typeof stopped>[2],
  ways: Partial<typeof CODES> = CODES,
): Promise<void> {
  await Promise.all(
    Object.entries(ways).map(async ([way, expected]) => {
      const { code, stderr, took } = await stopped(argv, way as keyof typeof ways, options);
      const what = `${argv.join(" ")}: ${way}: ${took} ms, exit ${code}: ${stderr}`;
      assert.equal(code, expected, what);
      assert.ok(took < AT_ONCE, what);
      if (way === "timeout") assert.match(stderr, /Error: the command took longer than --timeout/, what);
    }),
  );
}

function withKeys(context: TestContext): string {
  const cwd = temporaryFolder(context);
  writeKeyPairs(cwd, "cosign");
  writeFileSync(join(cwd, "file"), "content");
  return cwd;
}

test("pipe without a writer, for any flag -> Ctrl-C, SIGTERM and --timeout end the program", {
  skip: !POSIX,
}, async (t) => {
  const cwd = withKeys(t);
  execFileSync("mkfifo", [join(cwd, "fifo")]);
  const verify = ["verify-blob", "--insecure-ignore-tlog"];
  const sign = ["sign-blob", "--key", "cosign.key", ...OFFLINE];
  const attest = ["attest-blob", "--key", "cosign.key", ...OFFLINE, "--type", "custom"];
  await requireStoppable([...verify, "--key", "cosign.pub", "--bundle", "fifo", "file"], { cwd });
  await requireStoppable([...sign, "--bundle", "fifo", "file"], { cwd });
  await Promise.all(
    [
      [...verify, "--key", "fifo", "--bundle", "file", "file"],
      [...sign, "--bundle", "b", "fifo"],
      ["dockerfile", "verify", "--key", "cosign.pub", "fifo"],
      [...attest, "--predicate", "fifo", "--bundle", "b", "file"],
      ["upload", "blob", "-f", "fifo", "localhost:1/team/app"],
    ].map((argv) => requireStoppable(argv, { cwd, after: 1500 }, { timeout: 1 })),
  );
  assert.deepEqual(readdirSync(cwd).sort(), ["cosign.key", "cosign.pub", "fifo", "file"]);
});

test("pipe with a writer -> read to its end; with a reader -> written", { skip: !POSIX }, async (t) => {
  const cwd = withKeys(t);
  const env = { ...ENVIRONMENT, HOME: cwd, COSIGN_PASSWORD: PASSWORD };
  const sh = (script: string) =>
    execFileSync(
      "bash",
      [
        "-c",
        `set -e; tsign() { ${[PROGRAM, ...BEFORE].map((each) => `"${each}"`).join(" ")} "$@" 2>>log; }; ${script}`,
      ],
      {
        cwd,
        env,
        encoding: "utf8",
      },
    );
  const sign = `tsign sign-blob --key cosign.key ${OFFLINE.join(" ")}`;
  const verify = "tsign verify-blob --insecure-ignore-tlog";
  sh(
    `head -c 3000000 /dev/zero >big; mkfifo in out; cat big >in & ${sign} --bundle b in; ${verify} --key cosign.pub --bundle b big`,
  );
  sh(`cat out >b2 & ${sign} --bundle out big; wait; ${verify} --key cosign.pub --bundle b2 big`);
  sh(`${verify} --key <(cat cosign.pub) --bundle <(sleep 0.3; cat b) big`);
  sh(`cat big | ${sign} --bundle /dev/stdout /dev/stdin >b3; ${verify} --key cosign.pub --bundle b3 big`);
  sh(`${verify} --key /dev/stdin --bundle b big <cosign.pub`);
});

test("huge file, unresponsive service, prompt -> signals and --timeout end the program", async (t) => {
  const cwd = withKeys(t);
  writeFileSync(join(cwd, "huge"), "");
  truncateSync(join(cwd, "huge"), 64 * 1024 ** 3);
  await requireStoppable(["sign-blob", "--key", "cosign.key", ...OFFLINE, "--bundle", "b", "huge"], { cwd });
  const silent = createServer(() => {});
  await new Promise<void>((done) => silent.listen(0, "127.0.0.1", done));
  t.after(() => silent.close().closeAllConnections());
  const registry = `127.0.0.1:${(silent.address() as AddressInfo).port}`;
  await requireStoppable(["verify", "--key", "cosign.pub", "--insecure-ignore-tlog", `${registry}/team/app:v1`], {
    cwd,
  });
  await requireStoppable(["generate-key-pair"], { cwd, stdin: "pipe" }, { SIGTERM: 143, timeout: 1 });
  assert.deepEqual(readdirSync(cwd).sort(), ["cosign.key", "cosign.pub", "file", "huge"]);
});

test("sign: several images, interrupted -> those that are left are named", { skip: !POSIX }, async (t) => {
  const cwd = withKeys(t);
  const asked = Promise.withResolvers<void>();
  const silent = createServer(() => asked.resolve());
  await new Promise<void>((done) => silent.listen(0, "127.0.0.1", done));
  t.after(() => silent.close().closeAllConnections());
  const repository = `127.0.0.1:${(silent.address() as AddressInfo).port}/team/app`;
  const images = ["1", "2", "3", "4", "5", "6"].map((digit) => `${repository}@sha256:${digit.repeat(64)}`);
  const env = { ...ENVIRONMENT, HOME: cwd, COSIGN_PASSWORD: PASSWORD };
  const argv = ["sign", "--key", "cosign.key", ...OFFLINE, "--format", "legacy", ...images];
  const child = spawn(PROGRAM, [...BEFORE, ...argv], { cwd, env, stdio: ["ignore", "ignore", "pipe"] });
  const { closed, said } = watched(child);
  await Promise.race([asked.promise, closed]);
  child.kill("SIGINT");
  assert.equal((await closed).code, 130, said.stderr);
  for (const image of images.slice(0, 4)) assert.ok(said.stderr.includes(`${image}: interrupted\n`), said.stderr);
  for (const image of images.slice(4)) assert.ok(said.stderr.includes(`${image}: not begun\n`), said.stderr);
  assert.match(said.stderr, /^0 of 6 images signed, 4 failed, 2 not begun$/m);
  assert.match(said.stderr, /^Error: interrupted$/m);
});

test("long computation -> signals and --timeout end the program at once", async (t) => {
  const cwd = temporaryFolder(t);
  const script = join(cwd, "busy.ts");
  const source = resolve(import.meta.dirname, "../../src");
  // The computation starts once the watchdog runs and --timeout has begun, because starting may take long. The
  // loop yields many times so that late timers run one after the other.
  writeFileSync(
    script,
    `import { systemIo } from "${source}/io/system.ts";
     import { main } from "${source}/main.ts";
     const io = systemIo();
     let arm;
     const deadline = (...given) => { arm = () => io.deadline(...given); return () => {}; };
     const sleep = (time, signal) => new Promise(() => {});
     const stdin = (async function* () {
       arm();
       for (let turn = 0; turn < 10; turn++) await io.sleep(100);
       io.stderr.write("computing\\n");
       await io.sleep(10);
       for (;;);
     })();
     process.exitCode = await main(process.argv.slice(2), { ...io, deadline, sleep, stdin });`,
  );
  const args = [script, "verify-blob", "--key", "-", "--insecure-ignore-tlog", "--bundle", "busy.ts", "busy.ts"];
  for (const [way, expected] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["timeout", 137],
  ] as const) {
    const limit = way === "timeout" ? ["--timeout=1200ms"] : [];
    const env = { ...ENVIRONMENT, HOME: cwd };
    const child = spawn(process.execPath, [...args, ...limit], { cwd, env, stdio: ["ignore", "ignore", "pipe"] });
    const { closed, said } = watched(child);
    while (!said.stderr.includes("computing") && child.exitCode === null) await once(child.stderr, "data");
    const computing = performance.now();
    if (way !== "timeout") child.kill(way);
    const { code } = await closed;
    assert.equal(code, expected, said.stderr);
    const took = performance.now() - computing;
    assert.ok(took < AT_ONCE, `${way}: ${took} ms`);
    if (way === "timeout") assert.match(said.stderr, /^Error: the command took longer than --timeout 1\.2s\nhint: /m);
  }
});

test("save: interrupted -> no partial file; second Ctrl-C -> ends at once", { skip: !POSIX }, async (t) => {
  const cwd = withKeys(t);
  const layer = Buffer.alloc(1024 * 1024, 7);
  const { createHash } = await import("node:crypto");
  const sha256 = (bytes: Uint8Array) => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
  const config = Buffer.from("{}");
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: "application/vnd.oci.image.manifest.v1+json",
      config: { mediaType: "application/vnd.oci.image.config.v1+json", digest: sha256(config), size: 2 },
      layers: [{ mediaType: "application/vnd.oci.image.layer.v1.tar", digest: sha256(layer), size: layer.length }],
    }),
  );
  const server = createServer((request, response) => {
    const path = request.url ?? "";
    if (path.includes("/manifests/sha256-") || path.includes("/referrers/")) return response.writeHead(404).end();
    const body = path.includes("/manifests/") ? manifest : path.endsWith(sha256(config)) ? config : layer;
    const type = path.includes("/manifests/")
      ? "application/vnd.oci.image.manifest.v1+json"
      : "application/octet-stream";
    response.writeHead(200, {
      "content-type": type,
      "content-length": body.length,
      "docker-content-digest": sha256(body),
    });
    if (request.method === "HEAD") return response.end();
    if (body !== layer) return response.end(body);
    return response.write(body.subarray(0, 500_000)); // and nothing more
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  t.after(() => server.close().closeAllConnections());
  const image = `127.0.0.1:${(server.address() as AddressInfo).port}/team/app:v1`;
  mkdirSync(join(cwd, "saved"));
  for (const way of ["SIGINT", "SIGTERM", "timeout"] as const) {
    const { code, stderr, took } = await stopped(["save", "--dir", "saved", image], way, { cwd, after: 1500 });
    assert.equal(code, { SIGINT: 130, SIGTERM: 143, timeout: 1 }[way], stderr);
    assert.ok(took < AT_ONCE, `${way}: ${took} ms`);
    const left = readdirSync(join(cwd, "saved"), { recursive: true }).map(String);
    assert.deepEqual(
      left.filter((name) => name.includes(".tmp") || name === "index.json"),
      [],
      way,
    );
  }
});
