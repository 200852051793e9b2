import assert from "node:assert/strict";
import { createPublicKey, type KeyObject, verify } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { stackVariables, token } from "./ecosystem-kit.ts";
import { COSIGN, folder, must, pushImage, run, TSIGN } from "./support.ts";

/** The monitor on the real logs of the stack: Rekor v1, Rekor v2 and the CT log, written by tsign and cosign. */
const [WELL, FOUND] = [0, 3];

type Line = Record<string, unknown>;

async function shopOn(context: TestContext) {
  const stack = await stackVariables();
  const cwd = folder(context);
  const unique = `${process.pid}-${Date.now()}`;
  const [release, mallory] = [`release-${unique}@example.com`, `mallory-${unique}@example.com`];
  const write = (name: string, json: object) => writeFileSync(join(cwd, name), JSON.stringify(json));
  const common = {
    version: 1,
    trustedRoot: stack("TRUSTED_ROOT"),
    identities: [{ identity: release, issuer: stack("ISSUER") }],
    certificates: true,
    grace: "0m",
  };
  const logs = [{ url: stack("REKOR1") }, { url: stack("REKOR2"), readAt: stack("REKOR2_TILES") }];
  const configure = (more: object) => write("config.json", { ...common, logs, ...more });
  // A repository for each image: only what has a tag is found, and each push moves the same tag.
  const names = Array.from({ length: 5 }, (_, index) => `monitor/app-${unique}-${index}`);
  configure({ images: names.map((name) => `${stack("REGISTRY")}/${name}`) });
  const signing = async (config: string, who: string) => {
    const identity = ["--yes", "--identity-token", await token(stack("ISSUER"), who)];
    return [...identity, "--signing-config", stack(config), "--trusted-root", stack("TRUSTED_ROOT")];
  };
  const init = (...argv: string[]) => must(TSIGN, ["monitor", "init", "--config=config.json", ...argv], { cwd });
  const look = async (state = "state.json") => {
    const argv = ["monitor", "--once", "--format=json-lines", `--state=${state}`, "--config=config.json"];
    const { code, stdout, stderr } = await run(TSIGN, argv, { cwd });
    const lines = stdout.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line) as Line]));
    // The order of logs is that of the trusted root, which is another one with each stack.
    const place = ({ api }: Line) => [1, 2, "ct"].indexOf(api as number | string);
    const only = (type: string) => lines.filter((line) => line["type"] === type).sort((a, b) => place(a) - place(b));
    return { code, stderr, findings: only("finding"), logs: only("log"), alarms: only("alarm"), audits: only("audit") };
  };
  return { stack, cwd, release, mallory, names, configure, signing, init, look };
}

test("monitor on real logs: what tsign and cosign signed for us is explained, what a thief signed is found", async (context) => {
  const shop = await shopOn(context);
  const { stack, cwd, release, mallory, names, signing, init, look } = shop;
  const push = () => pushImage(stack("REGISTRY"), names.pop() ?? assert.fail("no name is left"), cwd);
  const { stdout } = await init("--state=state.json");
  for (const api of ["v1", "v2", "CT"]) assert.match(stdout, new RegExp(`\\(${api}\\): size \\d+`));
  for (const program of [TSIGN, COSIGN]) {
    for (const config of ["SIGNING_CONFIG_REKOR1", "SIGNING_CONFIG"]) {
      const image = await push();
      await must(program, ["sign", ...(await signing(config, release)), image], { cwd });
      await must(program, ["sign", ...(await signing(config, mallory)), image], { cwd });
    }
  }
  writeFileSync(join(cwd, "predicate.json"), "{}");
  const attested = await push();
  await must(TSIGN, ["attest", ...(await signing("SIGNING_CONFIG", release)), "--predicate=predicate.json", attested], {
    cwd,
  });
  const well = await look();
  assert.deepEqual([well.code, well.findings, well.alarms], [WELL, [], []], well.stderr);
  assert.deepEqual(
    well.logs.map(({ api, outcome, unparsed }) => [api, outcome, unparsed]),
    [
      [1, "consistent", 0],
      [2, "consistent", 0],
      ["ct", "consistent", 0],
    ],
  );
  assert.deepEqual([well.audits[0]?.["missing"], well.audits[0]?.["unproven"]], [0, 0]);
  assert.equal(well.audits[0]?.["signatures"], 9, "four by us, four by mallory, an attestation");

  writeFileSync(join(cwd, "malware"), "evil");
  const indexes: number[] = [];
  for (const config of ["SIGNING_CONFIG_REKOR1", "SIGNING_CONFIG"]) {
    const bundle = `${config}.json`;
    await must(COSIGN, ["sign-blob", ...(await signing(config, release)), "--bundle", bundle, "malware"], { cwd });
    const { verificationMaterial } = JSON.parse(readFileSync(join(cwd, bundle), "utf8"));
    indexes.push(Number(verificationMaterial.tlogEntries[0].logIndex));
  }
  const found = await look();
  assert.equal(found.code, FOUND, found.stderr);
  const [first, second] = indexes;
  const rekor = found.findings.filter(({ api }) => api !== "ct");
  assert.deepEqual(
    rekor.map(({ api, index }) => [api, index]),
    [
      [1, first],
      [2, second],
    ],
  );
  assert.equal(found.findings.length - rekor.length, 2, "their certificates");
  for (const { id, signer } of found.findings) {
    assert.ok(String(signer).startsWith(release), String(signer));
    await must(TSIGN, ["monitor", "ack", String(id), "--state=state.json", "--why=seen"], { cwd });
  }
  assert.equal((await look()).code, WELL);
});

