/**
 * The kinds of failure tsign reports. A code is part of the interface: it decides the exit code (each command has its own
 * table, anything else is 1), and programs and tests tell failures apart by it and by the fields of TsignError, never by
 * the message.
 */
export type ErrorCode =
  /**
   * The command line, or an option of a function, is wrong.
   * @example `tsign verify image` with neither --key nor --certificate-identity
   */
  | "usage"
  /**
   * A file, key, reference or variable the caller named is not what it should be.
   * @example a key file that is not PEM; a key reference to a key that does not exist
   */
  | "input"
  /**
   * The request is understood, but this version cannot do it.
   * @example a key on a curve that tsign does not support; a SOCKS proxy
   */
  | "unsupported"
  /**
   * A registry or service refuses the credentials, or there are none. Fields: `service`, `status` and `url` if it answered.
   * @example `{ code: "auth", service: "fulcio", status: 401 }` for an expired identity token
   */
  | "auth"
  /**
   * Nothing answered, or the connection broke. Fields: `service`, `url`.
   * @example `{ code: "network", service: "rekor", url: "https://rekor.example/api/v1/log/entries" }`
   */
  | "network"
  /**
   * The command's --timeout or the limit of one request ran out. Fields: `service`, `url` of a request.
   * @example a registry that accepts the connection and sends nothing for 30 seconds
   */
  | "timeout"
  /**
   * A registry, or an image layout on disk, answered with an error or with content that is not what was asked for.
   * Fields of an error answer: `service` ("registry"), `status`, `url`; of a digest mismatch: `expected`, `actual`.
   * @example `{ code: "registry", service: "registry", status: 503 }`; a manifest with another digest
   */
  | "registry"
  /**
   * Fulcio, Rekor, a timestamp authority, an OIDC issuer, a TUF mirror or a key service answered with an error or with
   * something else than what was asked for. Fields: `service`; of an error answer `status` and `url`.
   * @example `{ code: "service", service: "rekor", status: 500 }`
   */
  | "service"
  /**
   * Something from outside is larger, deeper or slower to judge than tsign accepts.
   * @example an attached bundle above COSIGN_MAX_ATTACHMENT_SIZE
   */
  | "limit"
  /**
   * The image to verify does not exist.
   * @example `tsign verify registry.example/app:no-such-tag`, which exits 11
   */
  | "image-not-found"
  /**
   * The image has no signature of any form.
   * @example `tsign verify` of an unsigned image, which exits 10
   */
  | "no-signatures"
  /**
   * The image has signatures, at least one of them in the legacy form, and none verifies. Fields as for `bad-signature`.
   * @example `{ code: "no-match", check: "identity" }`, which exits 12
   */
  | "no-match"
  /**
   * The image has signatures, all of them Sigstore bundles, and none verifies: cosign exits 1 for these, not 12. Fields as
   * for `bad-signature`.
   * @example `{ code: "no-match-bundle", check: "signature" }`
   */
  | "no-match-bundle"
  /**
   * The signature of a file does not verify. Fields: `check`; `expected` and `actual` where the check compares values.
   * @example `{ code: "bad-signature", check: "identity", expected: "a@example.com", actual: "b@example.com" }`
   */
  | "bad-signature"
  /**
   * The signature verifies, and what it signs does not satisfy the policies of --policy.
   * @example an attestation that a Rego policy denies
   */
  | "policy"
  /**
   * A certificate, trusted root or TUF metadata does not hold.
   * @example TUF metadata that has expired; a certificate with no path to a trusted root
   */
  | "untrusted"
  /** A bundle, envelope, payload or other document is malformed. @example a bundle without a mediaType */
  | "bad-bundle"
  /** The user declined, or interrupted the program. @example Ctrl-C; "n" at the question whether to publish */
  | "cancelled"
  /** A defect of tsign. @example an exception of JavaScript that nothing expected */
  | "internal";

/** What tsign asks over a network or a socket, or has sign for it. */
export type ServiceName =
  | "registry"
  | "fulcio"
  | "rekor"
  | "timestamp-authority"
  | "oidc" // an OIDC issuer, or a CI system that issues identity tokens
  | "tuf" // a TUF mirror
  | "awskms"
  | "gcpkms"
  | "azurekms"
  | "hashivault"
  | "k8s"
  | "gitlab"
  | "github"
  | "pkcs11"
  | "kms-plugin"
  | "sandbox";

/** The steps of a verification, in no order; src/verify/verify.ts has that. */
export type CheckName = "log" | "time" | "key" | "sct" | "signature" | "claims" | "identity";

