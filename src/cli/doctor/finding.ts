import { TsignError } from "../../errors.ts";

/** What a check of `tsign doctor` found. */
export interface Finding {
  readonly check: "registry" | "login" | "referrers" | "trust" | "signing config" | "service" | "proxy" | "clock";
  /** What was checked: a host, a file, a mirror. */
  readonly subject: string;
  /** "skipped": it could not be checked because another check failed. */
  readonly state: "ok" | "warning" | "failed" | "skipped";
  readonly detail: string;
  /** What to do. */
  readonly hint?: string;
  /** Code of the error. */
  readonly code?: TsignError["code"];
}

/**
 * The finding for an error of a check.
 *
 * @param hint what to do if the error does not say it
 * @throws any exception that is a bug, and a cancellation
 */
export function failed(
  { check, subject }: Pick<Finding, "check" | "subject">,
  error: unknown,
  hint: string,
): Finding & { readonly state: "failed" } {
  if (!(error instanceof TsignError) || error.code === "internal" || error.code === "cancelled") throw error;
  const { code, message } = error;
  return { check, subject, state: "failed", detail: message, hint: error.hint ?? hint, code };
}
