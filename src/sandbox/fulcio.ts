import { createHash, generateKeyPairSync } from "node:crypto";
import { writePem } from "../format/pem.ts";
import type { ServerResponse } from "../io/io.ts";
import { type CtLog, SCT_LIST_OID } from "./logs/ct.ts";
import {
  BAD_TOKEN,
  type Identity,
  type Issuers,
  identityOf,
  isForJobs,
  subjectAlternativeName,
} from "./oidc/identity.ts";
import { AUDIENCE, type TokenMaker } from "./oidc/token.ts";
import { type Verifier, verifierOf, verifyMessage } from "./pki/signature.ts";
import {
  type Authority,
  distinguishedName,
  EKU_CODE_SIGNING,
  extension,
  serialNumber,
  signCertificate,
  tbsCertificate,
  usualExtensions,
} from "./pki/x509.ts";
import type { Clock } from "./server/clock.ts";
import { answer, bytesOf, type Call, json, jsonOf, Refused, type Service, textAt, valueAt } from "./server/service.ts";

const LIFETIME = 10 * 60 * 1000;
/** gRPC codes of the HTTP statuses, as returned by Fulcio's gateway. */
const GRPC_CODES: Readonly<Record<number, number>> = { 400: 3, 404: 5, 429: 8, 500: 13, 501: 12 };

interface Options {
  readonly root: Authority;
  readonly intermediate: Authority;
  readonly ct: CtLog;
  readonly tokens: TokenMaker;
  readonly issuers: Issuers;
  readonly clock: Clock;
  readonly random: (bytes: number) => Uint8Array;
}

/** Creates Fulcio with its APIs version 2 (fulcio.proto) and version 1 (used by cosign 2). */
export function createFulcio(options: Options): Service {
  const issuing = [options.intermediate.certificate, options.root.certificate].map(pem);
  return {
    name: "fulcio",
    maxBody: 256 * 1024,
    failure: (status, message) => json({ code: GRPC_CODES[status] ?? 2, message, details: [] }, { status }),
    routes: {
      "POST /api/v2/signingCert": async (call) => {
        const body = jsonOf(call);
        const leaf = await issue(options, call, {
          publicKey: textAt(body, "publicKeyRequest.publicKey.content"),
          proof: textAt(body, "publicKeyRequest.proofOfPossession"),
          token: valueAt(body, "credentials.oidcIdentityToken"),
        });
        return json({ signedCertificateEmbeddedSct: { chain: { certificates: [pem(leaf), ...issuing] } } });
      },
      "POST /api/v1/signingCert": async (call) => {
        const body = jsonOf(call);
        const leaf = await issue(options, call, {
          publicKey: publicKeyOfV1(textAt(body, "publicKey.content")),
          proof: textAt(body, "signedEmailAddress"),
        });
        return chain([pem(leaf), ...issuing], 201);
      },
      "GET /api/v2/trustBundle": () => json({ chains: [{ certificates: issuing }] }),
      "GET /api/v1/rootCert": () => chain(issuing, 200),
      "GET /api/v2/configuration": () => {
        const { people, ci } = options.issuers;
        const issuer = (challengeClaim: string) => ({ audience: AUDIENCE, challengeClaim });
        return json({
          issuers: [
            { issuerUrl: people, ...issuer("email") },
            { issuerUrl: ci, ...issuer("sub") },
            { wildcardIssuerUrl: `${ci}/*`, ...issuer("sub") },
          ],
        });
      },
    },
  };
}

function pem(der: Uint8Array): string {
  return writePem("CERTIFICATE", der);
}

function chain(certificates: readonly string[], status: number): ServerResponse {
  return answer(certificates.join(""), { status, type: "application/pem-certificate-chain" });
}

/** Decodes the public key of version 1, base64 of PEM or of DER. */
function publicKeyOfV1(content: string): string {
  const bytes = bytesOf(content, "publicKey.content");
  const text = bytes.toString("latin1");
  return text.startsWith("-----BEGIN") ? text : writePem("PUBLIC KEY", bytes);
}

/**
 * Checks token and proof of possession, and issues a certificate with an SCT.
 *
 * @param request.token the token of the Credentials in fulcio.proto; without it, the Authorization header is used
 */
async function issue(
  options: Options,
  call: Call,
  request: { publicKey: string; proof: string; token?: unknown },
): Promise<Buffer> {
  const { token = "" } = request;
  const identity = identityOf(claimsOf(options, token === "" ? bearerToken(call) : token), options.issuers);
  const verifier = verifierOf(request.publicKey);
  if (verifier.certificate) throw new Refused(400, "expected a public key, found a certificate");
  requireSupported(verifier);
  const proof = bytesOf(request.proof, "proof of possession");
  if (!verifyMessage(verifier.key, Buffer.from(identity.subject), { signature: proof })) {
    throw new Refused(400, "The signature supplied in the request could not be verified");
  }
  const spki = call.faults.has("other-key") ? otherKey() : verifier.der;
  return certify(options, { identity, spki, spoilt: call.faults.has("bad-sct") });
}

function bearerToken({ headers }: Call): string | undefined {
  return /^bearer (\S+)$/i.exec(headers["authorization"] ?? "")?.[1];
}

function claimsOf({ tokens, issuers }: Options, token: unknown): Record<string, unknown> {
  const claims = typeof token === "string" ? tokens.check(token) : undefined;
  const audiences = [claims?.["aud"]].flat();
  const known = claims?.["iss"] === issuers.people || isForJobs(claims?.["iss"], issuers);
  if (!claims || !known || !audiences.includes(AUDIENCE)) {
    throw new Refused(400, BAD_TOKEN);
  }
  return claims;
}

function requireSupported({ key }: Verifier): void {
  const { namedCurve = "", modulusLength = 0 } = key.asymmetricKeyDetails ?? {};
  const curve = ["prime256v1", "secp384r1", "secp521r1"].includes(namedCurve);
  const rsa = key.asymmetricKeyType === "rsa" && modulusLength >= 2048 && modulusLength <= 4096;
  if (!curve && !rsa && key.asymmetricKeyType !== "ed25519") {
    throw new Refused(400, "The public key supplied in the request is insecure");
  }
}

function otherKey(): Buffer {
  const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return publicKey.export({ type: "spki", format: "der" });
}

async function certify(
  { intermediate, ct, clock, random }: Options,
  request: { identity: Identity; spki: Buffer; spoilt: boolean },
): Promise<Buffer> {
  const { identity, spki, spoilt } = request;
  const now = clock();
  const content = {
    serial: serialNumber(random),
    issuer: intermediate.name,
    subject: distinguishedName(),
    notBefore: now,
    notAfter: new Date(now.getTime() + LIFETIME),
    spki,
    issuerKey: intermediate.key,
  };
  const extensions = [
    ...usualExtensions({ spki, issuerSpki: intermediate.spki, extendedKeyUsage: EKU_CODE_SIGNING }),
    subjectAlternativeName(identity),
    ...identity.extensions,
  ];
  // The log signs the certificate without the SCT extension (RFC 6962 §3.2).
  const issuerKeyHash = createHash("sha256").update(intermediate.spki).digest();
  const sct = await ct.embed({ tbs: tbsCertificate({ ...content, extensions }), issuerKeyHash, spoilt });
  const tbs = tbsCertificate({ ...content, extensions: [...extensions, extension(SCT_LIST_OID, sct)] });
  return signCertificate(tbs, intermediate.key);
}
