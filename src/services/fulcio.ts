import { X509Certificate } from "node:crypto";
import { isObject, parseJson } from "../format/json.ts";
import { sameKey } from "../keys/index.ts";
import type { Signer } from "../keys/types.ts";
import type { TransportIo } from "../net/retry.ts";
import { apiUrl, post, refusal, type ServiceClient, serviceClient, wrongAnswer } from "./exchange.ts";

/** `PublicKeyAlgorithm` of fulcio.proto. */
const ALGORITHM = { ecdsa: "ECDSA", rsa: "RSA", ed25519: "ED25519" } as const;

/** What Fulcio issued: certificates as DER. */
export interface IssuedCertificate {
  readonly leaf: Uint8Array;
  /** From the leaf's issuer upwards. */
  readonly chain: readonly Uint8Array[];
}

/**
 * Asks Fulcio (its API v2, POST /api/v2/signingCert) for a certificate of a key for the identity a token proves. The key
 * signs the token's subject, to prove that the signer has it.
 *
 * @param options.token OIDC identity token; it is sent nowhere else and is in no message
 * @param options.subject the identity Fulcio takes from the token: its verified e-mail, else its subject
 * @throws TsignError "auth", "service" when Fulcio refuses, or answers with a certificate of another key
 */
export async function requestCertificate(
  io: TransportIo,
  options: { url: URL; token: string; subject: string; signer: Signer },
): Promise<IssuedCertificate> {
  const { url, token, subject, signer } = options;
  const client = serviceClient(io, { service: "fulcio", url });
  const { signature } = await signer.sign(Buffer.from(subject));
  const { kind, pem } = signer.publicKey;
  const algorithm = ALGORITHM[kind.type];
  const body = JSON.stringify({
    publicKeyRequest: {
      publicKey: { algorithm, content: pem },
      proofOfPossession: Buffer.from(signature).toString("base64"),
    },
  });
  const answer = await post(client, {
    url: apiUrl(client, "/api/v2/signingCert"),
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json", accept: "application/json" },
    body: Buffer.from(body),
  });
  if (answer.status !== 200 && answer.status !== 201) {
    throw refusal(client, answer, "is the identity token fresh, and of an issuer this Fulcio accepts?");
  }
  const [leaf, ...chain] = readChain(answer.bytes, client);
  if (!leaf || !sameKey(leaf.publicKey, signer.publicKey.object)) {
    throw wrongAnswer(client, "issued a certificate of another key");
  }
  return { leaf: leaf.raw, chain: chain.map(({ raw }) => raw) };
}

/** The certificates of a SigningCertificate message, with the SCT embedded or beside it. */
function readChain(bytes: Uint8Array, client: ServiceClient): X509Certificate[] {
  const json = parseJson(bytes, `the answer of Fulcio at ${client.url.host}`);
  const message = isObject(json)
    ? (json["signedCertificateEmbeddedSct"] ?? json["signedCertificateDetachedSct"])
    : null;
  const chain = isObject(message) ? message["chain"] : undefined;
  const certificates: unknown = isObject(chain) ? chain["certificates"] : undefined;
  try {
    if (Array.isArray(certificates)) return certificates.map((pem: unknown) => new X509Certificate(String(pem)));
  } catch {
    // reported below
  }
  throw wrongAnswer(client, "answered without a certificate");
}
