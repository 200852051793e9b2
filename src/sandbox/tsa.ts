import { createHash } from "node:crypto";
import { writePem } from "../format/pem.ts";
import type { ServerResponse } from "../io/io.ts";
import { grantedResponse, imprintOf, readRequest, rejectedResponse, type TimestampRequest } from "./pki/cms-tst.ts";
import { integer } from "./pki/der.ts";
import { type Authority, serialNumber } from "./pki/x509.ts";
import type { Clock } from "./server/clock.ts";
import { answer, bytesOf, type Call, json, jsonOf, Refused, type Service, textAt, valueAt } from "./server/service.ts";

/** Creates the timestamp authority (RFC 3161 §3.4, timestamps over HTTP). */
export function createTsa(options: {
  root: Authority;
  signer: Authority;
  clock: Clock;
  random: (bytes: number) => Uint8Array;
}): Service {
  const { root, signer, clock, random } = options;
  const chain = [signer, root].map(({ certificate }) => writePem("CERTIFICATE", certificate)).join("");
  return {
    name: "tsa",
    maxBody: 64 * 1024,
    failure: (status, message) => json({ code: status, message }, { status }),
    routes: {
      "POST /api/v1/timestamp": (call) => {
        const request = requestOf(call);
        if (!request.supported) return reply(rejectedResponse(0));
        if (call.faults.has("rejected")) return reply(rejectedResponse(5));
        const imprint = call.faults.has("wrong-imprint") ? otherImprint() : request.imprint;
        const nonce = call.faults.has("wrong-nonce") ? integer(4711) : request.nonce;
        const { certificates } = request;
        const serial = serialNumber(random);
        return reply(grantedResponse({ imprint, nonce, certificates, serial, at: clock(), signer, issuer: root }));
      },
      "GET /api/v1/timestamp/certchain": () => answer(chain, { type: "application/pem-certificate-chain" }),
    },
  };
}

/** Reads a TimeStampReq or, with the type application/json, a request as accepted by sigstore/timestamp-authority. */
function requestOf(call: Call): TimestampRequest {
  if (/^application\/json\b/i.test(call.headers["content-type"] ?? "")) return jsonRequest(jsonOf(call));
  try {
    return readRequest(call.body);
  } catch {
    throw new Refused(400, "invalid timestamp request");
  }
}

/** Reads a JSONRequest of sigstore/timestamp-authority (pkg/api/timestamp.go). */
function jsonRequest(body: unknown): TimestampRequest {
  const digest = bytesOf(textAt(body, "artifactHash"), "artifactHash");
  const { imprint, supported } = imprintOf(textAt(body, "hashAlgorithm").toLowerCase(), digest);
  if (!supported) throw new Refused(400, "unsupported hash algorithm, or wrong digest length");
  const [nonce, certificates] = [valueAt(body, "nonce"), valueAt(body, "certificates") ?? false];
  const isNonce = nonce === undefined || nonce === null || (Number.isSafeInteger(nonce) && Number(nonce) > 0);
  if (!isNonce || typeof certificates !== "boolean") throw new Refused(400, "invalid timestamp request");
  return { imprint, supported, certificates, nonce: nonce ? integer(Number(nonce)) : undefined };
}

function otherImprint(): Buffer {
  return imprintOf("sha256", createHash("sha256").update("something else").digest()).imprint;
}

function reply(der: Buffer): ServerResponse {
  return answer(der, { status: 201, type: "application/timestamp-reply" });
}
