import { connect } from "node:http2";
import { connect as connectSocket } from "node:net";
import { TsignError } from "../errors.ts";
import type { UnixCall, UnixCallAnswer } from "./io.ts";

/** Milliseconds. */
const ANSWER_TIMEOUT = 5_000;
const MAX_ANSWER = 1024 * 1024;

/** Sends one HTTP/2 request on a Unix socket (Io.unixCall) and returns the first message of the answer. */
export function unixCall({ socket, path, headers, body }: UnixCall): Promise<UnixCallAnswer> {
  return new Promise((done, fail) => {
    const failed = (cause?: unknown) => {
      session.destroy();
      const reason = cause instanceof Error ? cause.message : `no answer within ${ANSWER_TIMEOUT / 1000} s`;
      fail(new TsignError("network", `connect to ${socket}: ${reason}`, { cause }));
    };
    const session = connect("http://localhost", { createConnection: () => connectSocket(socket) });
    session.on("error", failed);
    const stream = session.request({ ":method": "POST", ":path": path, ...headers });
    stream.setTimeout(ANSWER_TIMEOUT, () => failed());
    stream.on("error", failed);
    const answer = { status: 0, headers: {} as Record<string, string>, trailers: {} as Record<string, string> };
    const pieces: Buffer[] = [];
    let size = 0;
    const finish = () => {
      session.destroy();
      done({ ...answer, body: Buffer.concat(pieces) });
    };
    stream.on("response", (received) => {
      answer.status = Number(received[":status"]);
      answer.headers = textHeaders(received);
    });
    stream.on("trailers", (received) => {
      answer.trailers = textHeaders(received);
    });
    stream.on("data", (piece: Buffer) => {
      pieces.push(piece);
      size += piece.length;
      if (size > MAX_ANSWER) failed(new Error(`the answer is larger than ${MAX_ANSWER} bytes`));
      const whole = Buffer.concat(pieces);
      if (whole.length >= 5 && whole.length >= 5 + whole.readUInt32BE(1)) finish();
    });
    stream.on("end", finish);
    stream.end(body);
  });
}

function textHeaders(headers: object): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));
}
