import type { KeyObject } from "node:crypto";
import { CURVES, factorWeakness, modulusOf } from "../format/key-fault.ts";

const RSA_SIZES = [2048, 3072, 4096];

/**
 * Returns why a key is too weak to sign with; undefined for a strong key. The checks are those of Let's Encrypt's goodkey,
 * which cosign applies when importing: RSA sizes 2048, 3072 and 4096, exponent 65537, small
 * factors, ROCA (CVE-2017-15361), close primes; ECDSA on P-256, P-384 and P-521.
 */
export function weaknessOf(key: KeyObject): string | undefined {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
  if (type === "ec") {
    return CURVES.includes(details?.namedCurve ?? "")
      ? undefined
      : `error validating ecdsa key: ECDSA curve ${details?.namedCurve} not allowed`;
  }
  if (type === "rsa") {
    const weakness = rsaWeakness(key);
    return weakness && `error validating rsa key: ${weakness}`;
  }
  return type === "ed25519" ? undefined : `keys of type ${type} are not supported`;
}

function rsaWeakness(key: KeyObject): string | undefined {
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
  if (!RSA_SIZES.includes(bits)) return `key size not supported: ${bits}`;
  const exponent = key.asymmetricKeyDetails?.publicExponent ?? 0n;
  if (exponent !== 65_537n) return `key exponent must be 65537, got ${exponent}`;
  return factorWeakness(modulusOf(key));
}
