import type { ImageState } from "../../images/batch.ts";
import type { ImageRecord, ImagesResult } from "./record.ts";
import { errorLines, STATE_WORDS, signerText } from "./words.ts";

const STATES: readonly ImageState[] = ["refused", "unsigned", "not-found", "unchecked", "verified"];

const RULES: Readonly<Record<ImageState, { name: string; text: string }>> = {
  refused: { name: "ImageRefused", text: "No signature of the image meets the requirements." },
  unsigned: { name: "ImageUnsigned", text: "The image has no signature." },
  "not-found": { name: "ImageNotFound", text: "The image does not exist." },
  unchecked: { name: "ImageNotChecked", text: "The image could not be checked." },
  verified: { name: "ImageVerified", text: "The image has a signature that meets the requirements." },
};

/** A SARIF 2.1.0 log (OASIS) with one run, and a result for each image: `fail` at level error, or `pass`. */
export function sarifReport({ images }: ImagesResult): string {
  const log = {
    $schema: "https://json.schemastore.org/sarif-2.1.0.json",
    version: "2.1.0",
    runs: [
      {
        tool: {
          driver: {
            name: "tsign",
            rules: STATES.map((state) => ({
              id: `image-${state}`,
              name: RULES[state].name,
              shortDescription: { text: RULES[state].text },
            })),
          },
        },
        results: images.map(resultOf),
      },
    ],
  };
  return `${JSON.stringify(log, null, 2)}\n`;
}

function resultOf(record: ImageRecord): object {
  const { image, state, digest, pinned } = record;
  const isPass = state === "verified";
  return {
    ruleId: `image-${state}`,
    ruleIndex: STATES.indexOf(state),
    kind: isPass ? "pass" : "fail",
    level: isPass ? "none" : "error",
    message: {
      text: messageText(isPass ? verifiedText(record) : `${STATE_WORDS[state]}: ${errorLines(record).join("\n")}`),
    },
    locations: [
      {
        physicalLocation: { artifactLocation: { uri: uriOf(image) }, region: { startLine: 1 } },
        logicalLocations: [{ name: image, fullyQualifiedName: pinned ?? image, kind: "resource" }],
      },
    ],
    partialFingerprints: { "image/v1": image },
    properties: { ...(digest === undefined ? {} : { digest }), ...(record.error ? { code: record.error.code } : {}) },
  };
}

function verifiedText(record: ImageRecord): string {
  const { signer, issuer, time } = signerText(record);
  return `signed by ${signer}${issuer === "" ? "" : ` (issuer ${issuer})`}${time === "" ? "" : ` at ${time}`}`;
}

/** Text without links (SARIF 2.1.0 §3.11.6) and placeholders (§3.11.5). */
function messageText(text: string): string {
  return text.replaceAll(/[\\[\]]/g, "\\$&").replaceAll(/[{}]/g, "$&$&");
}

/** The name as a relative reference (RFC 3986), which is no scheme followed by a path. */
function uriOf(image: string): string {
  return image.split("/").map(encodeURIComponent).join("/");
}
