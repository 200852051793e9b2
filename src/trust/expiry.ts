import { parseCertificate } from "./certificate.ts";
import type { Authority, Period, TrustedMaterial } from "./material.ts";

/** The end of a part of a trusted root. */
export interface TrustEnd {
  /** What ends: a certificate authority, a log. */
  readonly what: string;
  readonly end: Date;
}

/**
 * Returns the part of a trusted root that ends first, of those that new signatures may use at a time. Signatures made before the end
 * still verify after it.
 *
 * @returns undefined when no current part has an end
 */
export function firstEnd(trust: TrustedMaterial, now: Date): TrustEnd | undefined {
  const parts: readonly (readonly [string, Date | undefined, Period])[] = [
    ...trust.authorities.map((each) => ["certificate authority", endOf(each), each.validFor] as const),
    ...trust.timestampAuthorities.map((each) => ["timestamp authority", endOf(each), each.validFor] as const),
    ...trust.logs.map(({ validFor }) => ["transparency log", validFor.end, validFor] as const),
    ...trust.ctLogs.map(({ validFor }) => ["certificate transparency log", validFor.end, validFor] as const),
  ];
  const current = parts.flatMap(([what, end, { start }]) => (end && start <= now && end >= now ? [{ what, end }] : []));
  return current.sort((a, b) => a.end.getTime() - b.end.getTime())[0];
}

/** Whether a trusted root has ended: it has parts, and none of a kind is current any more. */
export function hasEnded(trust: TrustedMaterial, now: Date): boolean {
  const { authorities, logs } = trust;
  const isOver = (ends: readonly (Date | undefined)[]) =>
    ends.length > 0 && ends.every((end) => end !== undefined && end < now);
  return isOver(authorities.map(endOf)) || isOver(logs.map(({ validFor }) => validFor.end));
}

/** The earliest end of an authority's period and of its certificates. */
function endOf({ roots, intermediates, validFor }: Authority): Date | undefined {
  const ends = [...roots, ...intermediates].map((der) => new Date(parseCertificate(der).native.validTo));
  return [...(validFor.end ? [validFor.end] : []), ...ends].sort((a, b) => a.getTime() - b.getTime())[0];
}
