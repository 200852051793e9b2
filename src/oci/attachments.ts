import { TsignError } from "../errors.ts";
import type { Io } from "../io/io.ts";
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

/** Of a kilo-, mega-, giga-, tera- or petabyte in tens, and with an `i` in twos. */
const PREFIXES = ["", "k", "m", "g", "t", "p"];
const DEFAULT_MAX_ATTACHMENT = 128 * 1024 * 1024;

/**
 * Largest payload or bundle, in bytes, that is stored or read: COSIGN_MAX_ATTACHMENT_SIZE (`64MiB`, `1GB`, `2T`, `1000`),
 * else 128 MiB.
 *
 * @throws TsignError "input" for what is no size: another limit than the one meant would hold
 */
export function maxAttachmentSize(env: Io["env"]): number {
  const given = env["COSIGN_MAX_ATTACHMENT_SIZE"] ?? "";
  if (given === "") return DEFAULT_MAX_ATTACHMENT;
  const text = given.replaceAll(",", "");
  const [, number, prefix = "", binary] = /^\s*([0-9.]+)\s*(?:([kmgtp])(i?))?b?\s*$/i.exec(text) ?? [];
  const size = Number(number) * (binary ? 1024 : 1000) ** PREFIXES.indexOf(prefix.toLowerCase());
  if (Number.isFinite(size) && size >= 1) return Math.floor(size);
  throw new TsignError("input", `COSIGN_MAX_ATTACHMENT_SIZE is not a size: "${given}"`, {
    hint: "such as 64MiB, 1GB or a number of bytes",
  });
}

/**
 * How much may be read of what will be stored with an image: more could be stored, and then by nobody read.
 *
 * @returns for readBlob
 */
export function attachmentLimit(env: Io["env"]): { maxBytes: number; hint: string } {
  return {
    maxBytes: maxAttachmentSize(env),
    hint: "verifiers refuse it too: set COSIGN_MAX_ATTACHMENT_SIZE for both",
  };
}
