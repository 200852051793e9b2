import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import type { Handler } from "../../src/io/io.ts";
import { systemIo } from "../../src/io/system.ts";
import { startSandbox } from "../../src/lib/sandbox.ts";
import { createRegistryHandler } from "../../src/sandbox/registry/registry.ts";

/**
 * Serves one registry on two ports, at once and with a delay, and a sandbox. Prints one line of JSON: what a program needs of
 * them (`Served`). GET /requests returns the number of requests to the registry.
 *
 *     node many-server.ts DELAY FOLDER     milliseconds; a folder for the sandbox's files
 */
export interface Served {
  /** Ports. */
  readonly direct: string;
  readonly delayed: string;
  /** Files, and the flags' values for an identity. */
  readonly trustedRoot: string;
  readonly signingConfig: string;
  readonly issuer: string;
  readonly email: string;
  readonly token: string;
}

const [delay = "", folder = ""] = process.argv.slice(2);
const email = "bench@example.com";
const io = systemIo();
const registry = createRegistryHandler({ referrers: true });
let requests = 0;
const counting: Handler = (request) => {
  if (request.url === "/requests") return Promise.resolve({ status: 200, body: String(requests) });
  requests++;
  return registry(request);
};
const late: Handler = async (request) => {
  await sleep(Number(delay));
  return counting(request);
};
const [direct, delayed] = await Promise.all(
  [counting, late].map(async (handler) => String((await io.listen({ host: "127.0.0.1", port: 0 }, handler)).port)),
);
const sandbox = await startSandbox({ folder });
const served: Served = {
  direct: direct ?? "",
  delayed: delayed ?? "",
  trustedRoot: sandbox.variables["TSIGN_SANDBOX_TRUSTED_ROOT"] ?? "",
  signingConfig: sandbox.variables["TSIGN_SANDBOX_SIGNING_CONFIG"] ?? "",
  issuer: sandbox.urls.issuer,
  email,
  token: sandbox.token({ email }),
};
console.log(JSON.stringify(served));
process.stdin.resume().on("end", () => process.exit(0)); // the benchmark has ended, however it did
