import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import type { Handler } from "../../src/io/io.ts";
import { systemIo } from "../../src/io/system.ts";
import { createRegistryHandler } from "../../src/sandbox/registry/registry.ts";
import { createFaults } from "../../src/sandbox/server/faults.ts";
import { createHandler } from "../../src/sandbox/server/server.ts";
import { openSigstore } from "../../src/sandbox/sigstore.ts";
import { testSigstore } from "../support/sandbox.ts";
import { certify, keyOf, leafOf } from "../support/sandbox-client.ts";
import { writeLogs } from "../support/sandbox-logs.ts";

/**
 * Measures how fast `tsign monitor` searches a Rekor v1 and a Rekor v2 log: entries per second, its own CPU time and peak memory.
 * Each entry has a certificate of another identity. The logs are those of the sandbox, in this process, which signs every answer of
 * v1: with it on the same machine, the wall time is an upper limit.
 *
 *     node build.ts && npm run bench:monitor -- --entries 100000
 */
const ROOT = resolve(import.meta.dirname, "../..");
const { values } = parseArgs({ options: { entries: { type: "string", default: "100000" } } });
const entries = Number(values.entries);
const folder = mkdtempSync(join(tmpdir(), "tsign-monitor-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

const leaf = leafOf(await certify(await testSigstore(), keyOf("P-256")));
writeLogs(join(folder, "sandbox"), entries, () => leaf);

const real = systemIo();
let handler: Handler | undefined;
const listening = await real.listen({ host: "127.0.0.1", port: 0 }, (request) => {
  return handler?.(request) ?? Promise.reject(new Error("not open"));
});
const base = `http://127.0.0.1:${listening.port}`;
const { services, files, at } = await openSigstore(real, { base, clock: real.now, folder: join(folder, "sandbox") });
const registry = createRegistryHandler({ referrers: true });
handler = createHandler({ services, registry, faults: createFaults(), sleep: real.sleep });

/** The trusted root with one of the logs only. */
const root = JSON.parse(files["trusted_root.json"]) as { tlogs: { baseUrl: string; logId: { keyId: string } }[] };
const measured: string[] = [];
for (const [index, tlog] of root.tlogs.entries()) {
  writeFileSync(join(folder, "root.json"), JSON.stringify({ ...root, tlogs: [tlog] }));
  const state = `state${index}.json`;
  const common = [`--state=${state}`, "--trusted-root=root.json", "--certificate-identity=nobody@example.com"];
  const monitor = ["monitor", ...common, `--certificate-oidc-issuer=${at.issuer}`];
  await measure([monitor[0] ?? "", "init", ...monitor.slice(1), "--from=0"]);
  const { code, cpu, rss, wall } = await measure([...monitor, "--once"]);
  const { state: after } = JSON.parse(readFileSync(join(folder, state), "utf8"));
  const [{ api, counts }] = after.logs;
  if (code !== 0 || counts.entries !== entries) throw new Error(`v${api}: exit ${code}, ${counts.entries} entries`);
  const rate = (seconds: number) => Math.round(entries / seconds);
  measured.push(
    `Rekor v${api}: ${entries} entries in ${wall.toFixed(1)} s (${rate(wall)}/s), ${cpu.toFixed(1)} s of CPU (${rate(cpu)}/s), ${Math.round(rss / 1024)} MiB`,
  );
}
await listening.close();
console.log(
  `${process.platform} ${process.arch}, ${
    execFileSync(join(ROOT, "bin/tsign"), ["version"], { encoding: "utf8" })
      .split("\n")
      .find((line) => line.includes("GitVersion")) ?? ""
  }`,
);
for (const line of measured) console.log(line);

/** Runs tsign, and returns its exit code, CPU time and wall time in seconds, and peak memory in KiB. */
function measure(argv: readonly string[]): Promise<{ code: number; cpu: number; rss: number; wall: number }> {
  const script = join(import.meta.dirname, "measure.py");
  const child = spawn("python3", [script, join(folder, "output"), join(ROOT, "bin/tsign"), ...argv], {
    cwd: folder,
    env: { PATH: process.env["PATH"], HOME: folder },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (piece: string) => {
    text += piece;
  });
  return new Promise((done, fail) => {
    child.on("error", fail);
    child.on("close", () => done(JSON.parse(text)));
  });
}
