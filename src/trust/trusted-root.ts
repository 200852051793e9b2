import { TsignError } from "../errors.ts";
import { decodeBase64 } from "../format/base64.ts";
import { isObject, parseJson } from "../format/json.ts";
import type { CertificateAuthorities } from "./certificate-path.ts";

const MEDIA_TYPE = "application/vnd.dev.sigstore.trustedroot+json;version=0.1";

/**
 * The certificate authorities of a trusted root file (protobuf-specs, sigstore_trustroot.proto) whose period of trust holds
 * at a time. The last certificate of a chain is its root.
 *
 * @param at authorities that were not trusted then are left out
 * @throws TsignError "untrusted"
 */
export function readTrustedRoot(bytes: Uint8Array, options: { path: string; at: Date }): CertificateAuthorities {
  const { path, at } = options;
  const invalid = (reason: string) => new TsignError("untrusted", `${path} is not a trusted root: ${reason}`);
  let json: unknown;
  try {
    json = parseJson(bytes, path);
  } catch (cause) {
    throw new TsignError("untrusted", `${path} is not a trusted root: it is not valid JSON`, { cause });
  }
  if (!isObject(json) || json["mediaType"] !== MEDIA_TYPE) throw invalid(`its mediaType is not ${MEDIA_TYPE}`);
  const authorities = json["certificateAuthorities"] ?? [];
  if (!Array.isArray(authorities)) throw invalid("certificateAuthorities is not a list");
  const chains = authorities.filter((each) => isTrustedAt(each, at)).map((each) => readChain(each, invalid));
  return {
    roots: chains.flatMap((chain) => chain.slice(-1)),
    intermediates: chains.flatMap((chain) => chain.slice(0, -1)),
  };
}

function isTrustedAt(authority: unknown, at: Date): boolean {
  const period = isObject(authority) ? authority["validFor"] : undefined;
  if (!isObject(period) || typeof period["start"] !== "string") return false;
  const start = Date.parse(period["start"]);
  const end = typeof period["end"] === "string" ? Date.parse(period["end"]) : Number.POSITIVE_INFINITY;
  return start <= at.getTime() && at.getTime() <= end;
}

function readChain(authority: unknown, invalid: (reason: string) => TsignError): Uint8Array[] {
  const chain = isObject(authority) ? authority["certChain"] : undefined;
  const certificates = isObject(chain) ? chain["certificates"] : undefined;
  if (!Array.isArray(certificates) || certificates.length === 0) throw invalid("an authority has no certificates");
  return certificates.map((each) => {
    const raw = isObject(each) && typeof each["rawBytes"] === "string" ? decodeBase64(each["rawBytes"]) : undefined;
    if (!raw) throw invalid("a certificate is not base64");
    return raw;
  });
}
