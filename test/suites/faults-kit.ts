import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { must, type Result, TSIGN } from "./support.ts";

/** The variables of a suite's own sandbox, as `tsign sandbox env` prints them. */
export type Sandbox = Readonly<Record<string, string>>;

/** Starts a sandbox in the background and stops it with the test. */
export async function startSandbox(context: TestContext): Promise<Sandbox> {
  const home = mkdtempSync(join(tmpdir(), "tsign-sandbox-"));
  const env = { HOME: home, XDG_RUNTIME_DIR: home };
  await must(TSIGN, ["sandbox", "up"], { cwd: home, env });
  context.after(async () => {
    await must(TSIGN, ["sandbox", "down"], { cwd: home, env });
    rmSync(home, { recursive: true, force: true });
  });
  const printed = await must(TSIGN, ["sandbox", "env"], { cwd: home, env });
  const lines = printed.stdout.matchAll(/^export (\w+)='?([^'\n]*)'?$/gm);
  return { ...env, ...Object.fromEntries([...lines].map(([, name, value]) => [name, value])) };
}

/** Returns a value of the sandbox's environment, which must exist. */
export function setting(sandbox: Sandbox, name: string): string {
  const value = sandbox[name];
  if (value === undefined) throw new Error(`the sandbox sets no ${name}`);
  return value;
}

/** An identity token of the sandbox's issuer. */
export async function token(sandbox: Sandbox, cwd: string): Promise<string> {
  const printed = await must(TSIGN, ["sandbox", "token", "--email", "alice@example.com"], { cwd, env: sandbox });
  return printed.stdout.trim();
}

export interface Timed extends Result {
  /** Seconds from the start to the end of the process. */
  readonly seconds: number;
}

/** Runs a program and measures its time; it is killed (exit code 137) after `limit` seconds. */
export function timed(
  program: string,
  args: readonly string[],
  options: { cwd: string; env: Record<string, string>; limit: number; started?: (kill: () => void) => void },
): Promise<Timed> {
  const start = performance.now();
  const env = { PATH: process.env["PATH"], HOME: options.cwd, COSIGN_PASSWORD: "suite", ...options.env };
  const child = spawn(program, args, { cwd: options.cwd, env, stdio: ["ignore", "pipe", "pipe"], detached: true });
  // The launcher replaces itself with Node, and Node may start helpers, so the whole group is killed.
  const kill = () => {
    try {
      process.kill(-(child.pid ?? 0), "SIGKILL");
    } catch {
      // it has ended already
    }
  };
  options.started?.(kill);
  const timer = setTimeout(kill, options.limit * 1000);
  const output = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"] as const) {
    child[stream].setEncoding("utf8").on("data", (text: string) => {
      output[stream] += text;
    });
  }
  return new Promise((done, fail) => {
    child.on("error", fail);
    child.on("close", (code) => {
      clearTimeout(timer);
      done({ code: code ?? 137, ...output, seconds: (performance.now() - start) / 1000 });
    });
  });
}

/** A proxy in front of one port that counts requests and can call a function at the n-th of them. */
export interface Tap {
  /** `localhost:<port>`, to be named in place of the target. */
  readonly address: string;
  /** Requests seen since the last `arm`, `METHOD path`. */
  readonly seen: readonly string[];
  /**
   * Counts from zero again. `action` is called once request `after` (from 1) has been done, in place of its answer; with 0
   * when the first request comes, which is not done.
   */
  arm(after?: number, action?: () => void): void;
}

/** Starts a tap in front of `localhost:<port>`. */
export async function tap(context: TestContext, target: string): Promise<Tap> {
  const port = target.slice(target.lastIndexOf(":") + 1);
  const seen: string[] = [];
  let armed: { after: number; action: () => void } | undefined;
  const server = createServer((incoming, outgoing) => {
    seen.push(`${incoming.method} ${incoming.url?.replace(/\?.*/, "")}`);
    if (armed?.after === 0) {
      armed.action();
      incoming.socket.destroy();
      return;
    }
    const strike = armed?.after === seen.length ? armed : undefined;
    const headers = { ...incoming.headers, host: `localhost:${port}` };
    const onwards = request({ host: "127.0.0.1", port, method: incoming.method, path: incoming.url, headers });
    onwards.on("error", () => incoming.socket.destroy());
    onwards.on("response", (answer: IncomingMessage) => {
      if (strike) {
        answer.resume().on("end", () => {
          strike.action();
          incoming.socket.destroy();
        });
        return;
      }
      const location = answer.headers.location?.replace(`:${port}`, `:${address().port}`);
      outgoing.writeHead(answer.statusCode ?? 502, { ...answer.headers, ...(location ? { location } : {}) });
      answer.pipe(outgoing);
    });
    incoming.pipe(onwards);
  });
  const address = () => server.address() as { port: number };
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  context.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return {
    address: `localhost:${address().port}`,
    seen,
    arm(after = 0, action) {
      seen.length = 0;
      armed = action && { after, action };
    },
  };
}

/** Copies a file, with the port of the tap in place of the sandbox's. Returns the path of the copy. */
export function throughTap(file: string, sandbox: Sandbox, through: Tap, cwd: string): string {
  const port = new URL(setting(sandbox, "TSIGN_SANDBOX_URL")).port;
  mkdirSync(cwd, { recursive: true });
  const copy = join(cwd, `tapped-${file.slice(file.lastIndexOf("/") + 1)}`);
  writeFileSync(copy, readFileSync(file, "utf8").replaceAll(`:${port}`, `:${through.address.replace(/.*:/, "")}`));
  return copy;
}

/** Returns the error line, shortened for a table. */
export function reason(stderr: string): string {
  return (/^Error: (.*)$/m.exec(stderr)?.[1] ?? stderr.trim().split("\n").at(-1) ?? "").slice(0, 110);
}
