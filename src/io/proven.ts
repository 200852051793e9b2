import { closeSync, constants, fsyncSync, openSync, readFileSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { failure, followLinks, refuseReadOnly, writeBeside } from "./write.ts";

/**
 * Replaces an existing file whose loss would be final. The new content is written beside it and to the disk, read back and given
 * to `prove`; then it takes the file's place in one step, with the file's mode and owner. The file is never overwritten in place,
 * so a file with several hard links is refused, and so is one that another program has changed since it was read. A symbolic link
 * to the file still leads to it.
 *
 * @param was the content to replace
 * @throws what `prove` throws, and errors of the file system
 */
export async function replaceProven(
  path: string,
  was: Uint8Array,
  data: string,
  prove: (written: Uint8Array) => Promise<void>,
): Promise<void> {
  const target = followLinks(path);
  const there = statSync(target);
  if (there.isDirectory()) throw failure("EISDIR");
  if (!there.isFile()) throw Object.assign(new Error("not a regular file"), { code: "ENOTREG" });
  if (there.nlink > 1) throw Object.assign(new Error(`the file has ${there.nlink} hard links`), { code: "EMLINK" });
  refuseReadOnly(there);
  await writeBeside(target, Buffer.from(data), {
    mode: there.mode & 0o7777,
    like: there,
    before: async (temporary) => {
      await prove(readFileSync(temporary));
      if (readFileSync(target).equals(was)) return;
      throw Object.assign(new Error("the file has changed since it was read"), { code: "ECHANGED" });
    },
  });
  flushFolder(dirname(target));
}

/** Writes the new name of a file to the disk, where the system supports that for folders. */
function flushFolder(folder: string): void {
  try {
    const file = openSync(folder, constants.O_RDONLY);
    fsyncSync(file);
    closeSync(file);
  } catch {
    // Windows opens no folders; the file itself is on the disk
  }
}
