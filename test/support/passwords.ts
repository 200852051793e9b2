import { TsignError } from "../../src/errors.ts";
import type { Terminal } from "../../src/io/io.ts";

/** The environment with the password of the tests' keys. */
export const PASSWORD = { COSIGN_PASSWORD: "pw" };
/** The same with a new password, "new". */
export const PASSWORDS = { ...PASSWORD, COSIGN_NEW_PASSWORD: "new" };

/** A terminal that gives answers in order. */
export function terminal(...answers: string[]): Partial<Terminal> {
  return {
    stdin: true,
    prompt: async (question) => {
      const answer = answers.shift();
      if (answer === undefined) throw new TsignError("internal", `an unexpected question: ${question}`);
      return answer;
    },
  };
}
