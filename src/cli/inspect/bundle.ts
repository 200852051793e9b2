import { RFC3161Timestamp } from "@sigstore/core";
import { Bundle, HashAlgorithm, hashAlgorithmToJSON } from "@sigstore/protobuf-specs";
import { TsignError } from "../../errors.ts";
import { canonicalBundle } from "../../evidence/bundle/shape.ts";
import { IN_TOTO_PAYLOAD_TYPE } from "../../evidence/media-types.ts";
import { decodeBase64 } from "../../format/base64.ts";
import { isObject, parseJson, textOf } from "../../format/json.ts";
import { printable } from "../../format/printable.ts";
import { certificateNodes } from "./certificate.ts";
import { logEntryNode } from "./log-entry.ts";
import { hasEscapes, type Node, node, present, render, timeText, warning } from "./tree.ts";

const FIELDS = new Set(["mediaType", "verificationMaterial", "messageSignature", "dsseEnvelope"]);

type Material = NonNullable<Bundle["verificationMaterial"]>;

const MEDIA_TYPE = /^application\/vnd\.dev\.sigstore\.bundle(?:\+json;version=(0\.[123])|\.v(0\.3)\+json)$/;
const HASHES: Readonly<Record<string, string>> = {
  sha1: "SHA-1",
  sha256: "SHA-256",
  sha384: "SHA-384",
  sha512: "SHA-512",
};

/**
 * What a bundle holds, line by line, with a warning wherever it is not as its version demands. Nothing is verified, and a
 * bundle that could never be is shown all the same.
 *
 * @returns the lines, and whether unprintable characters in them are shown as escapes
 * @throws TsignError "bad-bundle" for anything but the JSON of a bundle
 */
export function inspectBundle(bytes: Uint8Array): { lines: string[]; isEscaped: boolean } {
  const json = parseJson(bytes, "the bundle");
  if (!isObject(json)) throw new TsignError("bad-bundle", "the bundle is not a JSON object");
  const unknown = Object.keys(json).find((key) => !FIELDS.has(key));
  if (unknown !== undefined) {
    throw new TsignError("bad-bundle", `not a Sigstore bundle: it has the field "${printable(unknown)}"`, {
      hint: "convert a bundle of the old format with `tsign bundle create --bundle`",
    });
  }
  const bundle = Bundle.fromJSON(canonicalBundle(json));
  const [, old, recent] = MEDIA_TYPE.exec(bundle.mediaType) ?? [];
  const version = old ?? recent;
  const mediaType = node("Bundle Media Type", bundle.mediaType);
  const outline = [
    mediaType,
    ...(bundle.mediaType === "" ? [warning("Missing Bundle Media Type")] : []),
    ...(bundle.mediaType !== "" && version === undefined ? [warning("Unrecognized Media Type")] : []),
    materialNode(bundle.verificationMaterial, version),
    contentNode(bundle),
  ];
  return { lines: render(outline), isEscaped: hasEscapes(outline) };
}

function materialNode(material: Material | undefined, version: string | undefined): Node {
  if (!material) return warning("Missing Verification Material");
  const { tlogEntries, timestampVerificationData: times } = material;
  const entries = tlogEntries.map((entry, index) => logEntryNode(entry, index, version));
  return node(
    "Verification Material",
    undefined,
    keyNode(material, version),
    entries.length > 0 ? node("Transparency Log Entries", entries.length, ...entries) : undefined,
    times
      ? node(
          "Timestamp Verification Data",
          undefined,
          node("RFC3161 Timestamps", times.rfc3161Timestamps.length),
          ...times.rfc3161Timestamps.map(({ signedTimestamp }, index) => timestampNode(signedTimestamp, index)),
        )
      : undefined,
  );
}

