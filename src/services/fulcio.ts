import { X509Certificate } from "node:crypto";
import { isObject } from "../format/json.ts";
import { wrapPem } from "../format/pem.ts";
import { sameKey } from "../keys/index.ts";
import type { Signer } from "../keys/types.ts";
import type { TransportIo } from "../net/retry.ts";
import { jsonOf, postJson, refusal, type ServiceClient, serviceClient, wrongAnswer } from "./exchange.ts";

/** `PublicKeyAlgorithm` of fulcio.proto. */
const ALGORITHM = { ecdsa: "ECDSA", rsa: "RSA", ed25519: "ED25519" } as const;

const CHECK_TOKEN =
  "check that the identity token has not expired, and that this Fulcio accepts its issuer and audience";

/** An issued certificate with its chain, as DER. */
export interface IssuedCertificate {
  readonly leaf: Uint8Array;
  /** Starts with the leaf's issuer. */
  readonly chain: readonly Uint8Array[];
}

/**
 * Requests a certificate for a key and the identity in a token from Fulcio's API v2 (POST /api/v2/signingCert). The key signs
 * the token's subject as proof of possession.
 *
 * @param options.token OIDC identity token; it is sent to Fulcio only, and no message contains it
 * @param options.subject the identity in the token: its verified e-mail address, else its subject
 * @throws TsignError "auth" or "service" if Fulcio refuses, or returns a certificate for a different key
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
  const document = {
    publicKeyRequest: {
      publicKey: { algorithm, content: pem },
      proofOfPossession: Buffer.from(signature).toString("base64"),
    },
  };
  const headers = { authorization: `Bearer ${token}` };
  const answer = await postJson(client, "/api/v2/signingCert", { document, headers });
  if (answer.status !== 200 && answer.status !== 201) {
    throw refusal(client, answer, answer.status < 429 ? CHECK_TOKEN : undefined);
  }
  const [leaf, ...chain] = readChain(answer.bytes, client);
  if (!leaf || !sameKey(leaf.publicKey, signer.publicKey.object)) {
    throw wrongAnswer(client, "returned a certificate for a different key");
  }
  return { leaf: leaf.raw, chain: chain.map(({ raw }) => raw) };
}

/** Returns the certificates of a SigningCertificate message, with an embedded or a detached SCT. */
function readChain(bytes: Uint8Array, client: ServiceClient): X509Certificate[] {
  const json = jsonOf(client, bytes);
  const message = isObject(json)
    ? (json["signedCertificateEmbeddedSct"] ?? json["signedCertificateDetachedSct"])
    : null;
  const chain = isObject(message) ? message["chain"] : undefined;
  const certificates: unknown = isObject(chain) ? chain["certificates"] : undefined;
  try {
    if (Array.isArray(certificates))
      return certificates.map((pem: unknown) => new X509Certificate(wrapPem(String(pem))));
  } catch {
    // reported below
  }
  throw wrongAnswer(client, "returned no certificate");
}
