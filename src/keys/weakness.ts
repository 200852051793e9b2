import { checkPrimeSync, type KeyObject } from "node:crypto";

const RSA_SIZES = [2048, 3072, 4096];
const CURVES = ["prime256v1", "secp384r1", "secp521r1"];
/** RSA moduli that a verifier takes, in bits: 1024 bits can be factored by those who want to, OpenSSL takes no more than 16384. */
const [MIN_RSA_BITS, MAX_RSA_BITS] = [2048, 16_384];
/** Largest RSA exponent that Go's crypto/rsa takes. */
const MAX_EXPONENT = 2n ** 31n - 1n;
/** Moduli up to this many bits are tested for being prime, which takes longer the larger they are. */
const MAX_PRIME_TEST_BITS = 4096;
/** Bytes of a SubjectPublicKeyInfo with an uncompressed point, by curve; the point's first byte follows the rest. */
const POINT_BYTES: Readonly<Record<string, number>> = { prime256v1: 65, secp384r1: 97, secp521r1: 133 };
const ED25519_PRIME = 2n ** 255n - 19n;
/** The y coordinates of Ed25519's points of small order, of which every signature can be made by anybody (RFC 8032 §5.1). */
const SMALL_ORDER = [
  0n,
  1n,
  ED25519_PRIME - 1n,
  0x7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd84d3d706a17c7n,
  0x05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826n,
];
/** Rounds of Fermat's factorisation; primes this close are a known generator fault (CVE-2022-26320). */
const FERMAT_ROUNDS = 100;
const SQUARES_MOD_64 = new Set(Array.from({ length: 64 }, (_, n) => (n * n) % 64));
/** Primes below this are tried as factors. */
const SMALL_PRIME_BOUND = 752;

/**
 * Why a key should not be signed with, in the words of the weakness; undefined for a sound key. The checks are those of
 * Let's Encrypt's goodkey, which cosign applies when importing: RSA sizes 2048, 3072 and 4096, exponent 65537, small
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

/**
 * Why a signature by this key proves nothing: anybody could have made it. Undefined for a key that may be verified with. This
 * is the one rule for keys that are trusted, of certificates at every place in a path, of logs and of authorities. It takes more
 * than `weaknessOf`: every RSA size from 2048 to 16384 bits and every odd exponent from 3, because others may sign with them.
 */
export function faultOf(key: KeyObject): string | undefined {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
  switch (type) {
    case "ec": {
      const curve = details?.namedCurve ?? "";
      if (!CURVES.includes(curve)) return `keys on the curve ${curve || "given by parameters"} are not supported`;
      return isNamedPoint(key, POINT_BYTES[curve] ?? 0) ? undefined : "its point is not written in uncompressed form";
    }
    case "rsa":
      return rsaFault(key);
    case "ed25519":
      return isSmallOrder(key) ? "it is a point of small order, for which anybody can make signatures" : undefined;
    default:
      return `keys of type ${type ?? "unknown"} are not supported`;
  }
}

function rsaFault(key: KeyObject): string | undefined {
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
  if (bits < MIN_RSA_BITS) return `RSA keys of ${bits} bits are too short, ${MIN_RSA_BITS} is the least`;
  if (bits > MAX_RSA_BITS) return `RSA keys of ${bits} bits are too long, ${MAX_RSA_BITS} is the most`;
  const exponent = key.asymmetricKeyDetails?.publicExponent ?? 0n;
  if (exponent < 3n || exponent % 2n === 0n || exponent > MAX_EXPONENT) {
    return `the RSA exponent ${exponent} is not an odd number from 3 to ${MAX_EXPONENT}`;
  }
  const modulus = modulusOf(key);
  if (modulus % 2n === 0n) return "the RSA modulus is even";
  if (bits <= MAX_PRIME_TEST_BITS && checkPrimeSync(modulus)) return "the RSA modulus is a prime number";
  return factorWeakness(modulus);
}

/** Whether the key is written with its curve's name and an uncompressed point, the only form that Go's crypto/x509 reads. */
function isNamedPoint(key: KeyObject, pointBytes: number): boolean {
  const spki = key.export({ type: "spki", format: "der" });
  return spki.length < pointBytes + 32 && spki.at(-pointBytes) === 4;
}

function isSmallOrder(key: KeyObject): boolean {
  const bytes = key.export({ type: "spki", format: "der" }).subarray(-32).reverse(); // little-endian
  bytes[0] = (bytes[0] ?? 0) & 0x7f; // the sign of x
  const y = BigInt(`0x${bytes.toString("hex")}`);
  return y >= ED25519_PRIME || SMALL_ORDER.includes(y);
}

function rsaWeakness(key: KeyObject): string | undefined {
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
  if (!RSA_SIZES.includes(bits)) return `key size not supported: ${bits}`;
  const exponent = key.asymmetricKeyDetails?.publicExponent ?? 0n;
  if (exponent !== 65_537n) return `key exponent must be 65537, it is ${exponent}`;
  return factorWeakness(modulusOf(key));
}

function modulusOf(key: KeyObject): bigint {
  const { n = "" } = key.export({ format: "jwk" });
  return BigInt(`0x${Buffer.from(n, "base64url").toString("hex")}`);
}

function factorWeakness(modulus: bigint): string | undefined {
  if (hasSmallFactor(modulus)) return "key divisible by a small prime";
  if (isRoca(modulus)) return "key generated by a faulty Infineon library (ROCA, CVE-2017-15361)";
  if (hasClosePrimes(modulus)) return "key generated with factors too close together (Fermat)";
  return undefined;
}

function hasSmallFactor(modulus: bigint): boolean {
  return smallPrimes(SMALL_PRIME_BOUND).some((prime) => modulus % BigInt(prime) === 0n);
}

function smallPrimes(bound: number): number[] {
  const numbers = Array.from({ length: bound - 2 }, (_, index) => index + 2);
  return numbers.filter((n) => !numbers.some((divisor) => divisor * divisor <= n && n % divisor === 0));
}

/**
 * The primes of the faulty library are k·M + (65537^a mod M), so the modulus is a power of 65537 modulo every small prime
 * of M (Nemec et al., "The Return of Coppersmith's Attack", 2017, §2.3). A sound key practically never
 * is.
 */
function isRoca(modulus: bigint): boolean {
  return smallPrimes(168).every((prime) => {
    const residue = Number(modulus % BigInt(prime));
    const generator = 65_537 % prime;
    const seen = new Set<number>();
    for (let power = 1; !seen.has(power); power = (power * generator) % prime) seen.add(power);
    return seen.has(residue);
  });
}

/** Whether n = a² - b² for an a just above its root. */
function hasClosePrimes(modulus: bigint): boolean {
  let a = squareRoot(modulus);
  if (a * a < modulus) a += 1n;
  for (let round = 0; round < FERMAT_ROUNDS; round++, a += 1n) {
    const rest = a * a - modulus;
    if (!SQUARES_MOD_64.has(Number(rest & 63n))) continue; // no square ends so: most roots need not be taken
    const b = squareRoot(rest);
    if (b * b === rest) return true;
  }
  return false;
}

/** Largest integer whose square is at most n (Newton's method). */
function squareRoot(n: bigint): bigint {
  if (n < 2n) return n;
  let x = 1n << BigInt((n.toString(2).length + 1) >> 1);
  for (;;) {
    const next = (x + n / x) >> 1n;
    if (next >= x) return x;
    x = next;
  }
}
