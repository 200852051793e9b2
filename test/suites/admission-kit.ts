import assert from "node:assert/strict";
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import process from "node:process";
import type { TestContext } from "node:test";
import { promisify } from "node:util";
import type { Handler } from "../../src/io/io.ts";
import { systemIo } from "../../src/io/system.ts";
import { openRegistry, PLAIN_REGISTRY } from "../../src/oci/open.ts";
import { parseReference } from "../../src/oci/ref.ts";
import { pushImage } from "../../src/sandbox/registry/push.ts";
import { createRegistryHandler } from "../../src/sandbox/registry/registry.ts";
import { runProgram } from "../support/program.ts";
import { testIo } from "../support/test-io.ts";
import { OFFLINE, TSIGN } from "./support.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const KIT = join(resolve(process.env["TSIGN_SHARED"] ?? join(ROOT, "../shared")), "backends/backends");
const exec = promisify(execFile);
const real = systemIo();

/** A part of a test, by its name. */
export type Case = readonly [name: string, run: () => Promise<void>];

/** An answer of the API server. */
export interface ApiAnswer {
  readonly status: number;
  /** The object, or a Status. */
  readonly body: Record<string, unknown> & { message?: string; reason?: string };
  /** Text of the Warning headers; "" without any. */
  readonly warnings: string;
}

/** A real API server (kube-apiserver and etcd) of our own. */
export interface Cluster {
  /** Path of a file with the address, the CA and an administrator's token. */
  readonly kubeconfig: string;
  /** URL of the API server, and its CA certificates (PEM). */
  readonly server: string;
  readonly ca: string;
  call(method: string, path: string, body?: unknown, contentType?: string): Promise<ApiAnswer>;
}

/** Starts an API server on a free port of the loopback interface, with an empty etcd. */
export async function startCluster(t: TestContext, cwd: string): Promise<Cluster> {
  await exec(KIT, ["install", "k8s"], { maxBuffer: 2 ** 24 });
  const home = join(cwd, "backends");
  mkdirSync(home);
  const shared = process.env["BACKENDS_HOME"] ?? join(process.env["HOME"] ?? "", ".cache/tsign-backends");
  symlinkSync(join(shared, "bin"), join(home, "bin"));
  const env = { ...process.env, BACKENDS_HOME: home };
  t.after(() => exec(KIT, ["down"], { env }));
  await exec(KIT, ["up", "k8s"], { env, maxBuffer: 2 ** 24 });
  const kubeconfig = join(home, "run/kubeconfig");
  const config = readFileSync(kubeconfig, "utf8");
  const found = (pattern: RegExp) => pattern.exec(config)?.[1] ?? assert.fail(config);
  const server = found(/server: "([^"]+)"/);
  const ca = readFileSync(found(/certificate-authority: "([^"]+)"/), "utf8");
  const authorization = `Bearer ${found(/token: (\S+) }/)}`;
  return {
    kubeconfig,
    ...{ server, ca },
    async call(method, path, body, contentType = "application/json") {
      const response = await real.http({
        url: new URL(path, server),
        method,
        headers: { authorization, accept: "application/json", "content-type": contentType },
        ...(body === undefined ? {} : { body: Buffer.from(typeof body === "string" ? body : JSON.stringify(body)) }),
        tls: { ca },
        signal: AbortSignal.timeout(60_000),
      });
      const pieces: Uint8Array[] = [];
      for await (const piece of response.body) pieces.push(piece);
      const text = Buffer.concat(pieces).toString("utf8");
      // A path of an unknown kind is answered with plain text.
      const answered = text.startsWith("{") ? JSON.parse(text) : { message: text };
      return { status: response.status, body: answered, warnings: response.headers["warning"] ?? "" };
    },
  };
}

