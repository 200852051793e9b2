import { TsignError } from "../../errors.ts";
import type { Handler, Io, Listening, ServerRequest } from "../../io/io.ts";
import { withAuth } from "../registry/auth.ts";
import { createRegistryHandler } from "../registry/registry.ts";
import { openSigstore, type Sigstore } from "../sigstore.ts";
import type { Clock } from "./clock.ts";
import { type Registries, sandboxVariables } from "./environment.ts";
import { createFaults, type Fault, type Faults, parseFault } from "./faults.ts";
import { guard } from "./guard.ts";
import { createHandler } from "./server.ts";
import { answer, json } from "./service.ts";

const LOOPBACK = "127.0.0.1";
const MAX_CONTROL = 64 * 1024;

export interface SandboxOptions {
  /** 0 selects the port of the state folder, or a free one. */
  readonly port: number;
  readonly referrers: boolean;
  /** Absolute path of the folder for keys and logs; without it they are kept in memory. */
  readonly state?: string;
  /** The services' clock; io.now by default. */
  readonly clock?: Clock;
  readonly faults?: readonly Fault[];
  /** Token that allows a program to stop the sandbox; without it, no program can. */
  readonly token?: string;
}

/** A sandbox in this process. */
export interface Sandbox {
  readonly port: number;
  readonly sigstore: Sigstore;
  readonly registries: Registries;
  /** Environment variables with which programs find it. */
  readonly variables: Readonly<Record<string, string>>;
  readonly faults: Faults;
  /** Settles when its owner stops it. */
  readonly stopped: Promise<void>;
  close(): Promise<void>;
}

type SandboxIo = Pick<Io, "listen" | "files" | "now" | "random" | "sleep" | "env">;

/**
 * Starts the sandbox on the loopback address: Sigstore's services and a registry without login on one port, three more
 * registries on other ports.
 *
 * @throws TsignError "input" when the port is in use or differs from the state folder's, and for a folder with other files
 */
