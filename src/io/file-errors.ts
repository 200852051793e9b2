import { TsignError } from "../errors.ts";

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "no such file or directory",
  EACCES: "permission denied",
  EPERM: "operation not permitted",
  EISDIR: "is a directory",
  EEXIST: "a file with that name already exists",
  ENOTDIR: "a part of the path is not a directory",
  ENOSPC: "no space left on the device",
  EDQUOT: "disk quota exceeded",
  EROFS: "read-only file system",
  ENAMETOOLONG: "file name too long",
  ELOOP: "too many symbolic links",
  EBUSY: "the file is in use",
  ETXTBSY: "the program is running",
  ENXIO: "no process is reading from it",
  EMFILE: "too many open files",
  EIO: "input/output error",
};

/** Reports whether a failure means that the file does not exist. */
export function isMissing(cause: unknown): boolean {
  const code = (cause as { code?: string }).code;
  return code === "ENOENT" || code === "ENOTDIR";
}

/**
 * Converts a failure of the file system to a TsignError "input": `read KEY: permission denied`.
 *
 * @param action the operation: read, write, create, list, remove
 */
export function fileError(action: string, path: string, cause: unknown): TsignError {
  const { code, message } = cause as { code?: string; message?: string };
  const reason = REASONS[code ?? ""] ?? message ?? "unknown reason";
  const hint = code === "EREADONLY" ? { hint: "make it writable with chmod u+w, or name another file" } : {};
  return new TsignError("input", `${action} ${path}: ${reason}`, { cause, ...hint });
}
