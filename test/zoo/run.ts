import { spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { main } from "../../src/main.ts";
import { RUNS_EXECUTABLE, runProgram } from "../support/program.ts";
import { LEGACY, NO_LOG, OFFLINE, testIo } from "../support/test-io.ts";
import type { Ending, Operation, Personality } from "./personalities.ts";
import type { ZooRegistry } from "./registry.ts";

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A program whose command line is cosign's. */
export type Program = (argv: readonly string[], options: { cwd: string; docker: string }) => Promise<Outcome>;

const FLAGS = [...OFFLINE, "-y"];
const KEY = ["--key", "zoo.key"];
const PUBLIC = ["--key", "zoo.pub", NO_LOG];

/** tsign in this process, with pauses and limits divided by twenty; the executable that TSIGN_EXECUTABLE names has its own. */
export const tsign: Program = async (argv, { cwd, docker }) => {
  const env = { HOME: cwd, COSIGN_PASSWORD: "zoo", DOCKER_CONFIG: docker };
  if (RUNS_EXECUTABLE) return runProgram(argv, { cwd, env, stdin: "" });
  const io = testIo({ cwd, env });
  const sleep = io.sleep;
  const code = await main([...argv], { ...io, sleep: (ms, signal) => sleep(ms >= 10_000 ? ms : ms / 20, signal) });
  return { code, stdout: io.out(), stderr: io.err() };
};

/** Time limit for cosign, which follows a circular listing for ever. Milliseconds. */
const LIMIT = 10_000;

/** The real cosign, which must be in PATH. */
export const cosign: Program = (argv, { cwd, docker }) => {
  const env = { PATH: process.env["PATH"], HOME: cwd, COSIGN_PASSWORD: "zoo", DOCKER_CONFIG: docker };
  const child = spawn("cosign", argv, { cwd, env, stdio: ["ignore", "pipe", "pipe"], timeout: LIMIT });
  const output = { stdout: "", stderr: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output.stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    output.stderr += text;
  });
  return new Promise((done, fail) => {
    child.on("error", fail);
    child.on("close", (code) => done({ code: code ?? 124, ...output }));
  });
};

/** Signed images in a registry without a personality, by digest; visits get copies. */
export interface Exhibits {
  readonly bundle: string;
  readonly legacy: string;
  readonly both: string;
}

/** Makes the key pair `zoo` in a folder, and the images to copy. */
export async function exhibits(registry: string, cwd: string): Promise<Exhibits> {
  const options = { cwd, docker: cwd };
  const must = async (...argv: string[]) => {
    const outcome = await tsign(argv, options);
    if (outcome.code !== 0) throw new Error(`${argv.join(" ")}: ${outcome.stderr}`);
  };
  await must("generate-key-pair", "--output-key-prefix", "zoo");
  const made = async (name: string, ...forms: string[][]) => {
    const io = testIo({ cwd, env: { TSIGN_SANDBOX: registry } });
    writeFileSync(join(cwd, name), name);
    if ((await main(["sandbox", "push", `exhibits/${name}:v1`, name], io)) !== 0) throw new Error(io.err());
    const image = io.out().trim();
    for (const flags of forms) await must("sign", ...KEY, ...FLAGS, ...flags, image);
    return image;
  };
  return {
    bundle: await made("bundle", []),
    legacy: await made("legacy", [LEGACY]),
    both: await made("both", [], [LEGACY]),
  };
}

/** A visit of one program to one registry. */
export interface Visit {
  readonly program: Program;
  readonly registry: ZooRegistry;
  readonly personality: Personality;
  readonly exhibits: Exhibits;
  /** With the key pair `zoo`; every visit has a folder of its own in it. */
  readonly cwd: string;
  readonly name: string;
}

/** The outcome of each operation, with the program's last line if it is not right. */
export type Endings = ReadonlyMap<Operation, { readonly ending: Ending; readonly said: string }>;

class Trip {
  readonly #visit: Visit;
  readonly #docker: string;
  readonly #plain: string;
  readonly #shown = new Map<keyof Exhibits, Promise<{ quirky: string; honest: string }>>();

