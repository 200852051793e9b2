import { createHash } from "node:crypto";
import { TsignError } from "../errors.ts";
import { type Certificate, parseCertificate } from "./certificate.ts";

/** What one path may cost at most: signatures checked, as in Go's crypto/x509, and certificates of a stranger's parsed. */
const MAX_WORK = 100;
/** Of that every path has so much of its own: more than an honest one takes. */
const OWN_WORK = 8;
/** The rest is taken from what all paths of a run share: an image may have a thousand signatures. */
const SHARED_WORK = 1000;

/** Certificates and pairs that are remembered. */
const [MAX_PARSED, MAX_SIGNED] = [64, 10_000];

/** The work of one path's search. */
export interface PathWork {
  /** The certificate, parsed; one that was parsed before costs nothing. */
  parse(der: Uint8Array): Certificate;
  /** Whether the issuer's key made the certificate's signature; a pair that was checked before costs nothing. */
  isSigned(certificate: Certificate, issuer: Certificate): boolean;
}

/**
 * How much may be done while paths are searched among certificates that strangers wrote. It remembers what was done: a
 * certificate is judged at several times, and many signatures share their authorities. One budget serves all signatures
 * of an image; when what they share is used up, each still has enough for an honest path, so that hostile chains hide no
 * good signature.
 */
export class PathBudget {
  readonly #shared = { parsed: SHARED_WORK, checked: SHARED_WORK };
  readonly #parsed = new Map<string, Certificate>();
  readonly #signed = new Map<string, boolean>();

  /** The work of a path whose search begins now. */
  path(): PathWork {
    const used = { parsed: 0, checked: 0 };
    const spend = (kind: keyof typeof used) => {
      const isShared = used[kind] >= OWN_WORK;
      if (used[kind] >= MAX_WORK || (isShared && this.#shared[kind] === 0)) {
        throw new TsignError(
          "limit",
          `the search for a path to a trusted root was given up: ${used[kind]} ${WORDS[kind]}`,
        );
      }
      if (isShared) this.#shared[kind]--;
      used[kind]++;
    };
    return {
      parse: (der) =>
        remember(this.#parsed, MAX_PARSED, digest(der), () => {
          spend("parsed");
          return parseCertificate(der);
        }),
      isSigned: ({ native }, { native: issuer, key }) =>
        remember(this.#signed, MAX_SIGNED, `${native.fingerprint256} ${issuer.fingerprint256}`, () => {
          spend("checked");
          return native.verify(key);
        }),
    };
  }
}

const WORDS = { parsed: "certificates of its chain were tried", checked: "signatures were checked" } as const;

const digest = (der: Uint8Array): string => createHash("sha256").update(der).digest("hex");

function remember<T>(known: Map<string, T>, most: number, key: string, make: () => T): T {
  const found = known.get(key);
  if (found !== undefined) return found;
  const made = make();
  if (known.size >= most) known.clear(); // strangers' certificates must not fill the memory
  known.set(key, made);
  return made;
}
