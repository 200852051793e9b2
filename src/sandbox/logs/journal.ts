import { TsignError } from "../../errors.ts";
import type { Io } from "../../io/io.ts";

const MAX_ENTRY = 64 * 1024 * 1024;

/** The entries of a log in their order: one file each, written whole or not at all, so a crash leaves no half entry. */
export interface Journal {
  /** What was there when it was opened. */
  readonly entries: readonly Buffer[];
  append(entry: Uint8Array): Promise<void>;
}

/**
 * Opens the journal in a folder, or one that keeps nothing without a folder. Appends must not overlap: the log that owns
 * the journal orders them.
 */
export async function openJournal(io: Pick<Io, "files">, folder: string | undefined): Promise<Journal> {
  if (folder === undefined) return { entries: [], append: async () => {} };
  const names = (await io.files.list(folder)).filter((name) => /^\d{9}$/.test(name));
  const entries: Buffer[] = [];
  for (const [index, name] of names.entries()) {
    if (Number(name) !== index) throw new TsignError("input", `${folder} is damaged: entry ${index} is missing`);
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

/** Runs what it is given one after another: the order of a log's entries is the order of their indices. */
export function inOrder(): <T>(task: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (task) => {
    const result = last.then(task);
    last = result.catch(() => {});
    return result;
  };
}
