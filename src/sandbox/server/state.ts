import { TsignError } from "../../errors.ts";
import { isObject, parseJson } from "../../format/json.ts";
import { printable } from "../../format/printable.ts";
import type { Io } from "../../io/io.ts";
import { createTransport, type Exchange } from "../../net/http.ts";
import { runtimeFolder } from "./serve.ts";

const MAX_ANSWER = 1024 * 1024;

/** The background sandbox, as recorded when it was started. */
export interface RunningSandbox {
  readonly port: number;
  /** Token with which its owner can stop it; other users cannot read it. */
  readonly token: string;
}

function statePath(env: Io["env"]): string {
  return `${runtimeFolder(env)}/sandbox.json`;
}

/** Records a started sandbox in a file that only its owner can read. */
export async function writeState(io: Pick<Io, "env" | "files">, sandbox: RunningSandbox): Promise<void> {
  const path = statePath(io.env);
  await io.files.makeDirectory(path.slice(0, path.lastIndexOf("/")), { mode: 0o700 });
  await io.files.replace(path, JSON.stringify(sandbox), { mode: 0o600 });
}

/** Removes the record. */
export async function removeState(io: Pick<Io, "env" | "files">): Promise<void> {
  await io.files.remove(statePath(io.env));
}

/** Returns the recorded sandbox if it answers; undefined otherwise. */
export async function findSandbox(
  io: Pick<Io, "env" | "files" | "http" | "signal">,
): Promise<RunningSandbox | undefined> {
  const path = statePath(io.env);
  if (!(await io.files.stat(path))) return undefined;
  const value = parseJson(await io.files.read(path, { maxBytes: 4096 }), path);
  if (!isObject(value) || typeof value["port"] !== "number" || typeof value["token"] !== "string") return undefined;
  const sandbox = { port: value["port"], token: value["token"] };
  return (await askSandbox(io, sandbox, { method: "GET", path: "/sandbox/status" })) ? sandbox : undefined;
}

/** Calls the sandbox's control endpoint. Returns false when it is another user's, or not running. */
export async function askSandbox(
  io: Pick<Io, "http" | "signal">,
  sandbox: RunningSandbox,
  { method, path }: { method: string; path: string },
): Promise<boolean> {
  const url = new URL(path, `http://localhost:${sandbox.port}`);
  const headers = { authorization: `Bearer ${sandbox.token}`, "content-length": "0" };
  return (await statusOf(io, { url, method, headers })) === 204;
}

/**
 * Returns the status of a response, which has to come within five seconds; undefined if the server cannot be reached. A request that
 * only reads is sent once more: the server may just have closed the connection that an earlier one left open.
 */
async function statusOf(
  io: Pick<Io, "http" | "signal">,
  request: { url: URL; method: string; headers: Readonly<Record<string, string>> },
): Promise<number | undefined> {
  const signal = AbortSignal.any([io.signal, AbortSignal.timeout(5_000)]);
  for (let left = request.method === "GET" ? 1 : 0; ; left--) {
    try {
      const response = await io.http({ ...request, signal });
      response.discard();
      return response.status;
    } catch (error) {
      if (!(error instanceof TsignError && error.code === "network")) throw error;
      if (left === 0) return undefined;
    }
  }
}

/**
 * Returns the registry of the current sandbox: the one the command runs inside, else the one in the background. A shell may
 * still have the variables of a sandbox that was stopped.
 *
 * @throws TsignError "input" when no sandbox is running
 */
export async function sandboxRegistry(io: Pick<Io, "env" | "files" | "http" | "signal">): Promise<string> {
  const inside = io.env["TSIGN_SANDBOX"];
  if (inside && (await isRunning(io, inside))) return inside;
  const running = await findSandbox(io);
  if (!running) throw new TsignError("input", "no sandbox is running", { hint: "run `tsign sandbox up`" });
  return `localhost:${running.port}`;
}

/** Whether a sandbox's registry can be reached. One elsewhere than on this machine is not asked. */
async function isRunning(io: Pick<Io, "http" | "signal">, registry: string): Promise<boolean> {
  const url = `http://${registry}/sandbox/environment`;
  if (!registry.startsWith("localhost:") || !URL.canParse(url)) return true;
  return (await statusOf(io, { url: new URL(url), method: "GET", headers: {} })) !== undefined;
}

/**
 * Sends a request to the current sandbox and returns the text of its answer.
 *
 * @throws TsignError "input" when no sandbox is running, "service" when it refuses
 */
export async function askRunning(
  io: Pick<Io, "env" | "files" | "http" | "signal" | "now" | "sleep">,
  exchange: Pick<Exchange, "method"> & { path: string; body?: string },
): Promise<string> {
  const { method, path, body } = exchange;
  const url = new URL(path, `http://${await sandboxRegistry(io)}`);
  const sent = body === undefined ? {} : { body: Buffer.from(body) };
  const headers = { "content-length": String(Buffer.byteLength(body ?? "")) };
  const { status, bytes } = await createTransport(io, { peer: { service: "sandbox" } }).read(
    { method, url, headers, ...sent },
    { maxBytes: MAX_ANSWER },
  );
  const text = Buffer.from(bytes).toString("utf8");
  if (status < 200 || status > 299) {
    throw new TsignError("service", `the sandbox on ${url.host} refused the request: ${printable(text.trim())}`, {
      service: "sandbox",
      status,
      url,
    });
  }
  return text;
}

/** Returns the variables with which programs find the current sandbox. */
export async function sandboxEnvironment(io: Parameters<typeof askRunning>[0]): Promise<Record<string, string>> {
  const text = await askRunning(io, { method: "GET", path: "/sandbox/environment" });
  const variables = parseJson(Buffer.from(text), "sandbox environment");
  if (!isObject(variables)) {
    throw new TsignError("service", "read sandbox environment: expected a JSON object", { service: "sandbox" });
  }
  const pairs = Object.entries(variables).filter(
    ([name, value]) => /^[A-Z0-9_]+$/.test(name) && typeof value === "string",
  );
  return Object.fromEntries(pairs) as Record<string, string>;
}
