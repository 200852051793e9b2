import { registerHooks } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { instrument } from "./mutants.ts";
import { collected, collectFor } from "./node-test.ts";

/**
 * One process of a mutation run. It loads instrumented sources and test files once, and runs tests with one change after the
 * other, as requested by messages of its parent process.
 */

export interface Setup {
  readonly root: string;
  /** Instrumented sources by path from the root, each with the number of its first change. */
  readonly sources: readonly { readonly file: string; readonly text: string; readonly firstId: number }[];
  readonly tests: readonly string[];
  readonly changes: number;
  /** A change that is active while the sources are loaded, for code that runs only then. */
  readonly active: number;
}

export type Request =
  | { readonly kind: "load"; readonly setup: Setup }
  /** Runs one test without a change. */
  | { readonly kind: "record"; readonly test: number }
  /** Runs tests with a change until one fails. */
  | { readonly kind: "mutant"; readonly id: number; readonly tests: readonly number[] };

export type Answer =
  | {
      readonly kind: "loaded";
      readonly tests: readonly { file: string; name: string }[];
      readonly hits: readonly number[];
    }
  | {
      readonly kind: "recorded";
      readonly error: string;
      readonly milliseconds: number;
      readonly hits: readonly number[];
    }
  /** @param intact the test passes again without the change */
  | { readonly kind: "judged"; readonly failed: number | undefined; readonly intact: boolean };

declare global {
  var __mutant: (id: number) => boolean;
}

let active = 0;
let hits = new Uint8Array();
let stray: unknown;

globalThis.__mutant = (id) => {
  hits[id] = 1;
  return id === active;
};

function takeHits(): number[] {
  const found: number[] = [];
  for (let id = 1; id < hits.length; id++) if (hits[id] === 1) found.push(id);
  hits.fill(0);
  return found;
}

async function load(setup: Setup): Promise<Answer> {
  hits = new Uint8Array(setup.changes + 1);
  active = setup.active;
  const code = new Map(
    setup.sources.map(({ file, text, firstId }) => [
      pathToFileURL(join(setup.root, file)).href,
      () => instrument(text, file, firstId).code,
    ]),
  );
  const shim = new URL("./node-test.ts", import.meta.url).href;
  registerHooks({
    resolve: (specifier, context, next) =>
      specifier === "node:test" ? { url: shim, shortCircuit: true } : next(specifier, context),
    load: (url, context, next) => {
      const instrumented = code.get(url);
      return instrumented ? { format: "module", source: instrumented(), shortCircuit: true } : next(url, context);
    },
  });
  for (const file of setup.tests) {
    collectFor(file);
    await import(pathToFileURL(join(setup.root, file)).href);
  }
  return { kind: "loaded", tests: collected.map(({ file, name }) => ({ file, name })), hits: takeHits() };
}

/** Returns the error of a test, or an uncaught one; undefined if it passed. */
async function failureOf(index: number): Promise<unknown> {
  stray = undefined;
  try {
    await collected[index]?.run();
  } catch (error) {
    return error ?? new Error("the test threw undefined");
  }
  return stray;
}

async function record(test: number): Promise<Answer> {
  const start = process.cpuUsage();
  const error = await failureOf(test);
  const { user, system } = process.cpuUsage(start); // not wall time, because the machine may be busy
  const milliseconds = (user + system) / 1000;
  return { kind: "recorded", error: error === undefined ? "" : String(error), milliseconds, hits: takeHits() };
}

async function judge(id: number, tests: readonly number[]): Promise<Answer> {
  const loadedWith = active;
  active = id;
  let failed: number | undefined;
  for (const test of tests) {
    if ((await failureOf(test)) === undefined) continue;
    failed = test;
    break;
  }
  active = loadedWith === id ? id : 0;
  const intact = failed === undefined || loadedWith === id || (await failureOf(failed)) === undefined;
  return { kind: "judged", failed, intact };
}

async function answerTo(request: Request): Promise<Answer> {
  switch (request.kind) {
    case "load":
      return load(request.setup);
    case "record":
      return record(request.test);
    case "mutant":
      return judge(request.id, request.tests);
  }
}

if (process.send) {
  process.on("unhandledRejection", (reason) => {
    stray = reason ?? new Error("rejected with undefined");
  });
  process.on("uncaughtException", (error) => {
    stray = error;
  });
  process.on("disconnect", () => process.exit(3)); // the run has ended; do not wait for an endless change
  process.on("message", (request: Request) => {
    answerTo(request).then(
      (answer) => process.send?.(answer),
      (error) => {
        process.stderr.write(`${error?.stack ?? error}\n`);
        process.exit(3);
      },
    );
  });
}
