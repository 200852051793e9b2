import { TsignError, withSubject } from "../../errors.ts";
import { SIGN_PREDICATE_TYPE } from "../../evidence/media-types.ts";
import type { Io } from "../../io/io.ts";
import { isStdin } from "../../io/stdin.ts";
import { readBlob } from "../../net/input.ts";
import type { Decision } from "../../trust-policy/decision.ts";
import type { TrustPolicy } from "../../trust-policy/model.ts";
import { readTrustPolicy } from "../../trust-policy/read.ts";
import type { Verified } from "../../verify/verify.ts";
import { trustPolicyFile } from "../flags/trust-policy.ts";
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
 * Reads the bytes of a policy, and its name in errors.
 *
 * @param kind what it is, for errors
 * @throws TsignError of a file or URL that cannot be read
 */
export async function readPolicyFile(
  io: Io,
  file: string,
  kind = "trust policy",
): Promise<{ content: Uint8Array; path: string }> {
  const content = await withSubject(kind, () => readBlob(io, file, MAX_POLICY));
  return { content, path: isStdin(file) ? "standard input" : file };
}

/** The trust policy of a command that needs one. @throws TsignError "usage" without one */
export function requirePolicyFile(io: Pick<Io, "env">, flags: { trustPolicy: string }): string {
  const file = trustPolicyFile(io, flags);
  if (file !== undefined) return file;
  throw new TsignError("usage", "missing --trust-policy", {
    hint: "pass --trust-policy FILE, which `tsign policy init` writes",
  });
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

/** The attestations that a command is about; of any type if it is undefined. */
export interface WantedType {
  /** A URI. */
  readonly predicateType: string | undefined;
}

/**
 * Why a command that verifies attestations must not say yes to what the policy accepts, or lets through: the rule demands none of
 * the type. Undefined if it demands one, and for what is refused anyway. Where no rule matches, the policy's `unmatched` decides.
 */
export function undemandedType({ allowed, rule, demands }: Decision, wanted: WantedType): string | undefined {
  const { predicateType } = wanted;
  if (!allowed || rule === undefined) return undefined;
  if (demands.some(({ demand }) => isType(demand, wanted))) return undefined;
  return `the rule ${rule.name} demands no attestation${predicateType === undefined ? "" : ` of type ${predicateType}`}`;
}

/** Whether a verified signature is an attestation of the type. */
export function isAttestationOf({ content }: Verified, wanted: WantedType): boolean {
  return content.kind === "statement" && isType(content.predicateType, wanted);
}

function isType(type: string, { predicateType }: WantedType): boolean {
  if (type === "signatures" || type === SIGN_PREDICATE_TYPE) return false;
  return predicateType === undefined || type === predicateType;
}
