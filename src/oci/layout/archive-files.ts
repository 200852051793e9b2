import { TsignError } from "../../errors.ts";
import { giveBack } from "../../format/pieces.ts";
import { listTar, type TarEntry } from "../../format/tar.ts";
import type { LayoutFiles, LayoutIo } from "./files.ts";

/** Reports whether a path names an archive: it ends in `.tar`. */
export function isArchive(path: string): boolean {
  return path.endsWith(".tar");
}

/**
 * Reads a layout in a tar archive (OCI image spec, image-layout.md). The archive is not unpacked: its list of files is read once, and
 * contents are read from their position.
 *
 * @throws TsignError "input" for a file that is not an archive, or contains links, two files with one name, or paths that leave
 * the archive; "limit" for too many entries
 */
export async function archiveFiles(io: LayoutIo, path: string): Promise<LayoutFiles> {
  const found = await io.files.stat(path);
  if (!found) throw new TsignError("input", `read archive ${path}: no such file`);
  if (found.kind !== "file") throw new TsignError("input", `read archive ${path}: it is not a regular file`);
  const entries = await listTar({
    name: path,
    size: found.size,
    read: (offset, length) => readRange(io, path, { offset, length }),
  });
  const get = (name: string): TarEntry => {
    const entry = entries.get(name);
    if (!entry) throw new TsignError("input", `read archive ${path}: missing ${name}`);
    return entry;
  };
  return {
    path,
    size: async (name) => entries.get(name)?.size,
    async read(name, { maxBytes }) {
      const { offset, size } = get(name);
      if (size > maxBytes) throw new TsignError("limit", `read ${path}: ${name} is larger than ${maxBytes} bytes`);
      return readRange(io, path, { offset, length: size });
    },
    chunks(name) {
      const { offset, size } = get(name);
      return io.files.chunks(path, { offset, length: size });
    },
    async list(folder) {
      const prefix = `${folder}/`;
      const below = [...entries].filter(([name]) => name.startsWith(prefix) && !name.includes("/", prefix.length));
      return below.map(([name, { size }]) => ({ name: name.slice(prefix.length), size }));
    },
  };
}

async function readRange(io: LayoutIo, path: string, range: { offset: number; length: number }): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for await (const piece of io.files.chunks(path, range)) pieces.push(piece);
  const whole = Buffer.concat(pieces);
  for (const piece of pieces) giveBack(piece);
  return whole;
}
