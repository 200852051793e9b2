import { execFileSync, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import process from "node:process";

/**
 * Compares keyless signing and verification with cosign on the shared stack, in one run: interleaved rounds, medians of wall
 * time, and the number of requests to Fulcio, Rekor, the timestamp authority and the registry, counted by proxies.
 *
 *     STACK_ENV=$(../shared/stack/stack env) npm run bench:keyless
 */
const ROOT = resolve(import.meta.dirname, "../..");
const ROUNDS = 9;
const WHO = "alice@example.com";

const stackEnv = process.env["STACK_ENV"];
if (!stackEnv) {
  console.error("no running stack: set STACK_ENV to the file that `stack env` prints");
  process.exit(1);
}
const listing = execFileSync("bash", ["-c", `. "${stackEnv}" && env -0`], { encoding: "utf8" });
const stack = Object.fromEntries(listing.split("\0").map((line) => line.split(/=(.*)/s).slice(0, 2))) as Record<
  string,
  string
>;
const value = (name: string): string => {
  const found = stack[name];
  if (!found) throw new Error(`read STACK_ENV: missing ${name}`);
  return found;
};
const folder = mkdtempSync(join(tmpdir(), "tsign-keyless-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
const programs = { tsign: join(ROOT, "bin/tsign"), cosign: value("STACK_COSIGN") };

let requests = 0;
/** Starts a proxy that forwards requests to a target and counts them. */
function counter(target: string): Promise<string> {
  const { hostname, port } = new URL(target);
  const server = http.createServer((incoming, outgoing) => {
    requests++;
    const { method, url: path, headers } = incoming;
    const passed = http.request({ hostname, port, method, path, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    passed.on("error", () => outgoing.destroy());
    incoming.pipe(passed);
  });
  return new Promise((done) => {
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      done(`http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`);
    });
    server.unref();
  });
}

/** Returns a signing config of the stack with every service behind a counting proxy. */
async function counted(name: string): Promise<string> {
  const config = JSON.parse(readFileSync(value(name), "utf8"));
  for (const list of ["caUrls", "rekorTlogUrls", "tsaUrls"]) {
    for (const service of config[list] ?? []) {
      const url = new URL(service.url);
      service.url = (await counter(url.origin)) + (url.pathname === "/" ? "" : url.pathname);
    }
  }
  const path = join(folder, `${name}.json`);
  writeFileSync(path, JSON.stringify(config));
  return path;
}

/** Measures the wall time of a command in milliseconds, asynchronously, because the proxies run in this process. */
function run(program: string, args: readonly string[]): Promise<{ wall: number; requests: number }> {
  const before = requests;
  const started = process.hrtime.bigint();
  return new Promise((done, fail) => {
    const child = spawn(program, args, {
      cwd: folder,
      stdio: ["ignore", "ignore", "pipe"],
      env: { ...process.env, HOME: folder },
    });
    let said = "";
    child.stderr.on("data", (text) => (said += text));
    child.on("close", (code) => {
      if (code !== 0) fail(new Error(`${program} ${args.join(" ")} failed with ${code}: ${said}`));
      else done({ wall: Number(process.hrtime.bigint() - started) / 1e6, requests: requests - before });
    });
  });
}

const median = (values: number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
const script = join(resolve(process.env["TSIGN_SHARED"] ?? join(ROOT, "../shared")), "stack/stack");
const token = () => execFileSync(script, ["token", "--email", WHO], { encoding: "utf8" }).trim();

writeFileSync(join(folder, "blob"), "hello\n");
spawnSync("tar", ["cf", "layer.tar", "blob"], { cwd: folder });
const registry = new URL(await counter(`http://${value("STACK_REGISTRY")}`)).host;
const crane = value("STACK_CRANE");
const push = async (name: string): Promise<string> => {
  const image = `${registry}/${name}`;
  await run(crane, ["append", "--new_layer", "layer.tar", "-t", `${image}:v1`]);
  return `${image}@${await digestOf(`${image}:v1`)}`;
};
const digestOf = (image: string): Promise<string> =>
  new Promise((done) => {
    const child = spawn(crane, ["digest", image]);
    child.stdout.once("data", (text) => done(String(text).trim()));
  });

const trust = ["--trusted-root", value("STACK_TRUSTED_ROOT")];
const who = ["--certificate-identity", WHO, "--certificate-oidc-issuer", value("STACK_ISSUER")];
let missed = 0;
console.log("| keyless, on the stack | tsign, ms | cosign, ms | tsign, requests | cosign, requests |");
console.log("|---|---|---|---|---|");
for (const [log, name] of [
  ["Rekor v1", "STACK_SIGNING_CONFIG_REKOR1"],
  ["Rekor v2 and timestamp", "STACK_SIGNING_CONFIG"],
] as const) {
  const config = await counted(name);
  const found: Record<string, { wall: number[]; requests: number[] }> = {};
  const note = (key: string, sample: { wall: number; requests: number }) => {
    const entry = found[key] ?? { wall: [], requests: [] };
    found[key] = entry;
    entry.wall.push(sample.wall);
    entry.requests.push(sample.requests);
  };
  for (let round = 0; round < ROUNDS; round++) {
    for (const [by, program] of Object.entries(programs)) {
      const image = await push(`bench/${by}-${process.pid}-${name.length}-${round}`);
      const signing = ["--yes", "--identity-token", token(), "--signing-config", config, ...trust];
      note(`sign an image ${by}`, await run(program, ["sign", ...signing, image]));
      note(`verify an image ${by}`, await run(program, ["verify", ...trust, ...who, image]));
      note(`sign a blob ${by}`, await run(program, ["sign-blob", ...signing, "--bundle", `${by}.json`, "blob"]));
      const bundle = ["--bundle", `${by}.json`, "blob"];
      note(`verify a blob ${by}`, await run(program, ["verify-blob", ...trust, ...who, ...bundle]));
    }
  }
  for (const what of ["sign an image", "verify an image", "sign a blob", "verify a blob"]) {
    const [ours, theirs] = [found[`${what} tsign`], found[`${what} cosign`]];
    if (!ours || !theirs) throw new Error(`${what} was not measured`);
    const figures = [median(ours.wall), median(theirs.wall), median(ours.requests), median(theirs.requests)];
    const [wall = 0, otherWall = 0, sent = 0, otherSent = 0] = figures;
    if (wall > otherWall || sent > otherSent) missed++;
    console.log(`| ${what}, ${log} | ${figures.map((figure) => Math.round(figure)).join(" | ")} |`);
  }
}
console.log(missed === 0 ? "every figure is at most cosign's" : `${missed} rows have a figure above cosign's`);
process.exit(0);