test("monitor on real logs: every entry there is, from the first, with the trusted root from TUF -> proven and parsed, and again consistent when they have grown", async (context) => {
  const shop = await shopOn(context);
  const { stack, cwd, mallory, signing, init, look, configure } = shop;
  // The trusted root comes from the stack's TUF repository, as it does without a configuration.
  await must(TSIGN, ["initialize", "--mirror", stack("TUF"), "--root", stack("TUF_ROOT")], { cwd });
  configure({ trustedRoot: undefined });
  await init("--state=all.json", "--from=0");
  const all = await look("all.json");
  assert.deepEqual([all.code, all.alarms], [WELL, []], all.stderr);
  for (const { api, size, searched, outcome } of all.logs) {
    assert.deepEqual([outcome, searched], ["consistent", size], String(api));
    assert.ok(Number(size) > 0, String(api));
  }
  writeFileSync(join(cwd, "file"), "content");
  for (const config of ["SIGNING_CONFIG_REKOR1", "SIGNING_CONFIG"]) {
    await must(TSIGN, ["sign-blob", ...(await signing(config, mallory)), "--bundle=b.json", "file"], { cwd });
  }
  const grown = await look("all.json");
  assert.deepEqual([grown.code, grown.findings], [WELL, []], grown.stderr);
  for (const [index, { api, size }] of grown.logs.entries()) {
    assert.ok(Number(size) > Number(all.logs[index]?.["size"]), `${api} has grown`);
  }
});

/** What a proxy before the logs does to their answers. */
type Mode = "plain" | "slow" | "old" | "changed" | "hidden" | "unsigned" | "unproven";

/** A proxy before a log. */
async function proxy(context: TestContext, target: string) {
  const state: { mode: Mode; old: Map<string, Buffer> } = { mode: "plain", old: new Map() };
  const server = createServer((request, response) => {
    answer(request, target, state).then(
      ({ status, body }) => response.writeHead(status).end(body),
      () => response.destroy(),
    );
  });
  context.after(() => server.close());
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, state };
}

const isHead = (path: string) =>
  path.endsWith("/checkpoint") || path.endsWith("/api/v1/log") || path.endsWith("get-sth");

async function answer(
  request: IncomingMessage,
  target: string,
  { mode, old }: { mode: Mode; old: Map<string, Buffer> },
): Promise<{ status: number; body: Buffer }> {
  const path = request.url ?? "";
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece as Buffer);
  const sent = Buffer.concat(pieces);
  const isPost = request.method === "POST";
  const upstream = await fetch(`${target}${path}`, {
    ...(isPost ? { method: "POST", body: sent, headers: { "content-type": "application/json" } } : {}),
  });
  const body = Buffer.from(await upstream.arrayBuffer());
  if (mode === "slow") await setTimeout(300);
  if (mode === "plain" && isHead(path)) old.set(path, body);
  return { status: upstream.status, body: upstream.ok ? altered(path, { body, mode, old: old.get(path) }) : body };
}

/** Every form of answer: JSON of Rekor v1 and of CT, notes and tiles of Rekor v2. */
function altered(path: string, { body, mode, old }: { body: Buffer; mode: Mode; old: Buffer | undefined }): Buffer {
  const isEntries = /entries/.test(path);
  if (mode === "old" && isHead(path)) return old ?? body;
  if (mode === "changed" && isEntries) return changedEntry(path, body);
  if (mode === "hidden" && isEntries) {
    if (path.includes("/tile/")) return body.subarray(0, -10);
    return Buffer.from(path.includes("get-entries") ? '{"entries":[]}' : "[]");
  }
  if (mode === "unsigned" && isHead(path)) return flipped(body);
  if (mode === "unproven" && /\/log\/proof|get-sth-consistency/.test(path)) {
    return Buffer.from(
      JSON.stringify({ hashes: ["00".repeat(32)], consistency: [Buffer.alloc(32).toString("base64")] }),
    );
  }
  if (mode === "unproven" && /\/tile\/\d/.test(path)) return Buffer.alloc(body.length);
  return body;
}

