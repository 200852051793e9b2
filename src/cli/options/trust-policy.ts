import { TsignError, withSubject } from "../../errors.ts";
import type { Io } from "../../io/io.ts";
import { isStdin } from "../../io/stdin.ts";
import { readBlob } from "../../net/input.ts";
import type { TrustPolicy } from "../../trust-policy/model.ts";
import { readTrustPolicy } from "../../trust-policy/read.ts";
import { flagName } from "../parser/argv.ts";

/** Largest policy, in bytes; its reader refuses larger ones. */
const MAX_POLICY = { maxBytes: 1024 * 1024 + 1 };

/**
 * Reads the trust policy of a command.
 *
 * @param file a path, a URL, or `-` for standard input; files named in it are relative to its folder
 * @throws TsignError "input" with the place of the first fault
 */
export async function loadTrustPolicy(io: Io, file: string): Promise<TrustPolicy> {
  const { content, path } = await readPolicyFile(io, file);
  return readTrustPolicy(content, path);
}

/**
 * Reads the bytes of a trust policy, and its name in errors.
 *
 * @throws TsignError of a file or URL that cannot be read
 */
export async function readPolicyFile(io: Io, file: string): Promise<{ content: Uint8Array; path: string }> {
  const content = await withSubject("trust policy", () => readBlob(io, file, MAX_POLICY));
  return { content, path: isStdin(file) ? "standard input" : file };
}

/** The flags that a trust policy does not replace. */
const COMPATIBLE =
  /^(trustPolicy|registry.*|allow(Http|Insecure)Registry|k8sKeychain|maxWorkers|output|rekorUrl|offline|baseImageOnly|insecureIgnoreFrontend|platform|help|outputFile|quiet|verbose|timeout|json|report|exitCodes|explain|bundle|type|from|fromFormat|pin)$/;

/**
 * Refuses flags that say what a trust policy says, so that none of them outvotes it.
 *
 * @param given keys of the flags that were set, also by the environment
 * @param own flags that mean something else in this command
 * @throws TsignError "usage"
 */
export function requireCompatible(
  given: ReadonlySet<string>,
  file: string,
  own: ReadonlySet<string> = new Set(),
): void {
  const replaced = [...given].find((key) => !COMPATIBLE.test(key) && !own.has(key));
  if (replaced === undefined) return;
  throw new TsignError("usage", `--${flagName(replaced)} and --trust-policy cannot be used together`, {
    hint: `leave out --${flagName(replaced)}: ${file} states what is demanded`,
  });
}
