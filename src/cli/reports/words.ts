import type { ImageState } from "../../images/batch.ts";
import type { ImageRecord, ImagesResult } from "./record.ts";
import type { SignatureRecord } from "./signature-record.ts";

/** How reports call the states of images. */
export const STATE_WORDS: Readonly<Record<ImageState, string>> = {
  verified: "verified",
  refused: "refused",
  unsigned: "unsigned",
  "not-found": "not found",
  unchecked: "not checked",
};

/** `2 of 3 images verified, 1 refused`. */
export function summaryText({ summary }: ImagesResult): string {
  const others = (["refused", "unsigned", "not-found", "unchecked"] as const)
    .filter((state) => summary[state] > 0)
    .map((state) => `, ${summary[state]} ${STATE_WORDS[state]}`);
  return `${summary.verified} of ${summary.total} ${summary.total === 1 ? "image" : "images"} verified${others.join("")}`;
}

/** Who signed an image and when; empty for an image that did not verify. */
export function signerText({ signatures }: ImageRecord): { signer: string; issuer: string; time: string } {
  const first = signatures.find(({ verified }) => verified);
  const signer = first?.signer;
  return {
    signer: signer === undefined ? "" : signer.kind === "key" ? `key ${signer.keyId}` : signer.identity,
    issuer: signer?.kind === "certificate" ? (signer.issuer ?? "") : "",
    time: first?.times?.[0]?.time.replace(/\.\d+Z$/, "Z") ?? "",
  };
}

/** Why a signature does not count, in one line; empty for one that does. */
export function failureText({ failure, unsatisfied }: SignatureRecord): string {
  if (unsatisfied) return `does not satisfy the policies: ${unsatisfied.join("; ")}`;
  return failure ? `${failure.check}: ${failure.reason}` : "";
}

/** The error of an image with its hint and the failures of its signatures, a line each. */
export function errorLines({ error, signatures }: ImageRecord): string[] {
  if (!error) return [];
  const failures = signatures.filter(({ verified }) => !verified);
  return [
    error.message,
    ...(error.hint === undefined ? [] : [`hint: ${error.hint}`]),
    ...failures.map((each) => `${each.place}: ${failureText(each)}`),
  ];
}