function changedEntry(path: string, body: Buffer): Buffer {
  if (path.includes("/tile/")) {
    body[body.length - 2] = (body[body.length - 2] ?? 0) ^ 1;
    return body;
  }
  // The first character of the base64 of each entry.
  return Buffer.from(body.toString().replaceAll(/("(?:body|leaf_input)":\s*"..)./g, "$1B"));
}

/** A head with another character near the end of its signature. */
function flipped(body: Buffer): Buffer {
  const text = body.toString();
  const end = /[A-Za-z0-9+/]{4}={0,2}(?=[^A-Za-z0-9+/=]*("treeID.*|)$)/s.exec(text);
  const at =
    text.includes("tree_head_signature") || !text.includes("signedTreeHead")
      ? (end?.index ?? 0)
      : text.indexOf("\u2014") + 20;
  return Buffer.from(text.slice(0, at) + (text[at] === "A" ? "B" : "A") + text.slice(at + 1));
}

test("monitor on real logs: a proxy that hides, changes or holds back -> alarms with evidence; a slow one -> well", async (context) => {
  const shop = await shopOn(context);
  const { stack, cwd, mallory, signing, init, look, configure } = shop;
  const proxies = [
    await proxy(context, stack("REKOR1")),
    await proxy(context, stack("REKOR2_TILES")),
    await proxy(context, stack("CT")),
  ] as const;
  const [v1, v2, ct] = proxies.map(({ url }) => url) as [string, string, string];
  configure({
    logs: [
      { url: stack("REKOR1"), readAt: v1 },
      { url: stack("REKOR2"), readAt: v2 },
      { url: stack("CT"), readAt: ct },
    ],
  });
  const lookWith = (mode: Mode) => {
    for (const { state } of proxies) state.mode = mode;
    return look();
  };
  writeFileSync(join(cwd, "file"), "content");
  const grow = async () => {
    for (const config of ["SIGNING_CONFIG_REKOR1", "SIGNING_CONFIG"]) {
      await must(TSIGN, ["sign-blob", ...(await signing(config, mallory)), "--bundle=b.json", "file"], { cwd });
    }
  };
  await init("--state=state.json");
  const searched = async () => (await lookWith("plain")).logs.map((log) => Number(log["searched"]));
  let before = await searched();
  for (const [mode, kind] of [
    ["slow", undefined],
    ["changed", "changed"],
    ["hidden", "withheld"],
    ["unsigned", "unsigned"],
    ["unproven", "rewritten"],
    ["old", "shrunk"],
  ] as const) {
    await grow();
    if (mode === "old") {
      // What the proxy keeps is the head of now; the monitor goes on to a later one, past the proxy.
      await lookWith("plain");
      await grow();
      await lookWith("slow");
    }
    const { logs, alarms, stderr } = await lookWith(mode);
    const expected = kind === undefined ? "consistent" : "misbehaved";
    assert.deepEqual(
      logs.map(({ outcome }) => outcome),
      [expected, expected, expected],
      `${mode}: ${stderr}`,
    );
    assert.deepEqual(
      alarms.map((alarm) => alarm["kind"]),
      kind === undefined ? [] : [kind, kind, kind],
      mode,
    );
    for (const alarm of alarms) {
      requireProof(JSON.parse(readFileSync(join(cwd, String(alarm["evidence"])), "utf8")));
      await must(TSIGN, ["monitor", "ack", String(alarm["id"]), "--state=state.json", "--why=seen"], { cwd });
    }
    const after = await searched();
    for (const [index, count] of after.entries())
      assert.ok(count > (before[index] ?? 0), `${mode}: nothing is skipped`);
    before = after;
  }
  assert.equal((await lookWith("plain")).code, WELL);
});

/** Checks with the keys in the evidence that the log has signed what it says it did. */
function requireProof(evidence: { kind: string; known: string; seen: string; log: { keys: string[] } }): void {
  const keys = evidence.log.keys.map((key) => createPublicKey(key));
  const isSigned = (head: string) => keys.some((key) => verifies(head, key));
  assert.ok(isSigned(evidence.known), "the known head");
  assert.equal(isSigned(evidence.seen), evidence.kind !== "unsigned", "the head that was seen");
}

function verifies(head: string, key: KeyObject): boolean {
  const end = head.indexOf("\n\n");
  const rest = head.slice(end + 2);
  if (!rest.startsWith("{")) {
    const encoded = rest.trim().split(" ")[2] ?? "";
    const signature = Buffer.from(encoded, "base64").subarray(4);
    return verify(
      key.asymmetricKeyType === "ed25519" ? null : "sha256",
      Buffer.from(head.slice(0, end + 1)),
      key,
      signature,
    );
  }
  const { tree_size, timestamp, sha256_root_hash, tree_head_signature } = JSON.parse(rest);
  const signed = Buffer.alloc(18);
  signed[1] = 1;
  signed.writeBigUInt64BE(BigInt(timestamp), 2);
  signed.writeBigUInt64BE(BigInt(tree_size), 10);
  const root = Buffer.from(sha256_root_hash, "base64");
  return verify("sha256", Buffer.concat([signed, root]), key, Buffer.from(tree_head_signature, "base64").subarray(4));
}
