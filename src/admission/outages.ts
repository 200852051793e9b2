import { TsignError } from "../errors.ts";

/** Whether an error means that the image could not be checked now, rather than that it is refused. */
export function isOutage(error: unknown): boolean {
  return !(error instanceof TsignError) || !REFUSALS.has(error.code);
}

/** Errors about the image itself. */
const REFUSALS: ReadonlySet<string> = new Set([
  "input",
  "unsupported",
  "image-not-found",
  "limit",
  "bad-bundle",
  "policy",
]);
