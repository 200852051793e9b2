import { statSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { pathToFileURL } from "node:url";

/**
 * Loads a package for the executable, in place of src/import-package.ts.
 *
 * @throws Error with the code ERR_MODULE_NOT_FOUND, as `import` does, when no folder has the package
 */
export async function importPackage(name: string): Promise<unknown> {
  const path = resolvePackage(name, packageFolders(process.execPath));
  if (path !== undefined) return import(pathToFileURL(path).href);
  throw Object.assign(new Error(`cannot find package '${name}'`), { code: "ERR_MODULE_NOT_FOUND" });
}

/**
 * Returns the folders in which packages for an executable are looked up, the first one first: beside it, the clone that it was
 * built in, the folder that it was installed into by npm, and the global folder of its prefix. A `node_modules` in the current
 * folder, in folders that only happen to be above, or in NODE_PATH is not used: its code would run in a verifier.
 *
 * @param executable the absolute path without symbolic links
 */
export function packageFolders(executable: string): string[] {
  const folder = dirname(executable);
  const prefix = dirname(folder);
  const folders = [join(folder, "node_modules")];
  if (basename(folder) === "dist") folders.push(join(prefix, "node_modules"));
  for (let above = folder; above !== dirname(above); above = dirname(above)) {
    if (basename(above) === "node_modules") folders.push(above);
  }
  if (basename(folder) === "bin") folders.push(join(prefix, "lib/node_modules"));
  if (basename(folder) === "tsign" && basename(prefix) === "lib") folders.push(join(prefix, "node_modules"));
  if (folder === "/usr/lib/tsign") folders.push("/usr/local/lib/node_modules");
  const [, homebrew] = /^(.+)\/Cellar\//.exec(executable) ?? [];
  if (homebrew !== undefined) folders.push(`${homebrew}/lib/node_modules`);
  return folders;
}

/** Returns the file that a package's name stands for, from the first of the folders that has it. */
export function resolvePackage(name: string, folders: readonly string[]): string | undefined {
  const folder = folders.find((each) => statSync(join(each, name), { throwIfNoEntry: false })?.isDirectory());
  if (folder === undefined) return undefined;
  return createRequire(join(dirname(folder), "any.js")).resolve(name);
}
