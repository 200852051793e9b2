import { lstatSync, mkdirSync, mkdtempSync, realpathSync, renameSync, rmSync, statSync, unlinkSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join, parse, sep } from "node:path";
import { TsignError } from "../errors.ts";
import { holdSignals, releaseSignals } from "./signals.ts";

/**
 * What this run made, and the only way to remove anything: a file or folder goes only if this process made it and it is still
 * the same. Nothing else in the program imports a function that removes (test/architecture.test.ts).
 */

/** Absolute path → device and inode of what this process made there. */
const made = new Map<string, string>();

/** Notes a file or folder that this process has just made. */
export function noteOwn(absolute: string): void {
  made.set(absolute, identityOf(absolute) ?? "");
}

/** What is there only while the process runs: removed at its end at the latest, and a signal lets the process come to it. */
const temporary = new Set<string>();

/** Notes a file or folder that is to be gone before the process ends. */
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
      // the process ends, and what it ended with has been said
    }
  }
}

/** Gives a file that this process made its place, over what is there. */
export function renameOwn(from: string, to: string): void {
  renameSync(from, to);
  forget(from);
  noteOwn(to);
}

/**
 * A new folder of a name nobody else has, for its owner alone (0700), below a folder that is made if need be. It goes with the
 * process.
 */
export function makeFolder(parent: string, prefix: string): string {
  makeDirectories(parent, 0o700);
  const folder = mkdtempSync(join(parent, prefix));
  noteTemporary(folder);
  return folder;
}

/**
 * Makes a folder and those above it that are missing. Not by node's `recursive`, which never ends where the system says of
 * a new folder that its parent is missing, as below /proc.
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
      if ((cause as { code?: string }).code !== "EEXIST") throw cause; // another program was faster
    }
  }
  if (!statSync(path).isDirectory()) throw Object.assign(new Error("a file has that name"), { code: "EEXIST" });
}

/**
 * Removes a file, or a folder with what is in it, that this process made. What has gone, or was replaced by another program,
 * is left as it is.
 *
 * @param absolute an absolute path; "" is refused
 * @param cwd the working directory, which is never removed, nor a folder above it
 * @throws TsignError "internal" for what this process did not make, for a root, the working directory, a home, and those above
 */
export function removeOwn(absolute: string, cwd: string): void {
  const identity = made.get(absolute);
  if (absolute === "" || identity === undefined) throw refusal(absolute, "this run did not make it");
  const found = identityOf(absolute);
  if (found === undefined || found !== identity) {
    forget(absolute);
    return;
  }
  const entry = lstatSync(absolute);
  if (entry.isSymbolicLink()) throw refusal(absolute, "it is a symbolic link");
  if (entry.isDirectory()) {
    for (const kept of [parse(absolute).root, cwd, process.cwd(), homedir(), process.env["HOME"] ?? ""]) {
      if (kept !== "" && isAtOrAbove(absolute, kept)) throw refusal(absolute, `${kept} is in it`);
    }
    rmSync(absolute, { recursive: true, force: true });
  } else unlinkSync(absolute);
  forget(absolute);
}

/** Device and inode, so that another file of the same name is told from ours; undefined when nothing is there. */
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
  return new TsignError("internal", `will not remove "${path}": ${reason}`, {
    hint: "this is a defect of tsign: please report it with the command that led to it",
  });
}
