import type { Io } from "./io.ts";

/** How the engine is compiled: for this machine, or to WebAssembly run by Node. */
export type EngineForm = "native" | "portable";

/**
 * Finds the policy engine, which is installed beside the built program; tests, which run the sources, use that one.
 *
 * @param forms the forms to look for, in this order
 * @returns the native program, or the script that Node runs for the portable form; undefined when there is neither
 */
export async function locateEngine(
  { files, launcher, platform }: Pick<Io, "files" | "launcher" | "platform">,
  forms: readonly EngineForm[] = ["native", "portable"],
): Promise<{ form: EngineForm; path: string } | undefined> {
  const here: string = import.meta.dirname ?? launcher.folder; // undefined in the single executable
  const folder = `${here}${/[\\/]src[\\/]io$/.test(here) ? "/../../dist" : ""}/policy`;
  const names = { native: `engine${platform.os === "win32" ? ".exe" : ""}`, portable: "run.cjs" };
  for (const form of forms) {
    const path = `${folder}/${names[form]}`;
    if (form === "portable" && launcher.node === undefined) continue;
    if ((await files.stat(path))?.kind === "file") return { form, path };
  }
  return undefined;
}
