import { TsignError } from "../../errors.ts";
import type { Io } from "../../io/io.ts";

const METHOD = "/SpiffeWorkloadAPI/FetchJWTSVID";

/**
 * Gets a JWT-SVID from the SPIFFE Workload API (SPIFFE_Workload_API.md, 6.2), with gRPC over its socket. The two protobuf
 * messages are encoded and decoded here: JWTSVIDRequest { repeated string audience = 1 } and
 * JWTSVIDResponse { repeated JWTSVID svids = 1 }, JWTSVID { string spiffe_id = 1; string svid = 2 }.
 *
 * @returns the token, a JWT
 * @throws TsignError "auth"
 */
export async function spiffeToken(io: Pick<Io, "unixCall">, socket: string, audience: string): Promise<string> {
  const text = Buffer.from(audience);
  const message = Buffer.concat([Buffer.from([0x0a, text.length]), text]);
  const frame = Buffer.concat([Buffer.alloc(5), message]);
  frame.writeUInt32BE(message.length, 1);
  const answer = await io.unixCall({
    socket,
    path: METHOD,
    headers: { "content-type": "application/grpc", te: "trailers", "workload.spiffe.io": "true" },
    body: frame,
  });
  const status = answer.trailers["grpc-status"] ?? answer.headers["grpc-status"];
  if (answer.status !== 200 || (status !== undefined && status !== "0")) {
    const reason = status === "7" ? "this workload is not registered" : `status ${status ?? answer.status}`;
    const hint = status === "7" ? "create an entry for the workload with `spire-server entry create`" : undefined;
    throw new TsignError("auth", `SPIFFE Workload API (${socket}) refused to issue a token: ${reason}`, { hint });
  }
  const body = Buffer.from(answer.body);
  const length = body.length >= 5 ? body.readUInt32BE(1) : -1;
  const svid = length >= 0 && body.length >= 5 + length ? fieldOf(body.subarray(5, 5 + length), 1) : undefined;
  const token = svid && fieldOf(svid, 2);
  if (!token?.length) throw new TsignError("auth", `SPIFFE Workload API (${socket}) returned no token`);
  return token.toString("utf8");
}

/** Returns the first field with a number in a protobuf message that only has length-delimited fields. */
function fieldOf(message: Buffer, number: number): Buffer | undefined {
  let position = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = message[position++] ?? 0;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    return Number.MAX_SAFE_INTEGER;
  };
  while (position < message.length) {
    const tag = varint();
    if ((tag & 7) !== 2) return undefined;
    const length = varint();
    if (position + length > message.length) return undefined;
    if (tag >> 3 === number) return message.subarray(position, position + length);
    position += length;
  }
  return undefined;
}