/** What programs may tell errors apart by, besides the code. None holds a secret. */
interface ErrorFields {
  /** Which service refused, failed or did not answer. */
  readonly service?: ServiceName | undefined;
  /** HTTP status of its answer. */
  readonly status?: number | undefined;
  /** What was requested: an absolute URL without user name, password, query and fragment. */
  readonly url?: string | undefined;
  /** The check of a verification that failed. */
  readonly check?: CheckName | undefined;
  /** What a comparison demands, as text: a digest, an identity, an algorithm. */
  readonly expected?: string | undefined;
  /** What it found instead. */
  readonly actual?: string | undefined;
}

/** Options of a TsignError; a `url` is stripped of what may be secret in it. */
interface ErrorOptions extends Omit<ErrorFields, "url"> {
  readonly hint?: string | undefined;
  readonly cause?: unknown;
  readonly exitCode?: number | undefined;
  readonly url?: URL | string | undefined;
}

/**
 * The only error tsign throws on purpose. `message`: what failed, with the value, lower case, without a final stop. `hint`:
 * what to do next. Neither may hold a secret: redact when building it. Its fields cannot be changed.
 *
 * @example
 *   try {
 *     await verifier.verify(bundle, options);
 *   } catch (error) {
 *     if (error instanceof TsignError && error.code === "bad-signature") report(error.check, error.expected, error.actual);
 *     else if (error instanceof TsignError && error.service !== undefined) retryLater(error.service, error.status);
 *     else throw error;
 *   }
 */
export class TsignError extends Error implements ErrorFields {
  override readonly name = "TsignError";
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  /** Exit code in place of the command's own table: that of a program tsign ran for the user. */
  readonly exitCode: number | undefined;
  // Only those that apply are there: an error that is printed whole lists no empty ones.
  declare readonly service?: ServiceName;
  declare readonly status?: number;
  declare readonly url?: string;
  declare readonly check?: CheckName;
  declare readonly expected?: string;
  declare readonly actual?: string;

  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.hint = options.hint;
    this.exitCode = options.exitCode;
    for (const [field, value] of Object.entries(fieldsIn(options))) {
      Object.defineProperty(this, field, { value, enumerable: true });
    }
    for (const field of ["name", "code", "hint", "exitCode"]) Object.defineProperty(this, field, { writable: false });
  }
}

/** The fields that are given. */
function fieldsIn(options: ErrorOptions): ErrorFields {
  const { service, status, check, expected, actual } = options;
  const url = options.url === undefined ? undefined : publicUrl(options.url);
  const fields = { service, status, url, check, expected, actual };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

/** A URL without what may be secret in it; undefined for a text that is none. */
function publicUrl(url: URL | string): string | undefined {
  const parsed = URL.parse(url);
  if (!parsed) return undefined;
  for (const part of ["username", "password", "search", "hash"] as const) parsed[part] = "";
  return parsed.href;
}

/** The same error with a hint, unless it has one. */
export function withHint(error: TsignError, hint: string): TsignError {
  return error.hint === undefined ? copyOf(error, { hint }) : error;
}

/** The same error with this hint in place of its own. */
export function replaceHint(error: TsignError, hint: string): TsignError {
  return copyOf(error, { hint });
}

/** The same error with another message. */
export function withMessage(error: TsignError, message: string): TsignError {
  return copyOf(error, { message });
}

/** The same error with an exit code in place of the command's own. */
export function withExitCode(error: TsignError, exitCode: number): TsignError {
  return copyOf(error, { exitCode });
}

/** The same error with further fields; those it has stay as they are. */
export function withFields(error: TsignError, fields: Omit<ErrorFields, "url"> & { url?: URL | string }): TsignError {
  return copyOf(error, { ...fields, ...fieldsIn(error) });
}

/** What can be wrong with something a user names. */
const NAMED: readonly ErrorCode[] = ["input", "bad-bundle", "untrusted"];

/**
 * Runs a step that reads something of the user's, and puts its name before the message of an error about it. The step itself
 * must not name it.
 *
 * @param name a path, URL or key reference; credentials in a URL are left out
 */
export async function naming<T>(name: string, step: () => T | Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (error) {
    if (!(error instanceof TsignError) || !NAMED.includes(error.code)) throw error;
    throw withMessage(error, `${name.replace(/^(\w+:\/\/)[^/]*@/, "$1")}: ${error.message}`);
  }
}

function copyOf(error: TsignError, changes: ErrorOptions & { message?: string }): TsignError {
  const { code, hint, cause, exitCode } = error;
  const { message = error.message, ...options } = changes;
  return new TsignError(code, message, { hint, cause, exitCode, ...fieldsIn(error), ...options });
}

/** Exit codes by error code, for the commands where cosign has codes other than 1. */
export type ExitCodes = Partial<Record<ErrorCode, number>>;
