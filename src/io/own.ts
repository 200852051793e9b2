import { lstatSync, mkdirSync, mkdtempSync, realpathSync, renameSync, rmSync, statSync, unlinkSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join, parse, sep } from "node:path";
import { TsignError } from "../errors.ts";
import { holdSignals, releaseSignals } from "./signals.ts";

/**
 * Records the files and folders that this process created, and is the only code that removes any: a file or folder is removed
 * only if this process created it and it is still the same one. No other module may import a function that removes files
 * (test/architecture.test.ts).
 */

/** Absolute path -> device and inode of the file or folder that this process created there. */
const made = new Map<string, string>();

/** Records a file or folder that this process has just created. */
export function noteOwn(absolute: string): void {
  made.set(absolute, identityOf(absolute) ?? "");
}

/** Files and folders that are removed when the process ends, also after a signal. */
const temporary = new Set<string>();

/** Records a file or folder that must be removed before the process ends. */
export function noteTemporary(absolute: string): void {
  noteOwn(absolute);
  if (temporary.size === 0) {
    process.once("exit", removeTemporary);
    holdSignals();
  }
  temporary.add(absolute);
}

function forget(absolute: string): void {
  made.delete(absolute);
  if (!temporary.delete(absolute) || temporary.size > 0) return;
  process.removeListener("exit", removeTemporary);
  releaseSignals();
}

function removeTemporary(): void {
  for (const each of [...temporary]) {
    try {
      removeOwn(each, dirname(each));
    } catch {
      // the process is ending, and its own error has been reported
    }
  }
}

/** Renames a file that this process created, replacing an existing file. */
export function renameOwn(from: string, to: string): void {
  renameSync(from, to);
  forget(from);
  noteOwn(to);
}

/**
 * Creates a folder with a unique name and mode 0700, and its parent if missing. It is removed when the process ends.
 */
export function makeFolder(parent: string, prefix: string): string {
  makeDirectories(parent, 0o700);
  const folder = mkdtempSync(join(parent, prefix));
  noteTemporary(folder);
  return folder;
}

/**
 * Creates a folder and its missing parents. Node's `recursive` is not used: it never ends below /proc, where creating a folder
 * reports a missing parent.
 */
export function makeDirectories(path: string, mode: number): void {
  const missing: string[] = [];
  let existing = path;
  for (; statSync(existing, { throwIfNoEntry: false }) === undefined; existing = dirname(existing)) {
    missing.unshift(existing);
  }
  for (const each of missing) {
    try {
      mkdirSync(each, { mode });
    } catch (cause) {
      if ((cause as { code?: string }).code !== "EEXIST") throw cause; // another program created it first
    }
  }
  if (!statSync(path).isDirectory())
    throw Object.assign(new Error("a file with that name already exists"), { code: "EEXIST" });
}

/**
 * Removes a file, or a folder with its content, that this process created. If it is gone, or was replaced by another program,
 * nothing happens.
 *
 * @param absolute an absolute path; "" is refused
 * @param cwd the working directory; it and its parents are never removed
 * @throws TsignError "internal" for a path that this process did not create, a root, the working directory, a home, and their
 *   parents
 */
export function removeOwn(absolute: string, cwd: string): void {
  const identity = made.get(absolute);
  if (absolute === "" || identity === undefined) throw refusal(absolute, "not created by this process");
  const found = identityOf(absolute);
  if (found === undefined || found !== identity) {
    forget(absolute);
    return;
  }
  const entry = lstatSync(absolute);
  if (entry.isSymbolicLink()) throw refusal(absolute, "is a symbolic link");
  if (entry.isDirectory()) {
    for (const kept of [parse(absolute).root, cwd, process.cwd(), homedir(), process.env["HOME"] ?? ""]) {
      if (kept !== "" && isAtOrAbove(absolute, kept)) throw refusal(absolute, `it contains ${kept}`);
    }
    rmSync(absolute, { recursive: true, force: true });
  } else unlinkSync(absolute);
  forget(absolute);
}

/** Returns device and inode, which distinguish our file from another with the same name; undefined when it does not exist. */
function identityOf(absolute: string): string | undefined {
  const found = lstatSync(absolute, { throwIfNoEntry: false, bigint: true });
  return found && `${found.dev}:${found.ino}`;
}

function isAtOrAbove(folder: string, path: string): boolean {
  const [above, below] = [realPath(folder), realPath(path)];
  return below === above || below.startsWith(above.endsWith(sep) ? above : above + sep);
}

function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

function refusal(path: string, reason: string): TsignError {
  return new TsignError("internal", `remove "${path}": ${reason}`, {
    hint: "report this defect of tsign, with the command that caused it",
  });
}
