import { isDeepStrictEqual } from "node:util";
import { TsignError } from "../../../src/errors.ts";
import type { HttpRequest, Io } from "../../../src/io/io.ts";
import { Misbehaved } from "../../../src/monitor/alarm.ts";
import { firstState } from "../../../src/monitor/init.ts";
import { lookAt } from "../../../src/monitor/look.ts";
import { openSource } from "../../../src/monitor/monitor.ts";
import {
  type Finding as Found,
  type LogState,
  type MonitorState,
  readState,
  writeState,
} from "../../../src/monitor/state.ts";
import { type Api, ctTargetsOf, targetsOf, type Target as WatchedLog } from "../../../src/monitor/target.ts";
import { readTrustedRoot } from "../../../src/trust/trusted-root.ts";
import { exactly } from "../../../src/verify/patterns.ts";
import { testSigstore } from "../../support/sandbox.ts";
import { ALICE, bundleOf } from "../../support/sandbox-client.ts";
import { testIo } from "../../support/test-io.ts";
import { refusal } from "../judge.ts";
import { changes, mutate } from "../mutate.ts";
import { Finding, type Target } from "../target.ts";
import { bytesOf, readTree } from "../tree.ts";

/** Bytes that a look may take from a log: the genuine answers are a hundredth of it. */
const MOST = 32 * 1024 * 1024;

const APIS = [1, 2, "ct"] as const;

interface LogSetting {
  readonly trustedRoot: string;
  readonly issuer: string;
  readonly api: Api;
  /** What the monitor knows of the log, and what a look at the genuine answers makes of it. */
  readonly known: LogState;
  readonly after: LogState;
  /** Hashes of the entries that the look must find. */
  readonly found: readonly string[];
}

/** A look at a log: its state afterwards, and the hashes of the entries that were found. */
async function look(
  { trustedRoot, issuer, api, known }: Pick<LogSetting, "trustedRoot" | "issuer" | "api" | "known">,
  http: Io["http"],
): Promise<{ after: LogState; found: readonly string[] }> {
  const target = targetOf(trustedRoot, api);
  const { sleep } = testIo();
  // Pauses before a request is repeated take no time; time limits do.
  const isPause = (milliseconds: number) => milliseconds < 20_000;
  const io = testIo({
    io: { http, sleep: (time, signal) => (isPause(time) ? Promise.resolve() : sleep(time, signal)) },
  });
  const identity = { subject: [exactly(ALICE)], issuer: [exactly(issuer)], extensions: new Map() };
  const material = readTrustedRoot(Buffer.from(trustedRoot), "root");
  let after = known;
  const findings: Found[] = [];
  await lookAt(known, {
    target,
    source: openSource(io, target),
    watch: {
      ...{ identities: [identity], keys: [], digests: new Set(), expected: new Set() },
      ...{ authorities: [], ordered: { commits: new Set(), identities: [], keys: [] } },
      trust: { ...material, now: new Date() },
    },
    searches: true,
    frozenAfter: undefined,
    now: () => new Date(),
    sleep: async () => {},
    save: async (log, more) => {
      after = log;
      findings.push(...more);
    },
  });
  return { after, found: findings.map(({ leafHash }) => leafHash) };
}

function targetOf(trustedRoot: string, api: Api): WatchedLog {
  const { logs, ctLogs } = readTrustedRoot(Buffer.from(trustedRoot), "root");
  const targets = [...targetsOf(logs), ...ctTargetsOf(ctLogs)];
  return targets.find((target) => target.api === api) ?? targets[0] ?? fail();
}

function fail(): never {
  throw new Error("the trusted root has no such log");
}

/** What identifies a request in a document of answers. */
async function nameOf({ method, url, body }: Pick<HttpRequest, "method" | "url" | "body">): Promise<string> {
  const pieces: Uint8Array[] = [];
  if (body instanceof Uint8Array) pieces.push(body);
  else for await (const piece of body ?? []) pieces.push(piece);
  return `${method} ${url.pathname}${url.search} ${Buffer.concat(pieces).toString()}`;
}

const isTile = (name: string) => name.includes("/tile/");

