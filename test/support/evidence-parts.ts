import type { TransparencyLogEntry } from "@sigstore/bundle";
import { type ErrorCode, TsignError } from "../../src/errors.ts";
import { implicit, sequence } from "../../src/sandbox/pki/der.ts";
import { extension } from "../../src/sandbox/pki/x509.ts";
import { foundry } from "./authorities.ts";

/** Matches a TsignError with this code in assert.throws and assert.rejects. */
export const refused = (code: ErrorCode, text = "") => {
  return (error: unknown) => error instanceof TsignError && error.code === code && error.message.includes(text);
};
export const badBundle = refused("bad-bundle");

export const jsonBytes = (value: unknown) => Buffer.from(JSON.stringify(value));
export const base64 = (bytes: Uint8Array | string) => Buffer.from(bytes).toString("base64");

/** Creates a certificate (DER) for e-mail addresses, with an optional OIDC issuer. */
export function certificateOf(names: readonly string[], issuer?: string): Buffer {
  const { newKey, make } = foundry();
  const more = [
    ...(names.length > 0
      ? [extension("2.5.29.17", sequence(...names.map((name) => implicit(1, Buffer.from(name)))))]
      : []),
    ...(issuer === undefined ? [] : [extension("1.3.6.1.4.1.57264.1.1", Buffer.from(issuer))]),
  ];
  return make({ name: undefined, key: newKey(), issuer: "authority", issuerKey: newKey(), more });
}

/** A log entry with an invalid signed entry timestamp and an invalid inclusion proof. */
export function logEntry(change: Partial<TransparencyLogEntry> = {}): TransparencyLogEntry {
  return {
    logIndex: "12",
    logId: { keyId: Buffer.alloc(32, 7) },
    kindVersion: { kind: "hashedrekord", version: "0.0.1" },
    integratedTime: "1700000000",
    inclusionPromise: { signedEntryTimestamp: Buffer.from("promise") },
    inclusionProof: {
      logIndex: "3",
      rootHash: Buffer.alloc(32, 1),
      treeSize: "9",
      hashes: [Buffer.alloc(32, 2)],
      checkpoint: { envelope: "checkpoint" },
    },
    canonicalizedBody: jsonBytes({ kind: "hashedrekord", apiVersion: "0.0.1", spec: {} }),
    ...change,
  };
}