/** A registry that can be down or slow. */
export interface Shop {
  /** `127.0.0.1:PORT` */
  readonly registry: string;
  /** What every request meets: nothing, status 500, or a delay in milliseconds. */
  fault: "none" | "down" | number;
  /** Requests so far. */
  requests: number;
  push(name: string, content?: string): Promise<string>;
  sign(image: string, key: string, form?: "legacy" | "bundle" | "both"): Promise<void>;
}

/** Starts a registry, and makes the key pairs `a` and `b` in a folder. */
export async function openShop(t: TestContext, cwd: string): Promise<Shop> {
  const stored = createRegistryHandler({ referrers: true });
  const env = { PATH: process.env["PATH"], HOME: cwd, COSIGN_PASSWORD: "pw" };
  const tsign = async (...argv: string[]) => {
    const { code, stderr } = await runProgram(argv, { cwd, env, stdin: "" });
    assert.equal(code, 0, stderr);
  };
  const handler: Handler = async (request) => {
    shop.requests++;
    if (shop.fault === "down") return { status: 500, body: "down" };
    if (typeof shop.fault === "number") await real.sleep(shop.fault);
    return stored(request);
  };
  const { port, close } = await real.listen({ host: "127.0.0.1", port: 0 }, handler);
  t.after(close);
  const registry = `127.0.0.1:${port}`;
  const shop: Shop = {
    registry,
    fault: "none",
    requests: 0,
    async push(name, content = name) {
      const store = await openRegistry(testIo({ cwd }), parseReference(`${registry}/${name}:1`), PLAIN_REGISTRY);
      return (await pushImage(store, { file: "f", content: Buffer.from(content), tag: "1" })).digest;
    },
    sign: (image, key, form = "bundle") => tsign("sign", `--key=${key}.key`, ...OFFLINE, `--format=${form}`, image),
  };
  for (const name of ["a", "b"]) await tsign("generate-key-pair", `--output-key-prefix=${name}`);
  return shop;
}

/** A running `tsign admission serve`. */
export interface Served {
  readonly url: string;
  /** What it has logged. */
  log(): string;
  /** Waits until it has logged something. */
  logged(pattern: RegExp): Promise<void>;
  readonly child: ChildProcess;
}

export const portOf = ({ url }: Pick<Served, "url">) => Number(new URL(url).port);

/** Runs a program that is, or starts, `tsign admission serve` on a free port of 127.0.0.1, and waits until it serves. */
export async function startServing(
  t: TestContext,
  [program, ...args]: readonly [program: string, ...args: string[]],
  { cwd, env }: { cwd: string; env: NodeJS.ProcessEnv },
): Promise<Served> {
  const child = spawn(program, args, { cwd, env, stdio: ["ignore", "ignore", "pipe"] });
  t.after(() => child.kill("SIGKILL"));
  let text = "";
  child.stderr.setEncoding("utf8").on("data", (more: string) => {
    text += more;
  });
  const logged = async (pattern: RegExp) => {
    for (let tries = 0; tries < 1200 && !pattern.test(text); tries++) await real.sleep(50);
    assert.match(text, pattern);
  };
  await logged(/serving on /);
  const url = /serving on (https:\/\/127\.0\.0\.1:\d+)/.exec(text)?.[1] ?? assert.fail(text);
  return { url, child, log: () => text, logged };
}

/** Starts `bin/tsign admission serve` on a free port, with further flags. */
export async function serve(
  t: TestContext,
  cwd: string,
  tls: { cert: string; key: string },
  ...further: readonly string[]
): Promise<Served> {
  writeFileSync(join(cwd, "tls.crt"), tls.cert);
  writeFileSync(join(cwd, "tls.key"), tls.key, { mode: 0o600 });
  const flags = ["--trust-policy=policy.yaml", "--listen=127.0.0.1:0", "--tls-cert=tls.crt", "--tls-key=tls.key"];
  const more = ["--reload-interval=200ms", "--shutdown-delay=100ms"];
  const env = { PATH: process.env["PATH"], HOME: cwd };
  return startServing(t, [TSIGN, "admission", "serve", ...flags, ...more, ...further], { cwd, env });
}
