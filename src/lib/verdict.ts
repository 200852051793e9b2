import { TsignError } from "../errors.ts";
import { type Check, fieldsOfCheck, type VerifiedContent, type VerifiedSigner } from "../verify/model.ts";
import type { Verified } from "../verify/verify.ts";
import type { SignedContent, SignerResult, VerificationResult } from "./types.ts";

/** Converts a verified signature to plain data. */
export function resultOf(verified: Verified): VerificationResult {
  const logEntries = verified.entries.map(({ kind, version, logIndex, logId, integratedTime }) => ({
    kind,
    version,
    logIndex,
    logId,
    ...(integratedTime ? { integratedTime: integratedTime.toISOString() } : {}),
  }));
  const timestamps = verified.timestamps.map(({ time }) => ({ time: time.toISOString() }));
  return {
    origin: verified.origin.where,
    signer: signerResult(verified.signer),
    content: contentResult(verified.content),
    times: [...logEntries.flatMap(({ integratedTime }) => integratedTime ?? []), ...timestamps.map(({ time }) => time)],
    logEntries,
    timestamps,
    checks: verified.checks.map(({ name, outcome, detail }) => ({ name, outcome, detail })),
  };
}

function signerResult(signer: VerifiedSigner): SignerResult {
  if (signer.kind === "key") return { kind: "key", publicKey: signer.key.pem };
  const { name, issuer, extensions, key } = signer;
  return {
    kind: "certificate",
    subject: name,
    ...(issuer === undefined ? {} : { issuer }),
    extensions: Object.fromEntries(extensions),
    publicKey: key.pem,
  };
}

function contentResult(content: VerifiedContent): SignedContent {
  const text = (bytes: Uint8Array) => Buffer.from(bytes).toString("utf8");
  switch (content.kind) {
    case "artifact":
      return { kind: "artifact" };
    case "simple-signing":
      return { kind: "simple-signing", payload: text(content.payload) };
    case "statement": {
      const { predicateType, subject, payload } = content;
      const { name, digest } = subject ?? {};
      return {
        kind: "statement",
        predicateType,
        ...(digest ? { subject: { ...(name === undefined ? {} : { name }), digest } } : {}),
        payload: text(payload),
      };
    }
  }
}

/** Builds the error for a failed check. @param summary such as `app.json does not verify the artifact` */
export function refusalOf(failed: Check, summary: string): TsignError {
  return new TsignError("bad-signature", `${summary}: ${failed.name}: ${failed.detail}`, fieldsOfCheck(failed));
}
