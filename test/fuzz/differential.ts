import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { TOOLS } from "../../scripts/tools.ts";
import { type Probe, readForm, type Setting, verdictOn } from "./judge.ts";
import { changes, mutate } from "./mutate.ts";
import { bytesOf, type Node, readTree } from "./tree.ts";
import { BUNDLE_KINDS, type World } from "./world.ts";

/**
 * Gives what tsign accepts to the real cosign. A document that only tsign accepts is a finding, unless its kind is listed here
 * with a reason. Documents that only cosign accepts are counted by tsign's error message.
 */

const COSIGN = process.env["COSIGN"] ?? join(TOOLS, "bin/cosign");
const AT_A_TIME = 2;
const BATCH = 40;
/** Percentage of refused documents that are given to cosign too. */
const REFUSED_SHARE = 3;

/** A kind of document that only tsign accepts, rightly. */
interface Listed {
  readonly reason: string;
  /** cosign's message. */
  readonly cosign: RegExp;
  /** Text that the document must contain. */
  readonly needs: string;
}

const LISTED: readonly Listed[] = [
  {
    reason:
      "the log's promise is gone and an authority's timestamp gives the time: cosign wants --use-signed-timestamps for it",
    cosign: /threshold not met for verified log entry integrated timestamps/,
    needs: "rfc3161Timestamps",
  },
];

const isListed = (document: Uint8Array, stderr: string): boolean =>
  LISTED.some(({ cosign, needs }) => cosign.test(stderr) && Buffer.from(document).includes(needs));

interface Base {
  readonly name: string;
  readonly tree: Node;
  readonly bytes: Uint8Array;
  readonly probe: Probe;
  /** cosign's flags with which the genuine document verifies. */
  readonly flags: readonly string[];
}

/** Runs until the time is over. @returns the number of findings */
export async function differential(
  world: World,
  by: { seconds: number; seed: number; folder: string },
): Promise<number> {
  const cwd = mkdtempSync(join(tmpdir(), "tsign-differential-"));
  try {
    const bases = await basesOf(world, cwd);
    const donors = bases.map(({ tree }) => tree);
    const inputs = fc.record({ base: fc.nat(bases.length - 1), list: changes(2), share: fc.nat(99) });
    const until = performance.now() + by.seconds * 1000;
    const count = { tried: 0, both: 0, neither: 0, listed: 0, ours: 0, theirs: new Map<string, number>() };
    for (let batch = 0; performance.now() < until; batch++) {
      const sample = fc.sample(inputs, { seed: by.seed + batch, numRuns: BATCH });
      await inTurns(sample, async ({ base: index, list, share }, slot) => {
        const base = bases[index];
        if (!base || performance.now() > until) return;
        const document = bytesOf(mutate(base.tree, list, donors));
        if (Buffer.compare(document, base.bytes) === 0) return;
        const said = await tsignSays(document, base, world.setting);
        if (said !== "yes" && share >= REFUSED_SHARE) return;
        count.tried++;
        const theirs = await cosignSays(document, base, { cwd, slot });
        if (said === "yes" && theirs.code === 0) count.both++;
        else if (said !== "yes" && theirs.code !== 0) count.neither++;
        else if (theirs.code === 0) {
          const words = said.replaceAll(/[0-9a-f]{8,}|"[^"]*"|\d+/g, "…").slice(0, 100);
          count.theirs.set(words, (count.theirs.get(words) ?? 0) + 1);
        } else if (isListed(document, theirs.stderr)) count.listed++;
        else {
          count.ours++;
          keep(by.folder, { seed: by.seed, base: base.name, document, stderr: theirs.stderr });
        }
      });
    }
    report(count);
    return count.tried === 0 ? 1 : count.ours;
  } finally {
    rmSync(cwd, { recursive: true, force: true });
  }
}

