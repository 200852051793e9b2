import assert from "node:assert/strict";
import { test } from "node:test";
import {
  circles,
  crowded,
  forbiddenImports,
  matching,
  notAllowed,
  outOfOrder,
  reached,
  roomCircles,
  tooLong,
  unusedPermissions,
} from "./support/architecture-rules.ts";
import { readSource, type Source } from "./support/import-graph.ts";

// The rules of architecture.test.ts, each with an input that breaks it.

const tree = (files: Readonly<Record<string, string>>): Source[] =>
  Object.entries(files).map(([path, text]) => readSource(path, text));

const ROOMS = { "errors.ts": [], format: ["errors.ts"], verify: ["errors.ts", "format"], cli: ["verify"] };
const CLI = { "cli/table.ts": "export type A = 1; export const a = 1;" };

test("imports: side effects, re-exports, dynamic imports and types are all found", () => {
  const ways = [
    'import "../cli/table.ts";',
    "import '../cli/table.ts';",
    'import { a } from "../cli/table.ts"; a;',
    'import * as all from "../cli/table.ts"; all;',
    'import { type A } from "../cli/table.ts"; export type B = A;',
    'import type { A } from "../cli/table.ts"; export type B = A;',
    'export { a } from "../cli/table.ts";',
    'export * from "../cli/table.ts";',
    'export type { A } from "../cli/table.ts";',
    'export const later = () => import("../cli/table.ts");',
    "export const later = () => import(`../cli/table.ts`);",
    'export const later = async () => { if (later) await (await import("../cli/table.ts")).a; };',
    'export type A = import("../cli/table.ts").A;',
    'export const a = (x: typeof import("../cli/table.ts")) => x;',
    'import table = require("../cli/table.ts"); table;',
  ];
  for (const way of ways) {
    const broken = tree({ ...CLI, "verify/model.ts": way });
    assert.deepEqual(forbiddenImports(broken, ROOMS), ["verify/model.ts → cli/table.ts"], way);
  }
  const good = tree({
    ...CLI,
    "cli/a.ts": 'import "./table.ts";',
    "verify/a.ts": 'import "../format/x.ts"; import "zod";',
  });
  assert.deepEqual(forbiddenImports(good, ROOMS), []);
});

test("rooms: top-level files and unlisted folders are rooms too", () => {
  assert.deepEqual(forbiddenImports(tree({ "errors.ts": 'import "./format/json.ts";' }), ROOMS), [
    "errors.ts → format/json.ts",
  ]);
  assert.deepEqual(forbiddenImports(tree({ "attic/a.ts": "" }), ROOMS), ["attic/a.ts is in a room that is not listed"]);
  assert.deepEqual(forbiddenImports(tree({ "errors.ts": 'import "../package.json";' }), ROOMS), [
    "errors.ts → ../package.json",
  ]);
});

test("rooms: list out of order, or an unused permission -> violation", () => {
  assert.deepEqual(outOfOrder({ a: ["b"], b: [] }), ["a → b"]);
  assert.deepEqual(outOfOrder({ a: ["a"] }), ["a → a"]);
  const sources = tree({ "errors.ts": "", "format/a.ts": 'import "../errors.ts";', "verify/b.ts": "" });
  assert.deepEqual(unusedPermissions(sources, ROOMS), ["verify → errors.ts", "verify → format", "cli", "cli → verify"]);
});

