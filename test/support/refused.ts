import assert from "node:assert/strict";
import { type ErrorCode, TsignError } from "../../src/errors.ts";

/** Asserts that a promise rejects with a TsignError of the code, and returns it. */
export async function refused(code: ErrorCode, promise: Promise<unknown>): Promise<TsignError> {
  const error = await promise.then(
    () => assert.fail("expected a refusal"),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof TsignError, String(error));
  assert.equal(error.code, code, error.message);
  return error;
}
