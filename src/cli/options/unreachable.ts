import { replaceHint, TsignError, withMessage } from "../../errors.ts";

/**
 * Runs a step that may ask the TUF mirror, and says what the command can do where the mirror cannot be reached and nothing
 * was kept from before.
 *
 * @param missing.operation put before the error's message: "fetch the signing config"
 * @param missing.hint what to do without the mirror
 */
export async function orWithoutMirror<T>(
  step: () => Promise<T>,
  missing: { readonly operation: string; readonly hint: string },
): Promise<T> {
  try {
    return await step();
  } catch (error) {
    if (!(error instanceof TsignError) || error.service !== "tuf") throw error;
    throw replaceHint(withMessage(error, `${missing.operation}: ${error.message}`), missing.hint);
  }
}
