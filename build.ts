import { spawnSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { build, type Plugin } from "esbuild";
import { BUILT_FROM, NODE_FETCH } from "./scripts/bundle.ts";
import { writeLibraryTypes } from "./scripts/library-types.ts";
import { installPolicyEngine } from "./scripts/policy-engine.ts";

/**
 * Bundles the program into dist/: one small chunk for each command, loaded when it is asked for. The library goes into dist/lib,
 * with its declarations in dist/types.
 */

/**
 * Node's own modules, taken without `import`: importing one evaluates every export it has, which opens streams
 * (node:process), or loads web crypto (node:crypto) and worker threads (node:util), and takes half of a start.
 * commander never gets node:child_process, which it wants for commands that are programs of their own.
 */
const lightBuiltins: Plugin = {
  name: "light-builtins",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^node:/ }, ({ path, importer, kind }) => {
      if (kind === "dynamic-import") return { path, external: true }; // asked for when it is needed
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
  target: "node24",
  alias: { "node-fetch": NODE_FETCH },
  define: BUILT_FROM,
  plugins: [lightBuiltins],
  logLevel: "warning",
  write: false,
});

// CommonJS dependencies ask for node's own modules by `require`, which ES modules lack: given to the one chunk in which
// esbuild put its stand-in, so that a start without such dependencies does not pay for it.
const REQUIRE = 'const require = process.getBuiltinModule("node:module").createRequire(import.meta.url);\n';
mkdirSync(new URL("dist", import.meta.url));
for (const { path, text } of outputFiles) {
  writeFileSync(path, text.includes("Dynamic require of") ? REQUIRE + text : text);
}
installPolicyEngine();

// The library leaves its dependencies outside and its text as it is: the program that embeds it installs and audits them, has
// each once, and can read what it runs. It also runs on older Nodes than the one that the program brings.
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

// The first runs fill the compile cache, so that a user's first is as fast as the rest.
for (const args of [
  ["version"],
  ["verify-blob", "--key", "none", "--insecure-ignore-tlog", "--bundle", "package.json", "-"],
]) {
  spawnSync("bin/tsign", args, { cwd: import.meta.dirname, stdio: "ignore" });
}
