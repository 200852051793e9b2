import type { TransparencyLogEntry as LogEntry } from "@sigstore/bundle";
import { TransparencyLogEntry } from "@sigstore/protobuf-specs";
import { encodeBase64 } from "../format/base64.ts";
import type { KeyKind } from "../keys/types.ts";
import type { TransportIo } from "../net/retry.ts";
import {
  INVALID_ENTRY,
  jsonOf,
  postJson,
  refusal,
  type ServiceClient,
  serviceClient,
  wrongAnswer,
} from "./exchange.ts";

/** A signature over a digest, with the key or certificate it was made with. */
export interface LogRequestV2 {
  /** Digest of the message, or of the pre-authentication encoding of an envelope. */
  readonly digest: Uint8Array;
  readonly signature: Uint8Array;
  readonly verifier:
    | { readonly kind: "certificate"; readonly der: Uint8Array }
    | { readonly kind: "public-key"; readonly spki: Uint8Array };
  readonly key: KeyKind;
}

/** Returns the PublicKeyDetails (sigstore_common.proto) of a key with its default hash. */
function keyDetails(key: KeyKind): string {
  switch (key.type) {
    case "ecdsa":
      return {
        "P-256": "PKIX_ECDSA_P256_SHA_256",
        "P-384": "PKIX_ECDSA_P384_SHA_384",
        "P-521": "PKIX_ECDSA_P521_SHA_512",
      }[key.curve];
    case "rsa":
      return `PKIX_RSA_PKCS1V15_${key.bits}_SHA256`;
    case "ed25519":
      return "PKIX_ED25519_PH";
  }
}

/**
 * Records a signature in a Rekor v2 log (POST /api/v2/log/entries, rekor-tiles' api/proto), which responds once the entry is
 * included. The entry is not verified here but in src/verify, before it is stored.
 *
 * @throws TsignError "auth", "service", and what the transport throws
 */
export async function uploadEntryV2(io: TransportIo, url: URL, request: LogRequestV2): Promise<LogEntry> {
  const client = serviceClient(io, { service: "rekor", url });
  const { digest, signature, verifier, key } = request;
  const material =
    verifier.kind === "certificate"
      ? { x509Certificate: { rawBytes: encodeBase64(verifier.der) } }
      : { publicKey: { rawBytes: encodeBase64(verifier.spki) } };
  const document = {
    hashedRekordRequestV002: {
      digest: encodeBase64(digest),
      signature: { content: encodeBase64(signature), verifier: { ...material, keyDetails: keyDetails(key) } },
    },
  };
  const answer = await postJson(client, "/api/v2/log/entries", { document });
  if (answer.status !== 201 && answer.status !== 200) throw refusal(client, answer);
  return readEntry(answer.bytes, client);
}

function readEntry(bytes: Uint8Array, client: ServiceClient): LogEntry {
  const json = jsonOf(client, bytes);
  const { logId, kindVersion, inclusionProof, ...rest } = TransparencyLogEntry.fromJSON(json);
  if (!logId || !kindVersion || !inclusionProof?.checkpoint || rest.canonicalizedBody.length === 0) {
    throw wrongAnswer(client, INVALID_ENTRY);
  }
  const { checkpoint } = inclusionProof;
  return { ...rest, logId, kindVersion, inclusionProof: { ...inclusionProof, checkpoint } };
}
