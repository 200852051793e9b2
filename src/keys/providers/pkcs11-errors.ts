import { TsignError } from "../../errors.ts";

/** Error code, message and hint for return values of Cryptoki (PKCS#11 v3.1, section 5.1). */
const MEANINGS: Readonly<Record<string, readonly [code: "auth" | "input" | "service", text: string, hint?: string]>> = {
  CKR_PIN_INCORRECT: [
    "auth",
    "wrong PIN",
    "check the PIN before trying again; the token locks itself after a few wrong ones",
  ],
  CKR_PIN_LEN_RANGE: ["auth", "the PIN is too short or too long"],
  CKR_PIN_INVALID: ["auth", "the PIN contains invalid characters"],
  CKR_PIN_EXPIRED: ["auth", "the PIN has expired", "change the PIN with the vendor's tool"],
  CKR_PIN_LOCKED: ["auth", "the PIN is locked after too many wrong attempts", "unlock it with the vendor's tool"],
  CKR_USER_PIN_NOT_INITIALIZED: ["auth", "the token has no user PIN", "set one with the vendor's tool"],
  CKR_USER_NOT_LOGGED_IN: ["auth", "the key requires a PIN", "set COSIGN_PKCS11_PIN"],
  CKR_KEY_FUNCTION_NOT_PERMITTED: ["input", "this key cannot sign: its usage does not allow it"],
  CKR_KEY_TYPE_INCONSISTENT: ["input", "the type of the key does not fit the signing mechanism"],
  CKR_MECHANISM_INVALID: ["input", "the token cannot sign with this type of key"],
  CKR_TOKEN_NOT_PRESENT: ["input", "the token was removed"],
  CKR_DEVICE_REMOVED: ["input", "the token was removed"],
  CKR_DEVICE_ERROR: ["service", "the token reported an internal error"],
};

/** Converts an error of a PKCS#11 module to a TsignError; returns other errors unchanged. */
export function explainPkcs11Error(error: unknown, { modulePath }: { readonly modulePath: string }): unknown {
  if (error instanceof TsignError || !(error instanceof Error)) return error;
  const [name = ""] = /CKR_\w+/.exec(error.message) ?? [];
  if (name === "") return error;
  const [code, text, hint] =
    MEANINGS[name] ?? (["service", `the PKCS#11 module ${modulePath} failed: ${name}`] as const);
  return new TsignError(code, text, { cause: error, hint });
}
