import { generateKeyPairSync } from "node:crypto";
import { TsignError } from "../errors.ts";
import { signerFromKey } from "./signer.ts";
import { ALGORITHMS, SIGNING_ALGORITHMS } from "./signing-algorithms.ts";
import type { Signer } from "./types.ts";

/**
 * A signer over a new key that exists in this process's memory alone.
 *
 * @throws TsignError "usage" for an algorithm it does not know
 */
export function ephemeralSigner(algorithm: string): Signer {
  if (!Object.hasOwn(ALGORITHMS, algorithm)) {
    throw new TsignError("usage", `unknown signing algorithm: ${algorithm}`, { hint: SIGNING_ALGORITHMS.join(", ") });
  }
  const kind = ALGORITHMS[algorithm as keyof typeof ALGORITHMS];
  const { privateKey } =
    kind.type === "ec"
      ? generateKeyPairSync("ec", { namedCurve: kind.curve })
      : generateKeyPairSync("rsa", { modulusLength: kind.bits });
  return signerFromKey(privateKey);
}
