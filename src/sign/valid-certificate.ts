import { TsignError } from "../errors.ts";
import { certificateIssuer, certificateNames } from "../format/certificate-names.ts";
import type { Io } from "../io/io.ts";
import type { SigningCertificate } from "./sign.ts";

/** Time before its end at which a certificate is replaced, so that logs and timestamps come in time. Milliseconds. */
const MARGIN = 60_000;

/**
 * A certificate of a few minutes, which is replaced before it expires. The time is measured from its issue by this machine's clock,
 * which may differ from the authority's.
 */
export class ValidCertificate {
  readonly #io: Pick<Io, "now">;
  readonly #renew: () => Promise<SigningCertificate>;
  #latest: Promise<{ readonly certificate: SigningCertificate; readonly until: number }>;

  constructor(io: Pick<Io, "now">, first: SigningCertificate, renew: () => Promise<SigningCertificate>) {
    this.#io = io;
    this.#renew = renew;
    this.#latest = this.#dated(first);
    this.#latest.catch(() => {}); // thrown by `current`
  }

  /**
   * Returns the certificate, or a new one for the same identity.
   *
   * @throws TsignError "auth" if the new certificate is for another identity, and what getting one throws
   */
  async current(): Promise<SigningCertificate> {
    const latest = this.#latest;
    const { certificate, until } = await latest;
    if (this.#io.now().getTime() < until) return certificate;
    // The first of several callers renews for all.
    if (this.#latest === latest) {
      this.#latest = this.#replacement(certificate);
      this.#latest.catch(() => {});
    }
    return (await this.#latest).certificate;
  }

  async #replacement(old: SigningCertificate) {
    const certificate = await this.#renew();
    const [before, after] = [await identityIn(old), await identityIn(certificate)];
    if (before !== after) {
      throw new TsignError("auth", `certificate identity mismatch: got ${after}, want ${before}`, {
        hint: "sign the other images with the same login",
      });
    }
    return this.#dated(certificate);
  }

  async #dated(certificate: SigningCertificate) {
    const { parseCertificate } = await import("../trust/certificate.ts");
    const { validFromDate, validToDate } = parseCertificate(certificate.leaf).native;
    const lifetime = validToDate.getTime() - validFromDate.getTime();
    const until = this.#io.now().getTime() + lifetime - Math.min(MARGIN, lifetime / 2);
    return { certificate, until };
  }
}

/** The names and the issuer in a certificate, as text to compare. */
async function identityIn({ leaf }: SigningCertificate): Promise<string> {
  const { parseCertificate } = await import("../trust/certificate.ts");
  const { asn1 } = parseCertificate(leaf);
  return `${certificateNames(asn1).join(", ")} of issuer ${certificateIssuer(asn1) ?? "none"}`;
}
