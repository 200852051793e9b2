import { generateKeyPairSync } from "node:crypto";
import { TsignError } from "../errors.ts";
import { signerFromKey } from "./signer.ts";
import { ALGORITHMS, SIGNING_ALGORITHMS } from "./signing-algorithms.ts";
import type { Signer } from "./types.ts";

/**
 * Returns a signer with a new key that is only kept in memory.
 *
 * @throws TsignError "usage" for an unknown algorithm
 */
export function ephemeralSigner(algorithm: string): Signer {
  if (!Object.hasOwn(ALGORITHMS, algorithm)) {
    throw new TsignError("usage", `unknown signing algorithm: ${algorithm}`, {
      hint: `use one of: ${SIGNING_ALGORITHMS.join(", ")}`,
    });
  }
  const kind = ALGORITHMS[algorithm as keyof typeof ALGORITHMS];
  const { privateKey } =
    kind.type === "ec"
      ? generateKeyPairSync("ec", { namedCurve: kind.curve })
      : generateKeyPairSync("rsa", { modulusLength: kind.bits });
  return signerFromKey(privateKey);
}
