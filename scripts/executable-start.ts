import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Plugin } from "esbuild";

/** What makes the executable start faster. */

/**
 * Spares commander two of Node's modules, which take milliseconds to load: it needs node:child_process only for commands in
 * separate programs, and one function of node:util only for its own help, which tsign does not print.
 */
export const lightCommander: Plugin = {
  name: "light-commander",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^node:(child_process|util)$/ }, ({ path, importer }) =>
      importer.includes("node_modules/commander/") ? { path, namespace: "light" } : undefined,
    );
    onLoad({ filter: /child_process$/, namespace: "light" }, () => ({ contents: "" }));
    // As an ES module, so that the build fails when commander imports something else.
    onLoad({ filter: /util$/, namespace: "light" }, () => ({
      contents: `export const stripVTControlCharacters = (text) => require("node:util").stripVTControlCharacters(text);`,
    }));
  },
};

/** esbuild's helper for `import x from` a CommonJS module, minified. */
const TO_ESM =
  /([\w$]+)=\(([\w$]+),([\w$]+),([\w$]+)\)=>\(\4=\2!=null\?[\w$]+\([\w$]+\(\2\)\):\{\},[\w$]+\(\3\|\|!\2\|\|!\2\.__esModule\?[\w$]+\(\4,"default",\{value:\2,enumerable:!0\}\):\4,\2\)\)/g;

/**
 * Replaces esbuild's helper, which copies every property of a module: that opens standard input, because it reads those of
 * node:process. Here the module becomes the prototype.
 *
 * @throws Error when the helper is not found once, because another version of esbuild may write it differently
 */
export function withLightImports(program: string): string {
  let found = 0;
  const replaced = program.replace(TO_ESM, (_, name: string, module: string, isNode: string, target: string) => {
    found++;
    return (
      `${name}=(${module},${isNode},${target})=>(${target}=Object.create(${module}??null),` +
      `${isNode}||!${module}||!${module}.__esModule?` +
      `Object.defineProperty(${target},"default",{value:${module},enumerable:!0}):${target})`
    );
  });
  if (found === 1) return replaced;
  throw new Error(`replace esbuild's __toESM: found ${found} times; check how this version of esbuild writes it`);
}

/**
 * Runs everyday commands and returns the files with the order in which they used their functions, most important first. They need
 * no network, and the order does not depend on their random keys, so that the build stays reproducible.
 *
 * @param executable built without an order, its variables not yet closed
 * @param folder an empty folder to work in
 */
export function recordOrders(executable: string, folder: string): string[] {
  mkdirSync(folder);
  writeFileSync(join(folder, "file"), "content\n");
  const offline = ["--use-signing-config=false", "--tlog-upload=false", "--yes"];
  const verify = ["--key", "cosign.pub", "--insecure-ignore-tlog", "--bundle", "file.json", "file"];
  const commands = [
    ["generate-key-pair"],
    ["sign-blob", "--key", "cosign.key", ...offline, "--bundle", "file.json", "file"],
    ["verify-blob", ...verify],
    ["version"],
    ["--help"],
    ["verify", "--help"],
    ["__complete", "verify", "--cert"],
  ];
  const orders = commands.map((args, index) => {
    const order = join(folder, `order${index}`);
    const env = { HOME: folder, COSIGN_PASSWORD: "order", BUN_BYTECODE_ORDER_OUT: order };
    execFileSync(executable, args, { cwd: folder, env, stdio: "ignore" });
    return order;
  });
  return orders.slice(2); // the first two prepare the third
}