/** The answers of a malicious log. A look must end with what the genuine log has, or refuse: nothing is skipped. */
const LOG_ANSWERS: Target = {
  name: "log-answers",
  reaches: "yes",
  async inputs() {
    const sigstore = await testSigstore();
    const { trustedRoot, at } = sigstore;
    const mallory = { token: sigstore.mint("mallory@example.com"), subject: "mallory@example.com" };
    const record = async (rekor: "rekor1" | "rekor2", who: object) => {
      await bundleOf(sigstore, { rekor, dsse: rekor === "rekor1", tsa: false, ...who });
    };
    for (const rekor of ["rekor1", "rekor2"] as const)
      for (let each = 0; each < 3; each++) await record(rekor, mallory);
    const io = testIo({ io: sigstore.io });
    const targets = APIS.map((api) => targetOf(trustedRoot, api));
    const { logs } = await firstState(io, { targets, from: "now", watched: "" });
    for (const rekor of ["rekor1", "rekor2"] as const) {
      for (const who of [{}, mallory, {}]) await record(rekor, who);
    }
    const made: { setting: LogSetting; document: Uint8Array }[] = [];
    for (const [index, known] of logs.entries()) {
      const api = targets[index]?.api ?? 1;
      const answers: Record<string, string> = {};
      const recording: Io["http"] = async (request) => {
        const name = await nameOf(request);
        const response = await sigstore.io.http(request);
        const pieces: Uint8Array[] = [];
        for await (const piece of response.body) pieces.push(piece);
        const bytes = Buffer.concat(pieces);
        answers[name] = bytes.toString(isTile(name) ? "base64" : "utf8");
        return { ...response, body: single(bytes) };
      };
      const common = { trustedRoot, issuer: at.issuer, api, known };
      const { after, found } = await look(common, recording);
      made.push({ setting: { ...common, after, found }, document: Buffer.from(JSON.stringify(answers)) });
    }
    const trees = made.map(({ document }) => readTree(document));
    return changes(3).map((list) => {
      const index = (list[0]?.donor ?? 0) % made.length;
      const { setting } = made[index] ?? fail();
      const tree = trees[index] ?? fail();
      return { form: String(setting.api), document: bytesOf(mutate(tree, list, trees)), setting };
    });
  },
  async judge({ document, setting }) {
    const genuine = setting as LogSetting;
    const answers = answersIn(document);
    let taken = 0;
    const http: Io["http"] = async (request) => {
      const name = await nameOf(request);
      const answer = answers[name];
      const bytes = Buffer.from(answer ?? "", isTile(name) ? "base64" : "utf8");
      taken += bytes.length;
      if (taken > MOST) throw new Finding("the look does not end");
      return { status: answer === undefined ? 404 : 200, headers: {}, body: single(bytes), discard: () => {} };
    };
    try {
      const { after, found } = await look(genuine, http);
      if (after.head.size === genuine.known.head.size && found.length === 0) return "read"; // an earlier head: nothing new
      if (after.head.root !== genuine.after.head.root) throw new Finding("a head that the log did not sign");
      if (after.next !== genuine.after.next) throw new Finding(`searched up to ${after.next} of ${genuine.after.next}`);
      if (!isDeepStrictEqual(found, genuine.found)) throw new Finding("entries are skipped, or invented");
      return "yes";
    } catch (error) {
      if (error instanceof Misbehaved) return "refused";
      return refusal(error);
    }
  },
};

async function* single(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

function answersIn(document: Uint8Array): Record<string, string> {
  try {
    const json: unknown = JSON.parse(Buffer.from(document).toString());
    const entries = Object.entries(json ?? {}).filter(([, value]) => typeof value === "string");
    return Object.fromEntries(entries);
  } catch {
    return {};
  }
}

/** State files that were changed: read as they were written, or refused. */
const STATES: Target = {
  name: "monitor-states",
  reaches: "read",
  async inputs() {
    const sigstore = await testSigstore();
    const io = testIo({ io: sigstore.io });
    await bundleOf(sigstore, { rekor: "rekor1", dsse: false, tsa: false });
    const targets = APIS.map((api) => targetOf(sigstore.trustedRoot, api));
    const first = await firstState(io, { targets, from: "now", watched: `sha256:${"0".repeat(64)}` });
    const hash = "0".repeat(64);
    const place = { log: "https://log.example", api: 1, index: 7, leafHash: hash } as const;
    const mark = { reported: true, sent: ["webhook-0"], acknowledged: { why: "known", at: "2026-11-30T17:00:00Z" } };
    const full: MonitorState = {
      ...first,
      audited: [hash],
      findings: [
        { id: "f-1", ...place, kind: "dsse 0.0.1", by: "key", signer: "key", foundAt: "2026-11-30T17:00:00Z", ...mark },
      ],
      alarms: [
        {
          ...{ id: "a-1", log: place.log, api: 1, kind: "forked", reason: "two trees", evidence: "e.json" },
          ...{ raisedAt: "2026-11-30T17:00:00Z", reported: false, sent: [] },
        },
      ],
    };
    const written = await Promise.all([first, full].map(async (state) => textOf(await stateIn(await textOf(state)))));
    const trees = written.map((text) => readTree(Buffer.from(text)));
    return changes(3).map((list) => {
      const index = (list[0]?.donor ?? 0) % trees.length;
      return { form: "state", document: bytesOf(mutate(trees[index] ?? fail(), list, trees)), setting: written };
    });
  },
  async judge({ document, setting }) {
    try {
      const read = await textOf(await stateIn(document));
      if (!(setting as readonly string[]).includes(read)) throw new Finding("a changed state is read");
      return "read";
    } catch (error) {
      if (error instanceof TsignError && error.code !== "input") throw error;
      return refusal(error);
    }
  },
};

async function textOf(state: MonitorState): Promise<string> {
  let text = "";
  const replace = async (_: string, data: unknown) => {
    text = String(data);
  };
  const files = { ...testIo().files, replace };
  await writeState({ files }, "state.json", state);
  return text;
}

/** The state in the content of a file. */
function stateIn(content: Uint8Array | string): Promise<MonitorState> {
  const bytes = Buffer.from(content);
  const facts = { kind: "file", size: bytes.length } as Awaited<ReturnType<Io["files"]["stat"]>>;
  const files = { ...testIo().files, stat: async () => facts, read: async () => bytes };
  return readState({ files }, "state.json");
}

export const MONITOR_TARGETS: readonly Target[] = [STATES, LOG_ANSWERS];
