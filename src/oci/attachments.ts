import { TsignError } from "../errors.ts";
import type { Io } from "../io.ts";
import { parseRepository, type Repository } from "./ref.ts";

/**
 * Where signatures of an image are kept: the repository COSIGN_REPOSITORY names, exactly as given, else the image's own.
 *
 * @throws TsignError "input"
 */
export function attachmentRepository(env: Io["env"], image: Repository): Repository {
  const override = env["COSIGN_REPOSITORY"];
  if (!override) return image;
  try {
    return parseRepository(override);
  } catch (cause) {
    throw new TsignError("input", `parsing $COSIGN_REPOSITORY: "${override}" is not a repository`, { cause });
  }
}

const UNITS: Readonly<Record<string, number>> = {
  "": 1,
  b: 1,
  k: 1e3,
  kb: 1e3,
  m: 1e6,
  mb: 1e6,
  g: 1e9,
  gb: 1e9,
  kib: 1024,
  mib: 1024 ** 2,
  gib: 1024 ** 3,
};
const DEFAULT_MAX_ATTACHMENT = 128 * 1024 * 1024;

/** Largest payload or bundle read, in bytes: COSIGN_MAX_ATTACHMENT_SIZE (`64MiB`, `1GB`, `1000`), else 128 MiB. */
export function maxAttachmentSize(env: Io["env"]): number {
  const [, number, unit = ""] = /^\s*([0-9.]+)\s*([a-z]*)\s*$/i.exec(env["COSIGN_MAX_ATTACHMENT_SIZE"] ?? "") ?? [];
  const size = Number(number) * (UNITS[unit.toLowerCase()] ?? Number.NaN);
  return Number.isFinite(size) && size > 0 ? Math.floor(size) : DEFAULT_MAX_ATTACHMENT;
}