export async function startSandbox(io: SandboxIo, options: SandboxOptions): Promise<Sandbox> {
  const { state } = options;
  const port = await portOf(io, options);
  const listening: Listening[] = [];
  const listen = async (wanted: number, handler: Handler) => {
    const one = await io.listen({ host: LOOPBACK, port: wanted }, handler);
    listening.push(one);
    return one.port;
  };
  const close = async () => {
    await Promise.all(listening.map((one) => one.close()));
    if (own !== undefined) await io.files.remove(own);
    own = undefined;
  };
  let own: string | undefined;
  const main = deferredHandler();
  try {
    const taken = await listen(port, main.handler);
    if (state === undefined) own = await io.files.makeOwnFolder(runtimeFolder(io.env), `sandbox-${taken}-`);
    const folder = state ?? own ?? "";
    const base = `http://${LOOPBACK}:${taken}`;
    const clock = options.clock ?? (() => io.now());
    const sigstore = await openSigstore(io, { base, clock, folder: state });
    const registries = await openRegistries(io, taken, listen);
    const variables = sandboxVariables(sigstore.at, registries, folder);
    const faults = createFaults(options.faults);
    const registry = createRegistryHandler({ referrers: options.referrers });
    const services = createHandler({ services: sigstore.services, registry, faults, sleep: io.sleep });
    const control = createControl({ ...(options.token ? { token: options.token } : {}), variables, faults });
    await writeFiles(io, folder, { ...sigstore.files, ...(state === undefined ? {} : { port: String(taken) }) });
    main.set((request) => (request.url.startsWith("/sandbox/") ? control.handler(request) : services(request)));
    return { port: taken, sigstore, registries, variables, faults, stopped: control.stopped, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Returns the port. It is part of the issuer URL, so a state folder stores its own; a used port also locks the folder. */
async function portOf({ files }: SandboxIo, { port, state }: SandboxOptions): Promise<number> {
  const path = `${state}/port`;
  if (state === undefined) return port;
  if (!(await files.stat(path))) {
    if ((await files.list(state)).length === 0) return port;
    throw new TsignError("input", `open state folder ${state}: it contains files but no sandbox`, {
      hint: "use a new or empty folder for --state",
    });
  }
  const kept = Number(Buffer.from(await files.read(path, { maxBytes: 16 })).toString("utf8"));
  if (!Number.isInteger(kept) || kept < 1 || kept > 65535) throw new TsignError("input", `read ${path}: invalid port`);
  if (port !== 0 && port !== kept) {
    const message = `open state folder ${state}: port mismatch: got ${port}, want ${kept}`;
    throw new TsignError("input", message, { hint: "remove --port" });
  }
  return kept;
}

/** Returns the user's folder for runtime files. @throws TsignError "input" without HOME and XDG_RUNTIME_DIR */
export function runtimeFolder(env: Io["env"]): string {
  if (!env["XDG_RUNTIME_DIR"] && !env["HOME"]) {
    throw new TsignError("input", "create sandbox folder: HOME is not set", { hint: "set HOME or XDG_RUNTIME_DIR" });
  }
  return `${env["XDG_RUNTIME_DIR"] || `${env["HOME"] ?? ""}/.cache`}/tsign`;
}

/** Creates a handler that can listen before the real one is set; requests wait for it. */
function deferredHandler(): { handler: Handler; set: (handler: Handler) => void } {
  let set: (handler: Handler) => void = () => {};
  const ready = new Promise<Handler>((done) => {
    set = done;
  });
  return { handler: async (request) => (await ready)(request), set: (handler) => set(handler) };
}

async function openRegistries(
  io: Pick<Io, "random">,
  port: number,
  listen: (port: number, handler: Handler) => Promise<number>,
): Promise<Registries> {
  const registry = (referrers: boolean) => createRegistryHandler({ referrers });
  const random = (bytes: number) => io.random(bytes);
  const open = async (handler: Handler) => `localhost:${await listen(0, handler)}`;
  return {
    open: `localhost:${port}`,
    plain: await open(registry(false)),
    basic: await open(withAuth(registry(true), { kind: "basic", random })),
    bearer: await open(withAuth(registry(true), { kind: "bearer", random })),
  };
}

async function writeFiles({ files }: SandboxIo, folder: string, content: Readonly<Record<string, string>>) {
  await files.makeDirectory(folder, { mode: 0o700 });
  for (const [name, text] of Object.entries(content)) await files.replace(`${folder}/${name}`, text, { mode: 0o600 });
}

/** Handles `/sandbox/…`: environment, faults, and stop, which requires the owner's token. */
function createControl(options: { token?: string; variables: Readonly<Record<string, string>>; faults: Faults }): {
  handler: Handler;
  stopped: Promise<void>;
} {
  const { token, variables, faults } = options;
  let stop = () => {};
  const stopped = new Promise<void>((done) => {
    stop = done;
  });
  const handler: Handler = async (request) => {
    const refusal = guard(request);
    if (refusal) return answer(`${refusal.reason}\n`, { status: refusal.status, type: "text/plain" });
    switch (`${request.method} ${request.url}`) {
      case "GET /sandbox/environment":
        return json(variables);
      case "DELETE /sandbox/faults":
        faults.clear();
        return { status: 204 };
      case "POST /sandbox/faults":
        return addFaults(request, faults);
    }
    const known = token !== undefined && request.headers["authorization"] === `Bearer ${token}`;
    if (!known) return { status: 403 };
    if (request.method === "POST" && request.url === "/sandbox/stop") stop();
    return { status: 204 };
  };
  return { handler, stopped };
}

/** Adds the faults in a request's body, one per line. */
async function addFaults(request: ServerRequest, faults: Faults) {
  let text = "";
  for await (const piece of request.body) {
    text += Buffer.from(piece).toString("latin1");
    if (text.length > MAX_CONTROL) return answer("too long\n", { status: 413, type: "text/plain" });
  }
  try {
    for (const fault of text.split("\n").filter(Boolean).map(parseFault)) faults.add(fault);
    return { status: 204 };
  } catch (error) {
    if (!(error instanceof TsignError)) throw error;
    return answer(`${error.message}\n`, { status: 400, type: "text/plain" });
  }
}
