import { TsignError } from "../errors.ts";
import type { Io } from "../io/io.ts";
import { parseRepository, type Repository } from "./ref.ts";

/**
 * Returns the repository that stores an image's signatures: COSIGN_REPOSITORY exactly as given, else the image's own.
 *
 * @throws TsignError "input"
 */
export function attachmentRepository(env: Io["env"], image: Repository): Repository {
  const override = env["COSIGN_REPOSITORY"];
  if (!override) return image;
  try {
    return parseRepository(override);
  } catch (cause) {
    const reason = cause instanceof TsignError ? { hint: cause.hint, cause } : { cause };
    throw new TsignError("input", `parsing $COSIGN_REPOSITORY: "${override}" is not a valid repository name`, reason);
  }
}

/** Prefixes of a size, each 1000 times the one before, or 1024 times with an `i`. */
const PREFIXES = ["", "k", "m", "g", "t", "p"];
const DEFAULT_MAX_ATTACHMENT = 128 * 1024 * 1024;

/**
 * Returns the size limit, in bytes, of a stored or read payload or bundle: COSIGN_MAX_ATTACHMENT_SIZE (`64MiB`, `1GB`, `2T`,
 * `1000`), else 128 MiB.
 *
 * @throws TsignError "input" for an invalid size, which must not silently become another limit
 */
export function maxAttachmentSize(env: Io["env"]): number {
  const given = env["COSIGN_MAX_ATTACHMENT_SIZE"] ?? "";
  if (given === "") return DEFAULT_MAX_ATTACHMENT;
  const text = given.replaceAll(",", "");
  const [, number, prefix = "", binary] = /^\s*([0-9.]+)\s*(?:([kmgtp])(i?))?b?\s*$/i.exec(text) ?? [];
  const size = Number(number) * (binary ? 1024 : 1000) ** PREFIXES.indexOf(prefix.toLowerCase());
  if (Number.isFinite(size) && size >= 1) return Math.floor(size);
  throw new TsignError("input", `parse COSIGN_MAX_ATTACHMENT_SIZE: "${given}" is not a size`, {
    hint: "set it to a size such as 64MiB or 1GB, or to a number of bytes",
  });
}

/**
 * Returns the size limit for content that will be stored with an image: verifiers would refuse to read anything larger.
 *
 * @returns the options for readBlob
 */
export function attachmentLimit(env: Io["env"]): { maxBytes: number; hint: string } {
  return {
    maxBytes: maxAttachmentSize(env),
    hint: "set COSIGN_MAX_ATTACHMENT_SIZE for this command and for verifiers",
  };
}