  constructor(visit: Visit) {
    this.#visit = visit;
    const folder = join(visit.cwd, visit.name);
    this.#docker = join(folder, "docker");
    this.#plain = join(folder, "plain");
    for (const path of [this.#docker, this.#plain]) mkdirSync(path, { recursive: true });
    const config = visit.personality.docker?.(visit.registry.quirky) ?? {};
    writeFileSync(join(this.#docker, "config.json"), JSON.stringify(config));
    writeFileSync(join(folder, "predicate.json"), '{"zoo":true}');
  }

  /** If the referrers of an image are unknown, "no signatures" is a guess. */
  get isUnknowable() {
    return this.#visit.personality.refused?.includes("verify unsigned") ?? false;
  }

  get folder() {
    return join(this.#visit.cwd, this.#visit.name);
  }

  /** The program, on the registry with its personality. */
  run(...argv: string[]): Promise<Outcome> {
    return this.#visit.program(argv, { cwd: this.#visit.cwd, docker: this.#docker });
  }

  /** tsign, on the same registry without the personality, which shows the real content. */
  async look(...argv: string[]): Promise<Outcome> {
    return tsign(argv, { cwd: this.#visit.cwd, docker: this.#plain });
  }

  /** Pushes an unsigned image for this visit. */
  async image(name: string): Promise<{ quirky: string; honest: string }> {
    const { registry, name: visitor, cwd } = this.#visit;
    const io = testIo({ cwd, env: { TSIGN_SANDBOX: registry.honest } });
    writeFileSync(join(this.folder, name), `${visitor} ${name}`);
    if ((await main(["sandbox", "push", `${visitor}/${name}:v1`, `${visitor}/${name}`], io)) !== 0)
      throw new Error(io.err());
    return this.#named(io.out().trim());
  }

  /** Returns a copy of a signed image, shared by operations that only read it. */
  signed(form: keyof Exhibits): Promise<{ quirky: string; honest: string }> {
    const known = this.#shown.get(form) ?? this.own(`signed-${form}`, form);
    this.#shown.set(form, known);
    return known;
  }

  /** Makes a copy for one operation. */
  async own(name: string, form: keyof Exhibits): Promise<{ quirky: string; honest: string }> {
    const { registry, name: visitor, exhibits } = this.#visit;
    const to = `${registry.honest}/${visitor}/${name}:v1`;
    const copied = await this.look("copy", exhibits[form], to);
    if (copied.code !== 0) throw new Error(copied.stderr);
    return this.#named(to.replace(/:v1$/, exhibits[form].slice(exhibits[form].indexOf("@"))));
  }

  #named(honest: string) {
    const { registry } = this.#visit;
    return { honest, quirky: honest.replace(registry.honest, registry.quirky) };
  }

  predicate() {
    return join(this.#visit.name, "predicate.json");
  }
}

type Judged = { ending: Ending; outcome: Outcome };

const judged = (outcome: Outcome, ending: Ending): Judged => ({ ending, outcome });

/** Combines a step that must succeed with one that proves it. */
async function proven(outcome: Outcome, proof: () => Promise<boolean>): Promise<Judged> {
  if (outcome.code !== 0) return judged(outcome, "refused");
  return judged(outcome, (await proof()) ? "right" : "wrong");
}

async function verifies(trip: Trip, image: string): Promise<boolean> {
  return (await trip.look("verify", ...PUBLIC, image)).code === 0;
}

const NOTHING = /no signatures found|no matching signatures: 0/i;

/** Judges verification of a signed image: "no signatures" is wrong, any other failure is a refusal. */
async function verify(trip: Trip, form: "bundle" | "legacy"): Promise<Judged> {
  const image = await trip.signed(form);
  const outcome = await trip.run("verify", ...PUBLIC, image.quirky);
  if (outcome.code === 0) return judged(outcome, "right");
  return judged(outcome, outcome.code === 10 || NOTHING.test(outcome.stderr) ? "wrong" : "refused");
}

async function verifyUnsigned(trip: Trip): Promise<Judged> {
  const image = await trip.image("unsigned");
  const outcome = await trip.run("verify", ...PUBLIC, image.quirky);
  if (outcome.code === 0) return judged(outcome, "wrong");
  if (outcome.code !== 10 && !NOTHING.test(outcome.stderr)) return judged(outcome, "refused");
  return judged(outcome, trip.isUnknowable ? "wrong" : "right");
}

async function sign(trip: Trip, form: "bundle" | "legacy"): Promise<Judged> {
  const image = await trip.image(`sign-${form}`);
  const flags = form === "legacy" ? [LEGACY] : [];
  const outcome = await trip.run("sign", ...KEY, ...FLAGS, ...flags, image.quirky);
  return proven(outcome, async () => (await trip.run("verify", ...PUBLIC, image.quirky)).code === 0);
}

async function attest(trip: Trip): Promise<Judged> {
  const image = await trip.image("attest");
  const made = ["--type", "custom", "--predicate", trip.predicate()];
  const outcome = await trip.run("attest", ...KEY, ...FLAGS, ...made, image.quirky);
  return proven(
    outcome,
    async () => (await trip.run("verify-attestation", ...PUBLIC, "--type", "custom", image.quirky)).code === 0,
  );
}

async function attestReplacing(trip: Trip): Promise<Judged> {
  const image = await trip.image("replace");
  const made = ["--replace", "--type", "custom", "--predicate", trip.predicate()];
  const first = await trip.run("attest", ...KEY, ...FLAGS, ...made, image.quirky);
  if (first.code !== 0) return judged(first, "refused");
  const outcome = await trip.run("attest", ...KEY, ...FLAGS, ...made, image.quirky);
  return proven(outcome, async () => {
    const left = await trip.look("download", "attestation", image.honest);
    return left.stdout.match(/^\{/gm)?.length === 1;
  });
}

async function tree(trip: Trip): Promise<Judged> {
  const image = await trip.signed("both");
  const outcome = await trip.run("tree", image.quirky);
  return proven(outcome, async () => /\.sig/.test(outcome.stdout) && /via OCI referrer/.test(outcome.stdout));
}

async function copy(trip: Trip): Promise<Judged> {
  const image = await trip.signed("both");
  const to = (at: string) => at.replace(/\/signed-both[@:].*/, "/copied:v1");
  const outcome = await trip.run("copy", image.quirky, to(image.quirky));
  return proven(outcome, async () => {
    const there = await trip.look("tree", to(image.honest));
    return /\.sig/.test(there.stdout) && /via OCI referrer/.test(there.stdout) && verifies(trip, to(image.honest));
  });
}

async function saveAndLoad(trip: Trip): Promise<Judged> {
  const image = await trip.signed("both");
  const folder = join(trip.folder, "saved");
  const to = (at: string) => at.replace(/\/signed-both[@:].*/, "/loaded:v1");
  const saved = await trip.run("save", "--dir", folder, image.quirky);
  if (saved.code !== 0) return judged(saved, "refused");
  const outcome = await trip.run("load", "--dir", folder, to(image.quirky));
  return proven(outcome, async () => {
    const there = await trip.look("tree", to(image.honest));
    return /\.sig/.test(there.stdout) && /via OCI referrer/.test(there.stdout) && verifies(trip, to(image.honest));
  });
}

async function download(trip: Trip): Promise<Judged> {
  const image = await trip.signed("both");
  const outcome = await trip.run("download", "signature", image.quirky);
  return proven(outcome, async () => outcome.stdout.trim().startsWith("{"));
}

async function clean(trip: Trip): Promise<Judged> {
  const image = await trip.own("clean", "both");
  const outcome = await trip.run("clean", "-f", "--type", "all", image.quirky);
  return proven(outcome, async () => !(await verifies(trip, image.honest)));
}

const STEPS: Readonly<Record<Operation, (trip: Trip) => Promise<Judged>>> = {
  "verify bundle": (trip) => verify(trip, "bundle"),
  "verify legacy": (trip) => verify(trip, "legacy"),
  "verify unsigned": verifyUnsigned,
  "sign bundle": (trip) => sign(trip, "bundle"),
  "sign legacy": (trip) => sign(trip, "legacy"),
  attest,
  "attest --replace": attestReplacing,
  tree,
  copy,
  "save, load": saveAndLoad,
  download,
  clean,
};

/** Runs all operations on one registry. */
export async function visit(options: Visit, operations: readonly Operation[]): Promise<Endings> {
  const trip = new Trip(options);
  const endings = new Map<Operation, { ending: Ending; said: string }>();
  for (const operation of operations) {
    const { ending, outcome } = await STEPS[operation](trip);
    const lines = `${outcome.stdout}\n${outcome.stderr}`.trim().split("\n");
    const said = lines.find((line) => /^Error/.test(line)) ?? lines.at(-1) ?? "";
    endings.set(operation, { ending, said: `${outcome.code}: ${said.slice(0, 300)}` });
    await setTimeout(0);
  }
  return endings;
}
