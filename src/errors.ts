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
   * A file, key, reference or variable that the caller named is invalid or missing.
   * @example a key file that is not PEM; a key reference to a key that does not exist
   */
  | "input"
  /**
   * The request is understood, but this version cannot do it.
   * @example a key on a curve that tsign does not support; a SOCKS proxy
   */
  | "unsupported"
  /**
   * A registry or service refuses the credentials, or requires some. Fields: `service`, `status` and `url` if it answered.
   * @example `{ code: "auth", service: "fulcio", status: 401 }` for an expired identity token
   */
  | "auth"
  /**
   * A connection could not be made, or was interrupted. Fields: `service`, `url`.
   * @example `{ code: "network", service: "rekor", url: "https://rekor.example/api/v1/log/entries" }`
   */
  | "network"
  /**
   * The command's --timeout or the time limit of a request expired. Fields: `service`, `url` of a request.
   * @example a registry that accepts the connection and sends nothing for 30 seconds
   */
  | "timeout"
  /**
   * A registry returned an error or wrong content, or an image layout on disk is invalid.
   * Fields of an error response: `service` ("registry"), `status`, `url`; of a digest mismatch: `expected`, `actual`.
   * @example `{ code: "registry", service: "registry", status: 503 }`; a manifest with another digest
   */
  | "registry"
  /**
   * Fulcio, Rekor, a timestamp authority, an OIDC issuer, a TUF mirror or a key service returned an error or an
   * invalid response. Fields: `service`; for an error response `status` and `url`.
   * @example `{ code: "service", service: "rekor", status: 500 }`
   */
  | "service"
  /**
   * Untrusted data is larger, deeper or slower to process than tsign accepts.
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
   * The signature verifies, but the signed statement does not satisfy the policies of --policy; or an image does not satisfy the
   * trust policy.
   * @example an attestation that a Rego policy denies; an image whose signer is not one that the trust policy demands
   */
  | "policy"
  /**
   * A certificate, trusted root or TUF metadata is invalid or expired.
   * @example TUF metadata that has expired; a certificate with no path to a trusted root
   */
  | "untrusted"
  /** A bundle, envelope, payload or other document is malformed. @example a bundle without a mediaType */
  | "bad-bundle"
  /** The user declined, or interrupted the program. @example Ctrl-C; "n" at the question whether to publish */
  | "cancelled"
  /** A defect of tsign. @example an unexpected JavaScript exception */
  | "internal";

/** Services that tsign uses. */
export type ServiceName =
  | "registry"
  | "fulcio"
  | "rekor"
  | "timestamp-authority"
  | "ct" // a certificate transparency log
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

/** The checks of a verification; src/verify/verify.ts has their order. */
export type CheckName = "log" | "time" | "key" | "sct" | "signature" | "claims" | "identity";

/** Fields for programs, besides the code. They contain no secrets. */
interface ErrorFields {
  /** The service that refused, failed or did not respond. */
  readonly service?: ServiceName | undefined;
  /** HTTP status of its response. */
  readonly status?: number | undefined;
  /** The requested URL, without user name, password, query and fragment. */
  readonly url?: string | undefined;
  /** The check of a verification that failed. */
  readonly check?: CheckName | undefined;
  /** The required value of a comparison, as text: a digest, an identity, an algorithm. */
  readonly expected?: string | undefined;
  /** The value that was found. */
  readonly actual?: string | undefined;
}

/** Options of a TsignError; possible secrets are removed from `url`. */
interface ErrorOptions extends Omit<ErrorFields, "url"> {
  readonly hint?: string | undefined;
  readonly cause?: unknown;
  readonly exitCode?: number | undefined;
  readonly url?: URL | string | undefined;
}

/**
 * The only error that tsign throws deliberately. `message`: operation, object and reason, lower case, without a final stop. `hint`:
 * what to do next. Neither may contain a secret. The fields are read-only.
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
  /** Exit code that overrides the command's own, such as that of a program run for the user. */
  readonly exitCode: number | undefined;
  // Defined only if they apply, so that a printed error does not list empty ones.
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

/** The fields that are set. */
function fieldsIn(options: ErrorOptions): ErrorFields {
  const { service, status, check, expected, actual } = options;
  const url = options.url === undefined ? undefined : publicUrl(options.url);
  const fields = { service, status, url, check, expected, actual };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

/** Removes possible secrets from a URL; undefined for an invalid URL. */
function publicUrl(url: URL | string): string | undefined {
  const parsed = URL.parse(url);
  if (!parsed) return undefined;
  for (const part of ["username", "password", "search", "hash"] as const) parsed[part] = "";
  return parsed.href;
}

/** Copies an error with a hint, unless it has one. */
export function withHint(error: TsignError, hint: string): TsignError {
  return error.hint === undefined ? copyOf(error, { hint }) : error;
}

/** Copies an error with another hint. */
export function replaceHint(error: TsignError, hint: string): TsignError {
  return copyOf(error, { hint });
}

/** Copies an error with another message. */
export function withMessage(error: TsignError, message: string): TsignError {
  return copyOf(error, { message });
}

/** Copies an error with an exit code that overrides the command's own. */
export function withExitCode(error: TsignError, exitCode: number): TsignError {
  return copyOf(error, { exitCode });
}

/** Copies an error with additional fields; existing ones are kept. */
export function withFields(error: TsignError, fields: Omit<ErrorFields, "url"> & { url?: URL | string }): TsignError {
  return copyOf(error, { ...fields, ...fieldsIn(error) });
}

/** Codes of errors about something that the user named. */
const SUBJECT_CODES: readonly ErrorCode[] = ["input", "bad-bundle", "untrusted"];

/**
 * Runs a step and prefixes the message of an error about its input with the input's name. The step itself must not name it.
 *
 * @param name a path, URL or key reference; credentials in a URL are left out
 */
export async function withSubject<T>(name: string, step: () => T | Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (error) {
    if (!(error instanceof TsignError) || !SUBJECT_CODES.includes(error.code)) throw error;
    throw withMessage(error, `${name.replace(/^(\w+:\/\/)[^/]*@/, "$1")}: ${error.message}`);
  }
}

function copyOf(error: TsignError, changes: ErrorOptions & { message?: string }): TsignError {
  const { code, hint, cause, exitCode } = error;
  const { message = error.message, ...options } = changes;
  return new TsignError(code, message, { hint, cause, exitCode, ...fieldsIn(error), ...options });
}

/** Exit codes by error code, for commands where cosign uses codes other than 1. */
export type ExitCodes = Partial<Record<ErrorCode, number>>;
