import assert from "node:assert/strict";
import { test } from "node:test";
import vm from "node:vm";
import { build } from "esbuild";
import { lightCommander, withLightImports } from "../scripts/executable-start.ts";

/** Bundles a program as scripts/executable.ts does. */
async function bundle(contents: string, minify = true): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: import.meta.dirname },
    bundle: true,
    format: "cjs",
    minify,
    platform: "node",
    plugins: [lightCommander],
    write: false,
  });
  return outputFiles[0]?.text ?? "";
}

test("withLightImports: modules are not copied, and their default, names and namespace are the same", async () => {
  const program = `
    import first, { one } from "node:first";
    import * as all from "node:first";
    import second from "node:second";
    globalThis.result = { one, oneOfAll: all.one, same: first === all.default, first: first.one, second: second() };`;
  let read = 0;
  const first = {
    one: 1,
    get heavy() {
      return read++;
    },
  };
  const descriptors: string[] = [];
  const watched = new Proxy(first, {
    getOwnPropertyDescriptor(target, name) {
      descriptors.push(String(name));
      return Reflect.getOwnPropertyDescriptor(target, name);
    },
  });
  const modules: Record<string, unknown> = { "node:first": watched, "node:second": () => "called" };
  const context: { result?: unknown } & Record<string, unknown> = {
    require: (name: string) => modules[name],
    module: { exports: {} },
  };
  vm.runInNewContext(withLightImports(await bundle(program)), context);
  assert.deepEqual(JSON.parse(JSON.stringify(context.result)), {
    one: 1,
    oneOfAll: 1,
    same: true,
    first: 1,
    second: "called",
  });
  assert.deepEqual([read, descriptors], [0, []]);
});

test("withLightImports: program without esbuild's helper -> error", async () => {
  const program = await bundle('import first from "node:first"; console.log(first);', false);
  assert.throws(() => withLightImports(program), /found 0 times/);
});
