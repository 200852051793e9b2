import { TsignError } from "../errors.ts";

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "no such file or directory",
  EACCES: "permission denied",
  EPERM: "operation not permitted",
  EISDIR: "it is a directory",
  EEXIST: "a file has that name",
  ENOTDIR: "a part of the path is not a directory",
  ENOSPC: "no space left on the device",
  EDQUOT: "the disk quota is used up",
  EROFS: "the file system is read-only",
  ENAMETOOLONG: "the name is too long",
  ELOOP: "too many symbolic links",
  EBUSY: "it is in use",
  ETXTBSY: "it is a program that is running",
  ENXIO: "nothing reads from it",
  EMFILE: "too many files are open",
  EIO: "the device reports an error",
};

/** Whether a failure means that nothing is there. */
export function isMissing(cause: unknown): boolean {
  const code = (cause as { code?: string }).code;
  return code === "ENOENT" || code === "ENOTDIR";
}

/**
 * A failure of the file system as a TsignError "input": `cannot read KEY: permission denied`.
 *
 * @param action what was tried, as a verb: read, write, create, list, remove
 */
export function fileError(action: string, path: string, cause: unknown): TsignError {
  const { code, message } = cause as { code?: string; message?: string };
  const reason = REASONS[code ?? ""] ?? message ?? "unknown reason";
  const hint = code === "EREADONLY" ? { hint: "make it writable with chmod u+w, or name another file" } : {};
  return new TsignError("input", `cannot ${action} ${path}: ${reason}`, { cause, ...hint });
}
