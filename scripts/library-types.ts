import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";

const ROOT = resolve(import.meta.dirname, "..");
/** Imports of a declaration file: `from "…"` and `import("…")`. */
const IMPORTED = /(\bfrom |\bimport\()"([^"]+)"/g;

/**
 * Writes the library's declarations into a folder: those of the given modules and of their imports. They import no packages,
 * so that they compile without any package installed.
 *
 * @param folder where they go; it is replaced
 * @param modules paths below src/, without extension
 */
export function writeLibraryTypes(folder: string, modules: readonly string[]): void {
  const tsc = join(ROOT, "node_modules/.bin/tsc");
  const { status, stdout } = spawnSync(tsc, ["-p", "tsconfig.build.json", "--outDir", folder], {
    cwd: ROOT,
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`compile the declarations:\n${stdout}`);
  const texts = new Map<string, string>();
  const visit = (path: string): void => {
    if (texts.has(path)) return;
    const text = readFileSync(join(folder, `${path}.d.ts`), "utf8");
    texts.set(path, "");
    const next = (target: string) =>
      relative(folder, resolve(dirname(join(folder, path)), target)).replace(/\.[jt]s$/, "");
    const rewritten = text.replace(IMPORTED, (_, before: string, target: string) => {
      if (!target.startsWith(".")) throw new Error(`the library's declarations import a package: ${target} in ${path}`);
      visit(next(target));
      return `${before}"${target.replace(/\.ts$/, ".js")}"`;
    });
    texts.set(path, rewritten);
  };
  for (const each of modules) visit(each);
  rmSync(folder, { recursive: true });
  for (const [path, text] of texts) {
    const file = join(folder, `${path}.d.ts`);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
}
