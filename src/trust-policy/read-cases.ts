import { TsignError } from "../errors.ts";
import { isDigest } from "../format/digest.ts";
import { parseReference } from "../oci/ref.ts";
import { type PolicyDocument, readPolicyDocument } from "./document.ts";
import { errorOf, type Refuse, validate } from "./faults.ts";
import type { PolicyCase } from "./model.ts";
import { readTime } from "./read-signers.ts";
import { CasesFile, type CaseText } from "./schema.ts";

/**
 * Reads a file of cases beside a policy: `version: 1` and `tests:`.
 *
 * @throws TsignError "input" for the first fault, with its place
 */
export function readCasesFile(content: string | Uint8Array, path: string): PolicyCase[] {
  const document = readPolicyDocument(content, path);
  return readCases(validate<{ tests: CaseText[] }>(document, CasesFile).tests, { document, path });
}

/**
 * Reads cases.
 *
 * @param of.document the document whose field `tests` they are
 * @throws TsignError "input"
 */
export function readCases(
  texts: readonly CaseText[],
  of: { readonly document: PolicyDocument; readonly path: string },
): PolicyCase[] {
  const { document, path } = of;
  const refuse: Refuse = (at, reason, hint) => {
    throw errorOf(document, { path: at, reason, hint });
  };
  return texts.map((text, index) => {
    const at = ["tests", index];
    const { name, bundles = [], layout, expect, rule, reason } = text;
    if (layout !== undefined && (bundles.length > 0 || text.file !== undefined)) {
      refuse([...at, "layout"], "layout cannot be used with bundles or file", "write one of them");
    }
    if (expect === "accept" && reason !== undefined) {
      refuse([...at, "reason"], "reason cannot be used with expect: accept", "remove it");
    }
    return {
      name,
      place: document.placeOf(at),
      path,
      subject: subjectOf(text, at, refuse),
      bundles,
      layout,
      at: text.at === undefined ? undefined : readTime(text.at, [...at, "at"], refuse),
      expect,
      rule,
      reason,
    };
  });
}

function subjectOf(text: CaseText, at: readonly (string | number)[], refuse: Refuse): PolicyCase["subject"] {
  const { image, file, digest, layout } = text;
  if ((image === undefined) === (file === undefined)) refuse(at, "expected one of image and file", "write image: NAME");
  if (digest !== undefined && !isDigest(digest)) {
    return refuse([...at, "digest"], `"${digest}" is not a digest`, "write sha256:<64 hex digits>");
  }
  if (file !== undefined) {
    if (digest === undefined) return refuse(at, "missing digest", "write digest: sha256:… of the file");
    return { kind: "file", file, digest };
  }
  const reference = image ?? "";
  const named = parsed(reference, at, refuse).digest;
  if (named === undefined && digest === undefined && layout === undefined) {
    refuse(at, "missing digest", "write digest: sha256:…, or name the image by its digest");
  }
  if ((named !== undefined && digest !== undefined) || (layout !== undefined && digest !== undefined)) {
    refuse([...at, "digest"], "digest is known already", "remove it");
  }
  return { kind: "image", reference, digest: named ?? digest };
}

function parsed(reference: string, at: readonly (string | number)[], refuse: Refuse) {
  try {
    return parseReference(reference);
  } catch (error) {
    if (!(error instanceof TsignError)) throw error;
    return refuse([...at, "image"], error.message);
  }
}
