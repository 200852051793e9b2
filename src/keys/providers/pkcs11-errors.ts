import { TsignError } from "../../errors.ts";

/** Return values of Cryptoki (PKCS#11 v3.1, 5.1) in words, and what to do about them. */
const MEANINGS: Readonly<Record<string, readonly [code: "auth" | "input" | "service", text: string, hint?: string]>> = {
  CKR_PIN_INCORRECT: ["auth", "the PIN is wrong", "every wrong PIN brings the token closer to locking itself"],
  CKR_PIN_LEN_RANGE: ["auth", "the PIN is too short or too long"],
  CKR_PIN_INVALID: ["auth", "the PIN has characters the token does not take"],
  CKR_PIN_EXPIRED: ["auth", "the PIN has expired", "change it with the vendor's tool"],
  CKR_PIN_LOCKED: ["auth", "the PIN is locked after too many wrong ones", "unlock it with the vendor's tool"],
  CKR_USER_PIN_NOT_INITIALIZED: ["auth", "the token has no user PIN yet"],
  CKR_USER_NOT_LOGGED_IN: ["auth", "the key needs a PIN", "set COSIGN_PKCS11_PIN"],
  CKR_KEY_FUNCTION_NOT_PERMITTED: ["input", "this key cannot sign: its use is restricted to something else"],
  CKR_KEY_TYPE_INCONSISTENT: ["input", "this kind of key cannot make such a signature"],
  CKR_MECHANISM_INVALID: ["input", "the token cannot sign with this kind of key"],
  CKR_TOKEN_NOT_PRESENT: ["input", "the token was removed"],
  CKR_DEVICE_REMOVED: ["input", "the token was removed"],
  CKR_DEVICE_ERROR: ["service", "the token reports a fault of its own"],
};

/** What a module answered, in words. */
export function readable(error: unknown, { modulePath }: { readonly modulePath: string }): unknown {
  if (error instanceof TsignError || !(error instanceof Error)) return error;
  const [name = ""] = /CKR_\w+/.exec(error.message) ?? [];
  if (name === "") return error;
  const [code, text, hint] =
    MEANINGS[name] ?? (["service", `the PKCS#11 module ${modulePath} failed: ${name}`] as const);
  return new TsignError(code, text, { cause: error, hint });
}
