import { createHash } from "node:crypto";
import { writePem } from "../format/pem.ts";
import type { ServerResponse } from "../io/io.ts";
import { grantedResponse, readRequest, rejectedResponse, type TimestampRequest } from "./pki/cms-tst.ts";
import { integer, NULL, octetString, oid, sequence } from "./pki/der.ts";
import { type Authority, serialNumber } from "./pki/x509.ts";
import type { Clock } from "./server/clock.ts";
import { answer, type Call, json, Refused, type Service } from "./server/service.ts";

/** The timestamp authority (RFC 3161 §3.4, timestamps over HTTP). */
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

function requestOf(call: Call): TimestampRequest {
  try {
    return readRequest(call.body);
  } catch {
    throw new Refused(400, "the body is not a timestamp request");
  }
}

function otherImprint(): Buffer {
  const digest = createHash("sha256").update("something else").digest();
  return sequence(sequence(oid("2.16.840.1.101.3.4.2.1"), NULL), octetString(digest));
}

function reply(der: Buffer): ServerResponse {
  return answer(der, { status: 201, type: "application/timestamp-reply" });
}
