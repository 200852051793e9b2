import assert from "node:assert/strict";
import { test } from "node:test";
import vm from "node:vm";
import { build } from "esbuild";
import { oneFile } from "../scripts/executable-chunks.ts";

/** Bundles files, the first of which is run, and returns the joined program. */
async function join(files: Readonly<Record<string, string>>, minify = true): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: ["main.js"],
    outdir: "none",
    write: false,
    bundle: true,
    format: "esm",
    splitting: true,
    minify,
    platform: "node",
    plugins: [
      {
        name: "files",
        setup({ onResolve, onLoad }) {
          onResolve({ filter: /\.js$/ }, ({ path }) => ({ path: path.replace("./", ""), namespace: "files" }));
          onLoad({ filter: /.*/, namespace: "files" }, ({ path }) => ({ contents: files[path] ?? "" }));
        },
      },
    ],
  });
  return oneFile(outputFiles, "main.js");
}

async function run(program: string): Promise<unknown> {
  const context: Record<string, unknown> = {
    require: (name: string) => ({ name, get: (key: string) => `${name} ${key}` }),
    log: [],
  };
  vm.runInNewContext(program, context);
  await context["finished"];
  return JSON.parse(JSON.stringify(context["log"]));
}

test("oneFile: chunks run once, in the order of imports, when they are first used", async () => {
  const files = {
    "main.js": `import { shared } from "./shared.js"; log.push("main", shared());
      globalThis.finished = (async () => {
        const { default: text, other } = await import("./first.js"); log.push(text, other);
        const again = await import("./first.js"); log.push(again.other);
        log.push((await import("./second.js")).name);
      })();`,
    "shared.js": `log.push("shared"); let count = 0; export const shared = () => ++count;`,
    "first.js": `import { shared } from "./shared.js"; import { both } from "./both.js";
      log.push("first", both); export default "text"; export const other = shared();`,
    "second.js": `import { both } from "./both.js"; import { shared } from "./shared.js"; log.push("second", both); export const name = shared();`,
    "both.js": `log.push("both"); export const both = "used by two";`,
  };
  const expected = ["shared", "main", 1, "both", "first", "used by two", "text", 2, 2, "second", "used by two", 3];
  assert.deepEqual(await run(await join(files)), expected);
  assert.deepEqual(await run(await join(files, false)), expected);
});

test("oneFile: Node's modules by name, whole, by default and on demand", async () => {
  const program = await join({
    "main.js": `import { get, name as first } from "node:one"; import two from "node:two"; import * as three from "node:three";
      log.push(first, get("x"), two.name, three.name, three.default.name);
      globalThis.finished = import("node:four").then(({ name, default: whole }) => log.push(name, whole.get("y")));`,
  });
  assert.deepEqual(await run(program), [
    "node:one",
    "node:one x",
    "node:two",
    "node:three",
    "node:three",
    "node:four",
    "node:four y",
  ]);
});

test("oneFile: exported name that a function assigns -> error", async () => {
  const files = (change: string) => ({
    "main.js": `import { value } from "./shared.js"; log.push(value); import("./other.js");`,
    "other.js": `import { value, change } from "./shared.js"; change(); log.push(value);`,
    "shared.js": `export let value = 1; export function change() { ${change} }`,
  });
  await join(files("return value + 1"));
  for (const change of ["value = 2", "value++", "[value] = [2]", "for (value of [2]);"]) {
    await assert.rejects(join(files(change)), /which a function assigns/, change);
  }
});

test("oneFile: chunks that import each other, an unknown chunk, other forms of export -> error", () => {
  const circle = [
    { path: "/a.js", text: 'import"./b.js";' },
    { path: "/b.js", text: 'import"./a.js";' },
  ];
  assert.throws(() => oneFile(circle, "a.js"), /imports itself/);
  assert.throws(() => oneFile([{ path: "/a.js", text: 'import"./b.js";' }], "a.js"), /no chunk .*b\.js/);
  assert.throws(() => oneFile([{ path: "/a.js", text: "export const a = 1;" }], "a.js"), /unexpected Export/);
  assert.throws(() => oneFile([{ path: "/a.js", text: 'export * from "node:fs";' }], "a.js"), /unexpected Export/);
});
