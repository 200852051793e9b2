import assert from "node:assert/strict";
import { test } from "node:test";
import { refuses } from "../../../test/support/fake-service.ts";
import type { Io } from "../../io/io.ts";
import { spiffeToken } from "./spiffe.ts";

const field = (number: number, value: Buffer) =>
  Buffer.concat([
    Buffer.from([
      (number << 3) | 2,
      ...(value.length > 0x7f ? [(value.length & 0x7f) | 0x80, value.length >> 7] : [value.length]),
    ]),
    value,
  ]);
const frame = (message: Buffer, length = message.length) => {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(length, 1);
  return Buffer.concat([head, message]);
};
const svid = (token: string) =>
  field(1, Buffer.concat([field(1, Buffer.from("spiffe://example/w")), field(2, Buffer.from(token))]));

function ask(answer: {
  status?: number;
  headers?: Record<string, string>;
  trailers?: Record<string, string>;
  body?: Buffer;
}) {
  const asked: Parameters<Io["unixCall"]>[0][] = [];
  const unixCall: Io["unixCall"] = async (call) => {
    asked.push(call);
    return { status: 200, headers: {}, trailers: { "grpc-status": "0" }, body: Buffer.alloc(0), ...answer };
  };
  return { asked, token: spiffeToken({ unixCall }, "/run/api.sock", "sigstore") };
}

test("spiffeToken: requests one audience and returns the first SVID of any length", async () => {
  for (const token of ["short", "x".repeat(300)]) {
    const { asked, token: got } = ask({ body: frame(svid(token)) });
    assert.equal(await got, token);
    assert.equal(asked[0]?.socket, "/run/api.sock");
    assert.deepEqual(asked[0]?.body, frame(field(1, Buffer.from("sigstore"))));
  }
  assert.equal(
    await ask({ trailers: {}, body: frame(Buffer.concat([field(3, Buffer.from("hint")), svid("second")])) }).token,
    "second",
  );
});

test("spiffeToken: refusal in trailers, headers or HTTP status -> error names the socket", async () => {
  const told = (reason: string) => ({
    code: "auth",
    text: new RegExp(`/run/api\\.sock\\) refused to issue a token: ${reason}`),
  });
  const body = frame(svid("hidden"));
  await refuses(ask({ trailers: { "grpc-status": "7" }, body }).token, told("this workload is not registered"));
  await refuses(ask({ trailers: { "grpc-status": "14" }, body }).token, told("status 14"));
  await refuses(ask({ trailers: {}, headers: { "grpc-status": "3" }, body }).token, told("status 3"));
  await refuses(ask({ status: 503, trailers: {}, body }).token, told("status 503"));
});

test("spiffeToken: truncated, overlong and unexpected messages -> refused", async () => {
  const good = svid("hidden");
  const bodies = [
    Buffer.alloc(0),
    Buffer.alloc(4),
    frame(Buffer.alloc(0)),
    frame(good, good.length + 1),
    frame(good.subarray(0, -1)),
    frame(field(2, Buffer.from("no svid"))),
    frame(field(1, field(1, Buffer.from("no token")))),
    frame(field(1, field(2, Buffer.alloc(0)))),
    frame(Buffer.from([0x08, 0x01])), // a number
    frame(Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0xff])), // a length without end
    frame(Buffer.from([0x0a])),
  ];
  for (const body of bodies)
    await refuses(ask({ body }).token, { code: "auth", text: /returned no token/, secrets: ["hidden"] });
});
