import type { Handler, Io, Listening } from "../io.ts";
import { createRegistryHandler } from "./registry.ts";
import type { RegistryOptions } from "./registry-state.ts";

export const SANDBOX_NOTICE =
  "The sandbox is for learning and tests: it is open to every program on this machine and forgets everything when it ends.";

/** A sandbox in this process. */
export interface Sandbox extends Listening {
  /** `localhost:<port>`. */
  readonly registry: string;
  /** Settles when its owner asked it to stop. */
  readonly stopped: Promise<void>;
}

/**
 * Starts the sandbox on a loopback address.
 *
 * @param options.token who knows it may stop the sandbox; undefined for nobody
 */
export async function startSandbox(
  io: Pick<Io, "listen">,
  options: RegistryOptions & { port: number; token?: string },
): Promise<Sandbox> {
  const registry = createRegistryHandler(options);
  let stop = () => {};
  const stopped = new Promise<void>((done) => {
    stop = done;
  });
  const handler: Handler = async (request) => {
    if (!request.url.startsWith("/sandbox/")) return registry(request);
    const known = options.token !== undefined && request.headers["authorization"] === `Bearer ${options.token}`;
    if (!known) return { status: 403 };
    if (request.method === "POST" && request.url === "/sandbox/stop") stop();
    return { status: 204 };
  };
  const listening = await io.listen({ host: "127.0.0.1", port: options.port }, handler);
  return { ...listening, registry: `localhost:${listening.port}`, stopped };
}

/** The environment a program needs to find the sandbox, and tsign itself. */
export function sandboxEnvironment(io: Pick<Io, "env" | "launcher">, registry: string): Record<string, string> {
  const script = io.launcher.script;
  const bin = `${script.slice(0, script.lastIndexOf("/"))}/../bin`;
  return { TSIGN_SANDBOX: registry, PATH: `${bin}:${io.env["PATH"] ?? ""}` };
}
