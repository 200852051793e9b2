import assert from "node:assert/strict";
import { createHash, generateKeyPairSync, type KeyObject } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { delimiter, join } from "node:path";
import { type TestContext, test } from "node:test";
import { pemOf, signDigestDer } from "../support/fake-service.ts";
import { reason, setting, startSandbox, timed } from "./faults-kit.ts";
import { folder, must, NO_LOG, OFFLINE, pushImage, TSIGN } from "./support.ts";

/** Seconds of --timeout, and how long after them a command may take to end, including its start on a loaded machine. */
const TIMEOUT = 4;
const GRACE = 10;
const PASSWORD = "stored password";

/** Ways in which a service fails, and in which it returns wrong data. */
const BROKEN = ["500", "503", "429", "403", "404", "slow", "reset", "cut", "page", "empty", "other JSON"] as const;
type Fault = (typeof BROKEN)[number] | "down" | Lie;
/** The signature of another key, of another content, no signature, random bytes; another public key; no key. */
type Lie =
  | "other key's signature"
  | "other content's signature"
  | "no signature"
  | "not base64"
  | "other key"
  | "no key";

interface Stage {
  readonly cwd: string;
  /** An unsigned image. */
  image: string;
  readonly key: KeyObject;
  readonly other: KeyObject;
  readonly service: StandIn;
}

/** The step of a service that fails: reading the key, or signing with it. */
interface Step {
  readonly name: string;
  readonly lies: readonly Lie[];
  /** Wrong answers that do no harm, because nothing in them is used. */
  readonly unread?: readonly Fault[];
}

interface Row {
  readonly service: string;
  /** How a message names it. */
  readonly named: RegExp;
  readonly reference: string;
  readonly steps: readonly Step[];
  env(at: Stage): Record<string, string>;
}

const SIGNATURES = ["other key's signature", "other content's signature", "no signature", "not base64"] as const;

const ROWS: readonly Row[] = [
  {
    service: "Vault",
    named: /Vault/,
    reference: "hashivault://k",
    steps: [
      { name: "key", lies: ["other key", "no key", "not base64"] },
      { name: "sign", lies: SIGNATURES },
    ],
    env: ({ service }) => ({ VAULT_ADDR: service.url(), VAULT_TOKEN: "hvs.token" }),
  },
  {
    service: "GitLab",
    named: /GitLab/,
    reference: "gitlab://team/app",
    steps: [
      { name: "project", lies: [], unread: ["empty", "other JSON"] },
      { name: "variable", lies: ["no key", "not base64"] },
    ],
    env: ({ service }) => ({ GITLAB_HOST: service.url(), GITLAB_TOKEN: "token" }),
  },
  {
    service: "plugin",
    named: /sigstore-kms-standin/,
    reference: "standin://k",
    steps: [
      { name: "key", lies: ["other key", "no key", "not base64"] },
      { name: "sign", lies: SIGNATURES },
    ],
    env: ({ cwd, service }) => ({
      PATH: `${join(cwd, "bin")}${delimiter}${process.env["PATH"]}`,
      STANDIN_URL: service.url(),
    }),
  },
];

/** A service with the key `k` in place of Vault, GitLab and the plugin, which works until a fault is set. */
interface StandIn {
  url(): string;
  /** The fault of a step; undefined ends it. */
  set(fault?: { step: string; kind: Fault }): void;
}

async function standIn(context: TestContext, keys: { key: KeyObject; other: KeyObject; stored: string }) {
  let fault: { step: string; kind: Fault } | undefined;
  const server = createServer(async (request, response) => {
    const body = await whole(request);
    const { step, answer } = honest(request, body, { ...keys, lie: fault?.kind ?? "" });
    if (step === fault?.step && BROKEN.some((kind) => kind === fault?.kind)) return breakDown(response, fault.kind);
    const broken = step === fault?.step ? answer : honest(request, body, { ...keys, lie: "" }).answer;
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify(broken));
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  context.after(() => server.close().closeAllConnections());
  const { port } = server.address() as AddressInfo;
  return {
    // Nothing listens on port 1.
    url: () => `http://127.0.0.1:${fault?.kind === "down" ? 1 : port}`,
    set: (next?: { step: string; kind: Fault }) => {
      fault = next;
    },
  };
}

async function whole(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const piece of request.setEncoding("utf8")) text += piece;
  return text;
}