test("import cycles: found among files and rooms, through dynamic imports and types", () => {
  const lazily = tree({
    "a/one.ts": 'import { two } from "../b/two.ts"; two;',
    "b/two.ts": 'export const two = () => import("../a/one.ts");',
    "b/three.ts": 'import "./two.ts";',
  });
  assert.deepEqual(circles(lazily), ["a/one.ts ↔ b/two.ts"]);
  assert.deepEqual(roomCircles(lazily), ["a ↔ b"]);
  const ofTypes = tree({
    "a/one.ts": 'import type { T } from "./two.ts"; export type One = T;',
    "a/two.ts": 'import "./three.ts"; export type T = 1;',
    "a/three.ts": 'export type Three = import("./one.ts").One;',
  });
  assert.deepEqual(circles(ofTypes), ["a/one.ts ↔ a/three.ts ↔ a/two.ts"]);
  assert.deepEqual(circles(tree({ "a.ts": 'export * from "./a.ts";' })), ["a.ts"]);
  // A cycle of rooms without a cycle of files.
  const rooms = tree({
    "a/one.ts": 'import "../b/two.ts";',
    "b/two.ts": "",
    "b/three.ts": 'import "../a/four.ts";',
    "a/four.ts": "",
  });
  assert.deepEqual(circles(rooms), []);
  assert.deepEqual(roomCircles(rooms), ["a ↔ b"]);
});

test("globals: every form of use is found", () => {
  const pure = { packages: ["node:crypto"], globals: ["Buffer", "Math.max", "new Date(…)", "instanceof Date"] };
  const uses: Record<string, readonly string[]> = {
    'globalThis["fetch"]("https://x");': ["globalThis.fetch"],
    "const { fetch: get } = globalThis; get;": ["globalThis"],
    "const name = Buffer.name; globalThis[name];": ["globalThis[…]"],
    'fetch("https://x");': ["fetch()"],
    "new Date;": ["new Date()"],
    "new Date();": ["new Date()"],
    "new Date(...[]);": ["new Date()"],
    "Date();": ["Date()"],
    "Date.now();": ["Date.now"],
    "const D = Date; new D();": ["Date"],
    "performance.now();": ["performance.now"],
    "setTimeout(() => {}, 1);": ["setTimeout()"],
    "export const f = (later = setTimeout) => later;": ["setTimeout"],
    "process.exit();": ["process.exit"],
    'process["env"];': ["process.env"],
    "process?.env;": ["process.env"],
    "console.log;": ["console.log"],
    "Math.random();": ["Math.random"],
    'eval("1");': ["eval()"],
    'new Function("return this");': ["new Function(…)"],
    'Function("return this");': ["Function()"],
    "const a = `${process.pid}`; a;": ["process.pid"],
    "class A extends WebSocket {} A;": ["WebSocket"],
    "class A { static b = navigator.hardwareConcurrency } A;": ["navigator.hardwareConcurrency"],
    "const a = { process }; a;": ["process"],
    "const a = { [process.pid]: 1 }; a;": ["process.pid"],
    "(process as unknown as { exit(): void }).exit();": ["process"],
    "function f(process: { exit(): void }) { process.exit(); } f; process.exit();": ["process.exit"],
    "{ const process = 1; process; } process;": ["process"],
    "declare const process: { exit(): void }; process.exit();": ["process.exit"],
    "export default process;": ["process"],
    "import.meta.dirname;": ["import.meta"],
    "label: for (const a of process.argv) a;": ["process.argv"],
  };
  for (const [text, found] of Object.entries(uses)) {
    assert.deepEqual(
      notAllowed(tree({ "verify/a.ts": text }), pure),
      found.map((use) => `verify/a.ts: ${use}`),
      text,
    );
  }
  for (const name of ["node:dns", "node:tls", "node:module", "node:worker_threads", "node:fs", "http", "got"]) {
    for (const text of [
      `import "${name}";`,
      `import * as a from "${name}"; a;`,
      `export const a = () => import("${name}");`,
    ])
      assert.deepEqual(notAllowed(tree({ "verify/a.ts": text }), pure), [`verify/a.ts → ${name}`], text);
  }
  const computed = tree({ "verify/a.ts": "export const load = (name: string) => import(name);" });
  assert.deepEqual(notAllowed(computed, pure), ["verify/a.ts → (computed)"]);
});

