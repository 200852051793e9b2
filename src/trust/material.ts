import type { KeyObject } from "node:crypto";
import type { CertificateAuthorities } from "./certificate-path.ts";

/** A period of trust, both ends included. */
export interface Period {
  readonly start: Date;
  /** Undefined: still trusted. */
  readonly end: Date | undefined;
}

/** A certificate or timestamp authority, and its period of trust. */
export interface Authority extends CertificateAuthorities {
  readonly validFor: Period;
}

/** A timestamp authority (RFC 3161). */
export interface TimestampAuthority extends Authority {
  /** DER of its signing certificate; undefined if each token contains it. */
  readonly leaf: Uint8Array | undefined;
}

/** A transparency log or a certificate transparency log. */
export interface Log {
  readonly baseUrl: string;
  /** Log ID in entries and SCTs, 32 bytes. */
  readonly id: Uint8Array;
  readonly key: KeyObject;
  readonly validFor: Period;
}

/** The contents of a trusted root (protobuf-specs, sigstore_trustroot.proto). */
export interface TrustedMaterial {
  readonly authorities: readonly Authority[];
  readonly logs: readonly Log[];
  readonly ctLogs: readonly Log[];
  readonly timestampAuthorities: readonly TimestampAuthority[];
}

/** Empty trusted material. */
export const NO_TRUST: TrustedMaterial = { authorities: [], logs: [], ctLogs: [], timestampAuthorities: [] };

/** An unlimited period, for trusted material given without one. */
export const ALWAYS: Period = { start: new Date(0), end: undefined };

/** Whether a time is within a period, both ends included. */
export function isWithin(period: Period, time: Date): boolean {
  return period.start <= time && (period.end === undefined || time <= period.end);
}
