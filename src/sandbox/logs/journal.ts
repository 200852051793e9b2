import { TsignError } from "../../errors.ts";
import type { Io } from "../../io/io.ts";

const MAX_ENTRY = 64 * 1024 * 1024;

/** The entries of a log in order, one file each. Files are written atomically, so that a crash leaves no partial entry. */
export interface Journal {
  /** The entries at the time it was opened. */
  readonly entries: readonly Buffer[];
  append(entry: Uint8Array): Promise<void>;
}

/**
 * Opens the journal in a folder; without a folder, entries are not stored. Appends must not overlap: the log that owns the
 * journal serializes them.
 */
export async function openJournal(io: Pick<Io, "files">, folder: string | undefined): Promise<Journal> {
  if (folder === undefined) return { entries: [], append: async () => {} };
  const names = (await io.files.list(folder)).filter((name) => /^\d{9}$/.test(name));
  const entries: Buffer[] = [];
  for (const [index, name] of names.entries()) {
    if (Number(name) !== index) throw new TsignError("input", `read log ${folder}: missing entry ${index}`);
    entries.push(Buffer.from(await io.files.read(`${folder}/${name}`, { maxBytes: MAX_ENTRY })));
  }
  let next = entries.length;
  await io.files.makeDirectory(folder, { mode: 0o700 });
  return {
    entries,
    async append(entry) {
      await io.files.replace(`${folder}/${String(next).padStart(9, "0")}`, entry, { mode: 0o600 });
      next++;
    },
  };
}

/** Returns an entry's body changed, but still JSON: what a log that misbehaves shows instead of it. */
export function otherBody(body: Uint8Array): Buffer {
  return Buffer.concat([body, Buffer.from(" ")]);
}

/** Returns a function that runs tasks one after another, so that entries are stored in the order of their indices. */
export function inOrder(): <T>(task: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (task) => {
    const result = last.then(task);
    last = result.catch(() => {});
    return result;
  };
}
