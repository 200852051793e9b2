import { createHash } from "node:crypto";
import { TsignError } from "../errors.ts";
import { type Certificate, parseCertificate } from "./certificate.ts";
import { isSignedBy } from "./signed-by.ts";

/** Most signature checks for one path, as in Go's crypto/x509, and most untrusted certificates parsed. */
const MAX_WORK = 100;
/** Part of it that each path has for itself; an honest path needs less. */
const OWN_WORK = 8;
/** The rest is taken from a pool that all paths of a run share: an image may have a thousand signatures. */
const SHARED_WORK = 1000;

/** Most cached certificates, and most cached signature checks. */
const [MAX_PARSED, MAX_SIGNED] = [64, 10_000];

/** The budgeted operations of one path's search. */
export interface PathWork {
  /** Parses a certificate; free if it is cached. */
  parse(der: Uint8Array): Certificate;
  /** Whether the issuer's key made the certificate's signature; free if the pair is cached. */
  isSigned(certificate: Certificate, issuer: Certificate): boolean;
}

/**
 * Limits the work of searching paths among untrusted certificates, and caches its results: a path is verified at several times,
 * and many signatures share their authorities. All signatures of an image use one budget. When the shared pool is used up,
 * each still has enough for an honest path, so that hostile chains cannot hide a valid signature.
 */
export class PathBudget {
  readonly #shared = { parsed: SHARED_WORK, checked: SHARED_WORK };
  readonly #parsed = new Map<string, Certificate>();
  readonly #signed = new Map<string, boolean>();

  /** Starts the search for a path. */
  path(): PathWork {
    const used = { parsed: 0, checked: 0 };
    const spend = (kind: keyof typeof used) => {
      const isShared = used[kind] >= OWN_WORK;
      if (used[kind] >= MAX_WORK || (isShared && this.#shared[kind] === 0)) {
        throw new TsignError("limit", `search for a path to a trusted root stopped after ${used[kind]} ${UNITS[kind]}`);
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
      isSigned: (certificate, issuer) =>
        remember(
          this.#signed,
          MAX_SIGNED,
          `${certificate.native.fingerprint256} ${issuer.native.fingerprint256}`,
          () => {
            spend("checked"); // also for what other images had checked, on which the outcome must not depend
            return isSignedBy(certificate, issuer);
          },
        ),
    };
  }
}

const UNITS = { parsed: "certificates", checked: "signature checks" } as const;

const digest = (der: Uint8Array): string => createHash("sha256").update(der).digest("hex");

function remember<T>(known: Map<string, T>, most: number, key: string, make: () => T): T {
  const found = known.get(key);
  if (found !== undefined) return found;
  const made = make();
  if (known.size >= most) known.clear(); // bounds the memory
  known.set(key, made);
  return made;
}
