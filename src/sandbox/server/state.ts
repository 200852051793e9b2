import { TsignError } from "../../errors.ts";
import { isObject, parseJson } from "../../format/json.ts";
import { printable } from "../../format/printable.ts";
import type { Io } from "../../io/io.ts";
import { createTransport, type Exchange } from "../../net/http.ts";
import { runtimeFolder } from "./serve.ts";

const MAX_ANSWER = 1024 * 1024;

/** The sandbox that runs in the background, as its starter wrote it down. */
export interface RunningSandbox {
  readonly port: number;
  /** Lets its owner stop it; others on this machine cannot know it. */
  readonly token: string;
}

function statePath(env: Io["env"]): string {
  return `${runtimeFolder(env)}/sandbox.json`;
}

/** Writes down a sandbox that has started, for its owner alone. */
export async function writeState(io: Pick<Io, "env" | "files">, sandbox: RunningSandbox): Promise<void> {
  const path = statePath(io.env);
  await io.files.makeDirectory(path.slice(0, path.lastIndexOf("/")), { mode: 0o700 });
  await io.files.replace(path, JSON.stringify(sandbox), { mode: 0o600 });
}

/** Forgets it. */
export async function removeState(io: Pick<Io, "env" | "files">): Promise<void> {
  await io.files.remove(statePath(io.env));
}

/** The sandbox that answers now; undefined when none does, whatever was written down. */
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

/** Asks the sandbox's control endpoint; false when it is not ours, or not there. */
export async function askSandbox(
  io: Pick<Io, "http" | "signal">,
  sandbox: RunningSandbox,
  { method, path }: { method: string; path: string },
): Promise<boolean> {
  try {
    const url = new URL(path, `http://localhost:${sandbox.port}`);
    const headers = { authorization: `Bearer ${sandbox.token}`, "content-length": "0" };
    const signal = AbortSignal.any([io.signal, AbortSignal.timeout(5_000)]);
    const response = await io.http({ url, method, headers, signal });
    response.discard();
    return response.status === 204;
  } catch (error) {
    if (error instanceof TsignError && error.code === "network") return false;
    throw error;
  }
}

/** The registry of the sandbox a command is meant for: the one it runs inside, else the one in the background. */
export async function sandboxRegistry(io: Pick<Io, "env" | "files" | "http" | "signal">): Promise<string> {
  const inside = io.env["TSIGN_SANDBOX"];
  if (inside) return inside;
  const running = await findSandbox(io);
  if (!running) throw new TsignError("input", "no sandbox is running", { hint: "tsign sandbox up" });
  return `localhost:${running.port}`;
}

/**
 * Asks the sandbox a command is meant for; the text of its answer.
 *
 * @throws TsignError "input" when none is running, "service" when it refuses
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
    throw new TsignError("service", `the sandbox on ${url.host} refuses: ${printable(text.trim())}`, {
      service: "sandbox",
      status,
      url,
    });
  }
  return text;
}

/** The variables by which programs find the sandbox a command is meant for. */
export async function sandboxEnvironment(io: Parameters<typeof askRunning>[0]): Promise<Record<string, string>> {
  const text = await askRunning(io, { method: "GET", path: "/sandbox/environment" });
  const variables = parseJson(Buffer.from(text), "the sandbox's environment");
  if (!isObject(variables)) throw new TsignError("service", "what answers is not the sandbox", { service: "sandbox" });
  const pairs = Object.entries(variables).filter(
    ([name, value]) => /^[A-Z0-9_]+$/.test(name) && typeof value === "string",
  );
  return Object.fromEntries(pairs) as Record<string, string>;
}
