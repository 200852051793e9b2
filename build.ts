import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { build, type Plugin } from "esbuild";

/** Bundles the program into dist/: one small chunk for each command, loaded when it is asked for. */
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
 * commander imports modules of Node's that it needs for features not used here (commands that are programs of their own).
 * Importing node:process opens every stream, node:child_process loads the network, node:util workers and a debugger's
 * tools: together a third of a start.
 */
const lightCommander: Plugin = {
  name: "light-commander",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^node:(process|child_process|util)$/ }, ({ path, importer }) =>
      importer.includes("commander") ? { path, namespace: "light" } : undefined,
    );
    const contents: Record<string, string> = {
      "node:process": "export default globalThis.process;",
      "node:child_process": "export default {};",
      "node:util": "export const stripVTControlCharacters = (text) => text;", // measures help, which is ours
    };
    onLoad({ filter: /.*/, namespace: "light" }, ({ path }) => ({ contents: contents[path] ?? "" }));
  },
};

rmSync(new URL("dist", import.meta.url), { recursive: true, force: true });
const { outputFiles } = await build({
  absWorkingDir: import.meta.dirname,
  entryPoints: { main: "bin/main.ts" },
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
  define: {
    TSIGN_VERSION: JSON.stringify(`v${version}`),
    TSIGN_COMMIT: JSON.stringify(git("rev-parse", "HEAD")),
    TSIGN_DATE: JSON.stringify(git("log", "-1", "--format=%cI")),
  },
  plugins: [lightCommander],
  logLevel: "warning",
  write: false,
});

// CommonJS dependencies ask for node's own modules by `require`, which ES modules lack: given to the one chunk in which
// esbuild put its stand-in, so that a start without such dependencies does not pay for it.
const REQUIRE = 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);\n';
mkdirSync(new URL("dist", import.meta.url));
for (const { path, text } of outputFiles) {
  writeFileSync(path, text.includes("Dynamic require of") ? REQUIRE + text : text);
}
