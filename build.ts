import { spawnSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { build, type Plugin } from "esbuild";
import { BUILT_FROM, NODE_FETCH } from "./scripts/bundle.ts";
import { writeLibraryTypes } from "./scripts/library-types.ts";
import { installPolicyEngine } from "./scripts/policy-engine.ts";

/**
 * Bundles the program into dist/, with one chunk per command that is loaded on demand. The library goes into dist/lib, its
 * declarations into dist/types.
 */

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

rmSync(new URL("dist", import.meta.url), { recursive: true, force: true });
const { outputFiles } = await build({
  absWorkingDir: import.meta.dirname,
  entryPoints: { main: "bin/start.ts" },
  outdir: "dist",
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

// CommonJS dependencies call `require` for Node's own modules, which ES modules lack. It is added only to the chunk with
// esbuild's replacement for it, so that a start without such dependencies does not load it.
const REQUIRE = 'const require = process.getBuiltinModule("node:module").createRequire(import.meta.url);\n';
mkdirSync(new URL("dist", import.meta.url));
for (const { path, text } of outputFiles) {
  writeFileSync(path, text.includes("Dynamic require of") ? REQUIRE + text : text);
}
installPolicyEngine();

// The library is not minified and does not include its dependencies: the embedding program installs and audits them, has only
// one copy of each, and can read the code. The library also runs on older versions of Node than the program's own.
const LIBRARY = ["index", "keys", "oci", "sandbox", "sign", "sigstore-js", "verify"];
await build({
  absWorkingDir: import.meta.dirname,
  entryPoints: LIBRARY.map((name) => `src/lib/${name}.ts`),
  outdir: "dist/lib",
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
writeLibraryTypes(LIBRARY.map((name) => `lib/${name}`));

// These runs fill the compile cache, so that a user's first run is as fast as later ones.
for (const args of [
  ["version"],
  ["verify-blob", "--key", "none", "--insecure-ignore-tlog", "--bundle", "package.json", "-"],
]) {
  spawnSync("bin/tsign", args, { cwd: import.meta.dirname, stdio: "ignore" });
}
