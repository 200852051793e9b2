import { TsignError } from "../../errors.ts";
import { claimedSigner } from "../../evidence/find/claimed-signer.ts";
import { SIGN_PREDICATE_TYPE } from "../../evidence/media-types.ts";
import type { Evidence } from "../../evidence/model.ts";
import { readStatement } from "../../evidence/statement.ts";
import type { registryFlags } from "../flags/registry.ts";
import type { FlagValues } from "../parser/define.ts";
import { certifiedIdentity, verifyCommand } from "../print/certified-identity.ts";

/** What a signature claims; nothing of it is verified. */
export interface ClaimedSignature {
  readonly where: string;
  readonly kind: "signature" | "attestation";
  readonly signer: string;
  readonly source: Readonly<Record<string, string>>;
  readonly issuer?: string;
  readonly predicateType?: string;
  /** `2026-11-30T08:01:02Z`, as its log entry claims. */
  readonly time?: string;
  readonly logIndex?: string;
  /** The command that verifies it. */
  readonly command?: string;
  /** Why there is none, or what to replace in it. */
  readonly note?: string;
}

/** What the signatures are of, as the commands name it. */
export interface ClaimedSubject {
  readonly kind: "image" | "layout" | "file";
  /** `registry/repository@sha256:…`, a folder, or a file; undefined for a bundle whose file is not known. */
  readonly name: string | undefined;
  /** The bundle of a file. */
  readonly bundle?: string;
  readonly flags: FlagValues<typeof registryFlags> & { trustedRoot: string; attachmentTagPrefix: string };
}

/** Describes what a signature claims, and how it is verified strictly. */
export async function claimedSignature(evidence: Evidence, subject: ClaimedSubject): Promise<ClaimedSignature> {
  const predicateType = predicateTypeOf(evidence);
  const isAttestation = predicateType !== undefined && predicateType !== SIGN_PREDICATE_TYPE;
  const [entry] = evidence.log;
  const seconds = Number(entry?.integratedTime ?? 0);
  const identity =
    evidence.key.kind === "certificate" ? await certifiedIdentity(evidence.key.leaf).catch(withoutIdentity) : undefined;
  return {
    where: evidence.origin.where,
    kind: isAttestation ? "attestation" : "signature",
    signer: identity?.name ?? claimedSigner(evidence),
    source: Object.fromEntries(identity?.source ?? []),
    ...(identity ? { issuer: identity.issuer } : {}),
    ...(isAttestation ? { predicateType } : {}),
    ...(seconds > 0 && seconds < 1e11 ? { time: new Date(seconds * 1000).toISOString().replace(/\.\d+Z$/, "Z") } : {}),
    ...(entry ? { logIndex: entry.logIndex } : {}),
    ...howToVerify(evidence, subject, { identity, predicateType: isAttestation ? predicateType : undefined }),
  };
}

/** A malformed certificate has no identity. */
function withoutIdentity(error: unknown): undefined {
  if (!(error instanceof TsignError)) throw error;
  return undefined;
}

/** The type of a statement; undefined for other content and a malformed statement. */
function predicateTypeOf({ content }: Evidence): string | undefined {
  if (content.kind !== "dsse") return undefined;
  try {
    return readStatement(content).predicateType;
  } catch (error) {
    if (error instanceof TsignError) return undefined;
    throw error;
  }
}

function howToVerify(
  { key, log }: Evidence,
  subject: ClaimedSubject,
  {
    identity,
    predicateType,
  }: { identity: Awaited<ReturnType<typeof certifiedIdentity>>; predicateType: string | undefined },
): Pick<ClaimedSignature, "command" | "note"> {
  if (key.kind === "certificate" && !identity) {
    return { note: "the certificate has no readable name or no readable issuer, so that no identity can be required" };
  }
  const signer = identity
    ? ["--certificate-identity", identity.name, "--certificate-oidc-issuer", identity.issuer]
    : ["--key", "cosign.pub"];
  const words = subject.kind === "file" ? "verify-blob" : "verify";
  const command = verifyCommand(signer, {
    words: predicateType === undefined ? words : `${words}-attestation`,
    flags: subject.flags,
    options: [
      ...(predicateType === undefined ? [] : ["--type", predicateType]),
      ...(subject.bundle === undefined ? [] : ["--bundle", subject.bundle]),
      ...(subject.kind === "layout" ? ["--local-image"] : []),
    ],
    args: [subject.name ?? "FILE"],
  });
  if (command === undefined)
    return { note: "a name in it contains control characters, so that no command can be shown" };
  const notes = [
    ...(identity ? [] : ["replace cosign.pub by the signer's public key, from a source that you trust"]),
    ...(subject.name === undefined ? ["replace FILE by the signed file"] : []),
    ...(log.length === 0 && !identity ? ["it has no log entry; if that is intended, add --insecure-ignore-tlog"] : []),
  ];
  return { command, ...(notes.length > 0 ? { note: notes.join("; ") } : {}) };
}
