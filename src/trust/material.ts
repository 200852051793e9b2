import type { KeyObject } from "node:crypto";
import type { CertificateAuthorities } from "./certificate-path.ts";

/** When something may be relied on; both ends belong to it. */
export interface Period {
  readonly start: Date;
  /** Undefined: still trusted. */
  readonly end: Date | undefined;
}

/** A certificate authority, or a timestamp authority, and when it is trusted. */
export interface Authority extends CertificateAuthorities {
  readonly validFor: Period;
}

/** A timestamp authority (RFC 3161); its signing certificate may be known, or come with the token. */
export interface TimestampAuthority extends Authority {
  /** DER; undefined when the token has to bring it. */
  readonly leaf: Uint8Array | undefined;
}

/** A transparency log or a certificate transparency log. */
export interface Log {
  readonly baseUrl: string;
  /** What entries and SCTs name the log by: 32 bytes. */
  readonly id: Uint8Array;
  readonly key: KeyObject;
  readonly validFor: Period;
}

/** Everything a verifier trusts besides the user's own key or identity (protobuf-specs, sigstore_trustroot.proto). */
export interface TrustedMaterial {
  readonly authorities: readonly Authority[];
  readonly logs: readonly Log[];
  readonly ctLogs: readonly Log[];
  readonly timestampAuthorities: readonly TimestampAuthority[];
}

/** Trust in nothing. */
export const NO_TRUST: TrustedMaterial = { authorities: [], logs: [], ctLogs: [], timestampAuthorities: [] };

/** Trust from before anything says when it began: for material the user names without a period. */
export const ALWAYS: Period = { start: new Date(0), end: undefined };

/** Whether a time lies in a period, its ends included. */
export function isWithin(period: Period, time: Date): boolean {
  return period.start <= time && (period.end === undefined || time <= period.end);
}
