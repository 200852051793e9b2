import { dirname } from "node:path";
import { TsignError } from "../errors.ts";
import type { Io } from "../io.ts";

/**
 * Refuses to sign when a file that was asked for could not be written afterwards, which would leave a signature made, and
 * perhaps made public, that nobody has.
 *
 * @param paths "" for a file that was not asked for
 * @throws TsignError "input"
 */
export async function requirePlaces(io: Pick<Io, "files">, paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    if (path === "") continue;
    const folder = await io.files.stat(dirname(path));
    if (folder?.kind !== "directory") {
      throw new TsignError("input", `cannot write ${path}: there is no folder ${dirname(path)}`);
    }
    if ((await io.files.stat(path))?.kind === "directory") {
      throw new TsignError("input", `cannot write ${path}: it is a directory`);
    }
  }
}