/** Returns the genuine bundles that both programs accept, and prints those that cosign cannot verify. */
async function basesOf({ documents, setting }: World, cwd: string): Promise<Base[]> {
  for (const slot of [0, 1]) mkdirSync(join(cwd, String(slot)));
  writeFileSync(join(cwd, "root.json"), setting.trustedRoot);
  writeFileSync(join(cwd, "K.pub"), setting.keys.K);
  writeFileSync(join(cwd, "A"), Buffer.from(setting.blobs.A, "base64"));
  writeFileSync(join(cwd, "B"), Buffer.from(setting.blobs.B, "base64"));
  const bases: Base[] = [];
  for (const [name, { dsse, signer, timestamp }] of Object.entries(BUNDLE_KINDS)) {
    const own = documents
      .filter((each) => each.name === `${name}: A by ${signer === "key" ? "K" : "alice"}`)
      .slice(0, 2);
    const probe: Probe = { artifact: "A", signer: signer === "key" ? "K" : "alice", log: "ours" };
    const who =
      signer === "key"
        ? ["--key", "../K.pub"]
        : ["--certificate-identity", "alice@example.com", "--certificate-oidc-issuer", setting.issuer];
    const command = dsse ? ["verify-blob-attestation", "--type", "https://example.com/predicate/v1"] : ["verify-blob"];
    const flags = [...command, ...who, "--trusted-root", "../root.json", "--bundle", "bundle"];
    for (const { bytes } of own) {
      const base = { name, tree: readTree(bytes), bytes, probe };
      const ways = [flags, [...flags, "--use-signed-timestamps"]].slice(0, timestamp ? 2 : 1);
      const answers = await Promise.all(
        ways.map((way) => cosignSays(bytes, { ...base, flags: way }, { cwd, slot: 0 })),
      );
      const good = ways.find((_, index) => answers[index]?.code === 0);
      if (good) bases.push({ ...base, flags: good });
      else console.log(`cosign does not accept ${name}: ${answers[0]?.stderr.trim().split("\n").at(-1)}`);
    }
  }
  if (bases.length === 0) throw new Error(`cosign accepts none of the genuine bundles; check that it is at ${COSIGN}`);
  return bases;
}

async function tsignSays(document: Uint8Array, { probe }: Base, setting: Setting): Promise<string> {
  try {
    const evidence = readForm("bundle", document);
    const verdict = await verdictOn(evidence, "bundle", probe, setting);
    return verdict.ok ? "yes" : verdict.failed.detail;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

async function cosignSays(document: Uint8Array, { flags, probe }: Base, { cwd, slot }: { cwd: string; slot: number }) {
  const folder = join(cwd, String(slot));
  writeFileSync(join(folder, "bundle"), document);
  const env = { PATH: process.env["PATH"], HOME: folder, TUF_ROOT: folder };
  const child = spawn(COSIGN, [...flags, `../${probe.artifact}`], {
    cwd: folder,
    env,
    stdio: ["ignore", "ignore", "pipe"],
  });
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const code = await new Promise<number>((done, fail) => {
    child.on("error", fail);
    child.on("close", (status) => done(status ?? 128));
  });
  return { code, stderr };
}

/** Distributes items over a number of slots. */
async function inTurns<Item>(items: readonly Item[], step: (item: Item, slot: number) => Promise<void>): Promise<void> {
  const left = [...items];
  const work = async (_: unknown, slot: number): Promise<void> => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await step(item, slot);
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, work));
}

function keep(folder: string, found: { seed: number; base: string; document: Uint8Array; stderr: string }): void {
  const { base, document, stderr, seed } = found;
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `differential-${seed}-${Math.random().toString(36).slice(2, 8)}.json`);
  writeFileSync(file, JSON.stringify({ base, stderr, document: Buffer.from(document).toString() }, null, 1));
  console.log(
    `FOUND tsign accepts, and cosign does not: ${base}: ${stderr.trim().split("\n").at(-1)?.slice(0, 200)}\n  ${file}`,
  );
}

function report(count: {
  tried: number;
  both: number;
  neither: number;
  listed: number;
  ours: number;
  theirs: ReadonlyMap<string, number>;
}): void {
  const { tried, both, neither, listed, ours, theirs } = count;
  console.log(
    `${tried} documents given to both: ${both} accepted by both, ${neither} refused by both, ${listed} listed, ${ours} found`,
  );
  for (const [words, times] of [...theirs].sort((a, b) => b[1] - a[1]))
    console.log(`  only cosign accepts ${times}; tsign's error: ${words}`);
}
