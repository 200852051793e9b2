import { withSubject } from "../../errors.ts";
import type { Io } from "../../io/io.ts";
import { isStdin } from "../../io/stdin.ts";
import { readBlob } from "../../net/input.ts";
import type { TrustPolicy } from "../../trust-policy/model.ts";
import { readTrustPolicy } from "../../trust-policy/read.ts";

/** Largest policy, in bytes; its reader refuses larger ones. */
const MAX_POLICY = { maxBytes: 1024 * 1024 + 1 };

/**
 * Reads the trust policy of a command.
 *
 * @param file a path, a URL, or `-` for standard input; files named in it are relative to its folder
 * @throws TsignError "input" with the place of the first fault
 */
export async function loadTrustPolicy(io: Io, file: string): Promise<TrustPolicy> {
  const content = await withSubject("trust policy", () => readBlob(io, file, MAX_POLICY));
  return readTrustPolicy(content, isStdin(file) ? "standard input" : file);
}