test("globals: declarations, properties, labels and types -> not reported", () => {
  const good = `
    import { createHash as fetch, type Hash } from "node:crypto";
    import type { Socket } from "node:net";
    interface A { process: string; setTimeout(process: number): Date }
    type B = typeof globalThis;
    enum_: for (const [setTimeout, { console = 1, ...performance }] of new Date(1) as never) { performance; console; setTimeout; continue enum_; }
    function eval_(process: number, ...navigator: number[]): Hash { const { crypto } = { crypto: process }; crypto; navigator; return fetch("a"); }
    class process_ { process = 1; #fetch = 2; get console() { return this.process + this.#fetch; } navigator(this: process_) { return arguments.length; } }
    try { eval_(1); } catch (console) { console; }
    const performance: A & B = { process: "", setTimeout: (process) => process as never } as never;
    export { performance as process, process_ };
    export type { Socket };
    const named = function setInterval(): unknown { return setInterval; };
    export const done = (error: unknown) => named && error instanceof Date && performance.process && Math.max(1) && Buffer.from("");
    switch (performance.process) { case "": { break; } default: const location = 1; location; }
  `;
  const { globals } = readSource("verify/a.ts", good);
  assert.deepEqual(globals, ["Buffer.from", "Math.max", "instanceof Date", "new Date(…)"]);
});

test("purity: imports are followed through other rooms", () => {
  const sources = tree({
    "verify/a.ts": 'import "../trust/b.ts"; import type { T } from "../net/d.ts"; export type U = T;',
    "trust/b.ts": 'export const c = () => import("../keys/c.ts");',
    "keys/c.ts": 'import "node:https"; fetch("x");',
    "net/d.ts": 'import "node:net"; export type T = 1;',
  });
  const judging = reached(sources, sources.slice(0, 1));
  assert.deepEqual(notAllowed(judging, { packages: [], globals: [] }), [
    "keys/c.ts → node:https",
    "keys/c.ts: fetch()",
  ]);
  assert.deepEqual(
    reached(sources, sources.slice(0, 1), ["fixed"]).map(({ path }) => path),
    ["verify/a.ts", "trust/b.ts"],
  );
});

test("sandbox: import of an unlisted file, even for types -> violation", () => {
  const own = { files: ["sandbox/", "format/pem.ts"], packages: [], globals: [] };
  const shared = (text: string) => notAllowed(tree({ "sandbox/clock.ts": text }), own);
  assert.deepEqual(shared('import "./faults.ts"; import "../format/pem.ts";'), []);
  for (const path of ["format/dsse.ts", "oci/registry/session.ts", "services/fulcio.ts", "services/trust/sources.ts"]) {
    assert.deepEqual(shared(`import "../${path}";`), [`sandbox/clock.ts → ${path}`]);
    assert.deepEqual(shared(`import type { A } from "../${path}"; export type B = A;`), [`sandbox/clock.ts → ${path}`]);
  }
  assert.deepEqual(shared('import "@sigstore/core";'), ["sandbox/clock.ts → @sigstore/core"]);
});

test("limits: crowded folder or long file -> violation", () => {
  const sources = tree({ "a.ts": "", "b.ts": "", "cli/c.ts": "", "cli/help/d.ts": "" });
  assert.deepEqual(crowded(sources, { "": 2, "cli/": 1 }), []);
  assert.deepEqual(crowded(sources, { "": 1, "cli/": 0 }), [
    "src/ holds 2 files, more than 1",
    "cli/ holds 1 files, more than 0",
  ]);
  const long = tree({ "a.ts": "1;\n2;\n3;\n", "b.ts": "1;\n2;\n3;\n4;" });
  assert.deepEqual(tooLong(long, 3), ["b.ts has 4 lines"]);
});

test("patterns: matched in code, not in comments", () => {
  const sources = tree({ "a.ts": "// unlink\n/* rm( */ 1;", "b.ts": "io.unlink();" });
  assert.deepEqual(matching(sources, /\bunlink\b|\brm\(/), ["b.ts"]);
});
