/**
 * Every kind of failure tsign can report. The code decides the exit code (each command has its own table, anything else
 * is 1) and is what tests assert; the message is for people.
 */
export type ErrorCode =
  | "usage" // the command line is wrong
  | "input" // a file, key, reference or answer of the user's is not what it should be
  | "unsupported" // understood, but not available in this version
  | "auth" // a registry or service refuses the credentials
  | "network" // nothing answered, or the connection broke
  | "timeout" // --timeout or a request's own limit ran out
  | "registry" // a registry or service answered wrongly, or with an error
  | "limit" // something from outside is larger than allowed
  | "image-not-found" // the image to verify does not exist
  | "no-signatures" // the image has no signature of any form
  | "no-match" // signatures in the legacy form exist, none passes
  | "no-match-bundle" // only bundles exist, none passes
  | "bad-signature" // a blob's signature does not verify
  | "policy" // what verifies does not satisfy the policies of --policy
  | "untrusted" // a certificate or trust root does not hold
  | "bad-bundle" // a bundle, envelope or payload cannot be read
  | "cancelled" // the user said no, or Ctrl-C
  | "internal"; // a defect of tsign's own

/**
 * The only error tsign throws on purpose. `message`: what failed, with the value, lower case, without a final stop.
 * `hint`: what to do next. Neither may hold a secret: redact when building it.
 */
export class TsignError extends Error {
  override readonly name = "TsignError";
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  /** Exit code in place of the command's own table: that of a program tsign ran for the user. */
  readonly exitCode: number | undefined;

  constructor(code: ErrorCode, message: string, options: { hint?: string; cause?: unknown; exitCode?: number } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.hint = options.hint;
    this.exitCode = options.exitCode;
  }
}

/** The same error with a hint, unless it has one. */
export function withHint(error: TsignError, hint: string): TsignError {
  return error.hint === undefined ? copyOf(error, { message: error.message, hint }) : error;
}

/** The same error with another message. */
export function withMessage(error: TsignError, message: string): TsignError {
  return copyOf(error, { message, hint: error.hint });
}

/** The same error with an exit code in place of the command's own. */
export function withExitCode(error: TsignError, exitCode: number): TsignError {
  const { message, hint } = error;
  return copyOf(error, { message, hint, exitCode });
}

/** What can be wrong with something a user names. */
const NAMED: readonly ErrorCode[] = ["input", "bad-bundle", "untrusted"];

/**
 * Runs a step that reads something of the user's, and puts its name before an error's message that does not say it.
 *
 * @param what a path, URL or key reference; credentials in a URL are left out
 */
export async function naming<T>(what: string, step: () => T | Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (error) {
    const shown = what.replace(/^(\w+:\/\/)[^/]*@/, "$1");
    const unnamed = error instanceof TsignError && NAMED.includes(error.code) && !error.message.includes(shown);
    throw unnamed ? copyOf(error, { message: `${shown}: ${error.message}`, hint: error.hint }) : error;
  }
}

function copyOf(
  error: TsignError,
  changed: { message: string; hint: string | undefined; exitCode?: number },
): TsignError {
  const { cause, code } = error;
  const { message, hint, exitCode = error.exitCode } = changed;
  return new TsignError(code, message, {
    ...(hint === undefined ? {} : { hint }),
    ...(cause === undefined ? {} : { cause }),
    ...(exitCode === undefined ? {} : { exitCode }),
  });
}

/** Exit codes by error code, for the commands where cosign has codes other than 1. */
export type ExitCodes = Partial<Record<ErrorCode, number>>;