interface Keys {
  readonly key: KeyObject;
  readonly other: KeyObject;
  /** The key file that GitLab keeps. */
  readonly stored: string;
  readonly lie: string;
}

/** Returns the service's answer and its step; the answer is wrong if the fault is one of this step. */
function honest(request: IncomingMessage, body: string, { key, other, stored, lie }: Keys) {
  const url = request.url ?? "";
  const publicKey = { "other key": pemOf(other), "no key": "", "not base64": "-----BEGIN" }[lie] ?? pemOf(key);
  const signature = (digest: Uint8Array): string => {
    if (lie === "no signature") return "";
    if (lie === "not base64") return "*";
    const signed = lie === "other content's signature" ? createHash("sha256").update("other").digest() : digest;
    const by = lie === "other key's signature" ? other : key;
    return Buffer.from(signDigestDer(by, signed, "sha256")).toString("base64");
  };
  if (url.startsWith("/v1/transit/keys/"))
    return { step: "key", answer: { data: { type: "ecdsa-p256", keys: { 1: { public_key: publicKey } } } } };
  if (url.startsWith("/v1/transit/sign/")) {
    const made = signature(Buffer.from(JSON.parse(body).input, "base64"));
    return { step: "sign", answer: { data: { signature: made && `vault:v1:${made}` } } };
  }
  if (url.startsWith("/plugin/publicKey")) {
    const publicKeyPEM = lie === "not base64" ? "*" : Buffer.from(publicKey).toString("base64");
    return { step: "key", answer: { publicKey: { publicKeyPEM } } };
  }
  if (url.startsWith("/plugin/signMessage"))
    return { step: "sign", answer: { signMessage: { signature: signature(Buffer.from(body, "base64")) } } };
  if (!url.includes("/variables/")) return { step: "project", answer: { id: 1 } };
  const file = { "no key": "", "not base64": stored.replace(/\n[A-Za-z0-9+/]{8}/, "\n********") }[lie] ?? stored;
  const values = { COSIGN_PASSWORD: PASSWORD, COSIGN_PRIVATE_KEY: file, COSIGN_PUBLIC_KEY: publicKey };
  return { step: "variable", answer: { value: values[url.replace(/.*\//, "") as keyof typeof values] } };
}

function breakDown(response: ServerResponse, kind: Fault): void {
  if (/^\d+$/.test(kind)) response.writeHead(Number(kind), { "content-type": "application/json" }).end('{"errors":[]}');
  else if (kind === "reset") response.socket?.destroy();
  else if (kind === "page") response.writeHead(200, { "content-type": "text/html" }).end("<html>Sign in</html>");
  else if (kind === "empty") response.writeHead(200).end();
  else if (kind === "other JSON") response.writeHead(200).end('{"data":[1],"publicKey":7,"value":{}}');
  else if (kind === "cut") {
    response.writeHead(200, { "content-length": "1000" });
    response.write('{"data":', () => response.socket?.destroy());
  } // slow: no answer
}

/**
 * The program `sigstore-kms-standin`, which sends a request to the stand-in and prints any answer; without an
 * answer it exits with an error.
 */
const PLUGIN = `#!${process.execPath}
const { initOptions, methodName, signMessage } = JSON.parse(process.argv[3]);
const body = signMessage?.signOptions.messageOptions.digest ?? "";
const answer = await fetch(process.env.STANDIN_URL + "/plugin/" + methodName, { method: "POST", body }).catch(() => undefined);
const text = await answer?.text().catch(() => '{"half":');
process.stdout.write(text ?? "");
process.exitCode = answer?.status === 200 ? 0 : 1;
`;

const OPERATIONS = {
  "sign-blob": () => ["sign-blob", "--bundle", "out.json", "blob"],
  "sign image": (at: Stage) => ["sign", at.image],
} as const;
type Operation = keyof typeof OPERATIONS;

async function verifies(at: Stage, operation: Operation): Promise<boolean> {
  const keys = ["--key", "k.pub", NO_LOG];
  if (operation === "sign-blob" && !existsSync(join(at.cwd, "out.json"))) return false;
  const line =
    operation === "sign-blob"
      ? ["verify-blob", ...keys, "--bundle", "out.json", "blob"]
      : ["verify", ...keys, at.image];
  return (await timed(TSIGN, line, { cwd: at.cwd, env: {}, limit: 60 })).code === 0;
}

/** A key file encrypted with the password, as GitLab stores it; the other services of the stand-in have the same key. */
async function storedKey(cwd: string, key: KeyObject): Promise<string> {
  writeFileSync(join(cwd, "plain.pem"), key.export({ type: "pkcs8", format: "pem" }));
  const line = ["import-key-pair", "--key", "plain.pem", "--output-key-prefix", "stored"];
  await must(TSIGN, line, { cwd, env: { COSIGN_PASSWORD: PASSWORD } });
  return readFileSync(join(cwd, "stored.key"), "utf8");
}

async function stage(context: TestContext, registry: string, name: string): Promise<Stage> {
  const cwd = folder(context);
  const [key, other] = [0, 1].map(() => generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey);
  assert.ok(key && other);
  writeFileSync(join(cwd, "blob"), "content");
  writeFileSync(join(cwd, "k.pub"), pemOf(key));
  mkdirSync(join(cwd, "bin"));
  writeFileSync(join(cwd, "bin/sigstore-kms-standin"), PLUGIN);
  chmodSync(join(cwd, "bin/sigstore-kms-standin"), 0o755);
  const service = await standIn(context, { key, other, stored: await storedKey(cwd, key) });
  return { cwd, key, other, service, image: await pushImage(registry, `faults-keys/${name}`, cwd) };
}

test("key service down, slow, cut off or wrong, at each step of signing", {
  timeout: 600_000,
  concurrency: 3,
}, async (t) => {
  const registry = setting(await startSandbox(t), "TSIGN_SANDBOX");
  let situations = 0;
  await Promise.all(
    ROWS.map(async (row) => {
      const at = await stage(t, registry, row.service.toLowerCase());
      const faults = row.steps.flatMap(({ name: step, lies }) =>
        [...BROKEN, ...lies].map((kind): { step: string; kind: Fault } => ({ step, kind })),
      );
      for (const operation of Object.keys(OPERATIONS) as Operation[]) {
        for (const fault of [{ step: row.steps[0]?.name ?? "", kind: "down" } as const, ...faults, undefined]) {
          const name = `${row.service} ${fault ? `${fault.step}: ${fault.kind}` : "is well"}, ${operation}`;
          await t.test(name, async () => {
            situations++;
            rmSync(join(at.cwd, "out.json"), { force: true });
            const before = readdirSync(at.cwd);
            at.service.set(fault);
            const env = { ...row.env(at), HOME: at.cwd };
            const unread = row.steps.find(({ name: step }) => step === fault?.step)?.unread ?? [];
            const works = fault === undefined || unread.includes(fault.kind);
            const limit = works ? [] : ["--timeout", `${TIMEOUT}s`];
            const line = [...OPERATIONS[operation](at), ...OFFLINE, "--key", row.reference, ...limit];
            const result = await timed(TSIGN, line, { cwd: at.cwd, env, limit: 60 });
            at.service.set();
            const good = await verifies(at, operation);
            console.log(
              `${row.service.padEnd(7)} ${(fault?.step ?? "").padEnd(8)} ${(fault?.kind ?? "well").padEnd(25)} ${operation.padEnd(10)} ` +
                `exit ${result.code} ${result.seconds.toFixed(1).padStart(4)} s ${good ? "verifies" : "nothing "} ${reason(result.stderr)}`,
            );
            assert.equal(result.code, works ? 0 : 1, result.stderr);
            assert.equal(good, works, "what was stored verifies if and only if the command succeeded");
            if (works) {
              at.image = await pushImage(registry, `faults-keys/${situations}`, at.cwd);
              return;
            }
            assert.ok(result.seconds < TIMEOUT + GRACE, `took ${result.seconds} s`);
            assert.match(reason(result.stderr), row.named, `the message does not name the service: ${result.stderr}`);
            assert.equal(result.stderr.match(/^Error: /gm)?.length, 1, result.stderr);
            assert.doesNotMatch(result.stderr, /unexpected|defect|\n\s+at |stored password|hvs\.token/);
            assert.deepEqual(readdirSync(at.cwd), before, "something was left in the folder");
          });
        }
      }
    }),
  );
  console.log(`${situations} situations`);
});