function keyNode({ content }: Material, version: string | undefined): Node {
  switch (content?.$case) {
    case "publicKey":
      return node("Content", "Public Key Identifier", hintNode(content.publicKey.hint));
    case "certificate": {
      const { rawBytes } = content.certificate;
      const odd = version === "0.1" || version === "0.2";
      return node(
        "Content",
        "X.509 Certificate",
        ...readableCertificate(rawBytes),
        odd ? warning("v0.1/v0.2 bundle should use certificate chain, not single certificate") : undefined,
      );
    }
    case "x509CertificateChain": {
      const { certificates } = content.x509CertificateChain;
      const nodes = certificates.map(({ rawBytes }, index) =>
        node(`Certificate [${index}]`, undefined, ...readableCertificate(rawBytes)),
      );
      return node(
        "Content",
        "X.509 Certificate Chain",
        nodes.length > 0 ? node("Certificates", nodes.length) : warning("Certificate chain is empty"),
        ...nodes,
        version === "0.3" ? warning("v0.3 bundle should use single certificate, not chain") : undefined,
      );
    }
    default:
      return warning("Missing Verification Material Content (must be certificate, chain, or public key)");
  }
}

/** Hints are base64 of a key's hash where cosign wrote them. */
function hintNode(hint: string): Node {
  if (hint === "") return warning("Public key hint is empty");
  const bytes = decodeBase64(hint);
  return node("Hint", bytes ? Buffer.from(bytes).toString("hex") : hint);
}

function readableCertificate(der: Uint8Array): Node[] {
  if (der.length === 0) return [warning("Certificate raw_bytes is empty")];
  try {
    return certificateNodes(der);
  } catch (error) {
    return [node("Error", `the certificate cannot be read: ${error instanceof Error ? error.message : "unknown"}`)];
  }
}

function timestampNode(der: Uint8Array, index: number): Node {
  const label = `Timestamp [${index}]`;
  try {
    const { tstInfo } = RFC3161Timestamp.parse(Buffer.from(der));
    const [, policy, , serial] = tstInfo.root.subs;
    const hash = tstInfo.messageImprintHashAlgorithm;
    return node(
      label,
      undefined,
      node("Time", timeText(tstInfo.genTime)),
      node("Hash Algorithm", HASHES[hash] ?? hash),
      present("Message Imprint", tstInfo.messageImprintHashedMessage),
      node("Serial Number", serial?.toInteger() ?? "none"),
      node("Policy", policy?.toOID() ?? "none"),
    );
  } catch {
    return node(label, undefined, warning("it cannot be read"));
  }
}

function contentNode({ content }: Bundle): Node {
  switch (content?.$case) {
    case "messageSignature": {
      const { messageDigest, signature } = content.messageSignature;
      const digest =
        messageDigest &&
        node(
          "Message Digest",
          undefined,
          node("Algorithm", hashAlgorithmToJSON(messageDigest.algorithm ?? HashAlgorithm.HASH_ALGORITHM_UNSPECIFIED)),
          present("Digest", messageDigest.digest),
        );
      return node("Content", undefined, node("Type", "Message Signature"), digest, present("Signature", signature));
    }
    case "dsseEnvelope": {
      const { payload, payloadType, signatures } = content.dsseEnvelope;
      const each = signatures.map(({ sig, keyid }, index) =>
        node(
          `Signature [${index}]`,
          undefined,
          present("Signature", sig),
          keyid === "" ? undefined : node("Key Hint", keyid),
        ),
      );
      return node(
        "Content",
        undefined,
        node("Type", "DSSE Envelope"),
        node("Payload Type", payloadType),
        present("Payload", payload),
        payloadType === IN_TOTO_PAYLOAD_TYPE ? statementNode(payload) : undefined,
        node("Signatures", signatures.length, ...each),
        signatures.length === 1 ? undefined : warning("DSSE envelope MUST contain only one signature"),
      );
    }
    default:
      return warning("Missing Content");
  }
}

/** Undefined for a payload that is not a JSON object. */
function statementNode(payload: Uint8Array): Node | undefined {
  let statement: unknown;
  try {
    statement = parseJson(payload, "the statement");
  } catch {
    return undefined;
  }
  if (!isObject(statement)) return undefined;
  const { predicateType, subject } = statement;
  const names = Array.isArray(subject) ? subject.flatMap((each) => (isObject(each) ? (each["name"] ?? []) : [])) : [];
  return node(
    "Payload Content (in-toto)",
    undefined,
    typeof predicateType === "string" ? node("Predicate Type", predicateType) : undefined,
    Array.isArray(subject)
      ? node("Subjects", subject.length, ...names.map((each) => node("Name", textOf(each))))
      : undefined,
  );
}
