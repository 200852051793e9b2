import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { build, type Plugin } from "esbuild";
import { writeLibraryTypes } from "./scripts/library-types.ts";
import { installPolicyEngine } from "./scripts/policy-engine.ts";

/**
 * Bundles the program into dist/: one small chunk for each command, loaded when it is asked for. The library goes into dist/lib,
 * with its declarations in dist/types.
 */
const { version } = JSON.parse(readFileSync(new URL("package.json", import.meta.url), "utf8")) as { version: string };

function git(...args: string[]): string {
  try {
    return execFileSync("git", args, {
      cwd: import.meta.dirname,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
  } catch {
    return "unknown"; // a packed release has no history
  }
}

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

const builtFrom = {
  TSIGN_VERSION: JSON.stringify(`v${version}`),
  TSIGN_COMMIT: JSON.stringify(git("rev-parse", "HEAD")),
  TSIGN_DATE: JSON.stringify(git("log", "-1", "--format=%cI")),
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
  // The registry library brings a fetch of its own, which nothing calls.
  alias: { "node-fetch": "./src/oci/registry/fetch-classes.ts" },
  define: builtFrom,
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
  define: builtFrom,
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
