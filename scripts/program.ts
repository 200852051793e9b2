import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { build, type Plugin } from "esbuild";
import { BUILT_FROM, NODE_FETCH } from "./bundle.ts";
import { writeLibraryTypes } from "./library-types.ts";
import { installPolicyEngine } from "./policy-engine.ts";

const ROOT = resolve(import.meta.dirname, "..");

/**
 * Loads Node's own modules without `import`, which evaluates every export: it opens streams (node:process), loads web crypto
 * (node:crypto) and worker threads (node:util), and takes half of the start time. commander does not get node:child_process,
 * which it needs only for commands in separate programs.
 */
const lightBuiltins: Plugin = {
  name: "light-builtins",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^node:/ }, ({ path, importer, kind }) => {
      if (kind === "dynamic-import") return { path, external: true }; // loaded on demand
      return {
        path: path === "node:child_process" && importer.includes("commander") ? "none" : path,
        namespace: "builtin",
      };
    });
    onLoad({ filter: /.*/, namespace: "builtin" }, ({ path }) => ({
      contents: path === "none" ? "" : `module.exports = process.getBuiltinModule(${JSON.stringify(path)});`,
    }));
  },
};

// CommonJS dependencies call `require` for Node's own modules, which ES modules lack. It is added only to the chunk with
// esbuild's replacement for it, so that a start without such dependencies does not load it.
const REQUIRE = 'const require = process.getBuiltinModule("node:module").createRequire(import.meta.url);\n';
const LIBRARY = ["index", "keys", "oci", "sandbox", "sign", "sigstore-js", "verify"];

/**
 * Bundles the program into a folder, which is replaced, with one chunk per command that is loaded on demand. The library goes into
 * its folder lib, its declarations into types, and the policy engine, if it was compiled, into policy.
 */
export async function buildProgram(folder: string): Promise<void> {
  rmSync(folder, { recursive: true, force: true });
  const { outputFiles } = await build({
    absWorkingDir: ROOT,
    entryPoints: { main: "bin/start.ts" },
    outdir: folder,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    format: "esm",
    splitting: true,
    minify: true,
    platform: "node",
    target: "node22",
    alias: { "node-fetch": NODE_FETCH },
    define: BUILT_FROM,
    plugins: [lightBuiltins],
    logLevel: "warning",
    write: false,
  });

  mkdirSync(folder, { recursive: true });
  for (const { path, text } of outputFiles) {
    writeFileSync(path, text.includes("Dynamic require of") ? REQUIRE + text : text);
  }
  installPolicyEngine(join(folder, "policy"));

  // The library is not minified and does not include its dependencies: the embedding program installs and audits them, has only
  // one copy of each, and can read the code. The library also runs on older versions of Node than the program's own.
  await build({
    absWorkingDir: ROOT,
    entryPoints: LIBRARY.map((name) => `src/lib/${name}.ts`),
    outdir: join(folder, "lib"),
    outExtension: { ".js": ".mjs" },
    chunkNames: "parts/[name]-[hash]",
    bundle: true,
    format: "esm",
    splitting: true,
    platform: "node",
    target: "node22",
    packages: "external",
    define: BUILT_FROM,
    logLevel: "warning",
  });
  writeLibraryTypes(
    join(folder, "types"),
    LIBRARY.map((name) => `lib/${name}`),
  );
}
