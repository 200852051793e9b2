import assert from "node:assert/strict";
import { test } from "node:test";
import { TsignError } from "../errors.ts";
import type { HttpRequest, HttpResponse, TlsOptions } from "../io/io.ts";
import { createTransport, type Exchange, streamUrl } from "./http.ts";
import { unanswered } from "./pending.ts";
import type { Limits, TransportIo } from "./retry.ts";

type Answer = { status: number; headers?: Record<string, string>; body?: string } | TsignError;

/** A network that returns answers from a list, with a stopped clock; it records requests and pauses. */
function network(answers: Answer[]) {
  const asked: HttpRequest[] = [];
  const pauses: number[] = [];
  const deadlines: number[] = [];
  const io: TransportIo = {
    env: {},
    now: () => new Date(0),
    signal: new AbortController().signal,
    async sleep(milliseconds, signal) {
      if (signal === io.signal) return void pauses.push(milliseconds);
      deadlines.push(milliseconds);
      await new Promise((_, fail) => signal?.addEventListener("abort", () => fail(signal.reason)));
    },
    async http(request): Promise<HttpResponse> {
      asked.push({ ...request, headers: { ...request.headers } });
      const answer = answers.shift() ?? { status: 500 };
      if (answer instanceof TsignError) throw answer;
      const body = (async function* () {
        if (answer.body !== undefined) yield Buffer.from(answer.body);
      })();
      return { status: answer.status, headers: answer.headers ?? {}, body, discard() {} };
    },
  };
  const read = (
    exchange: Partial<Omit<Exchange, "url">> & { url?: string },
    options: { tls?: TlsOptions; limits?: Partial<Limits>; maxBytes?: number } = {},
  ) =>
    createTransport(io, options).read(
      { method: "GET", ...exchange, url: new URL(exchange.url ?? "https://a.example/x") },
      { maxBytes: options.maxBytes ?? 100 },
    );
  return { io, read, asked, pauses, deadlines };
}

const broken = (code: string) => new TsignError("network", `it broke: ${code}`, { cause: { code } });
const refusedWith = (code: string) => (error: unknown) => error instanceof TsignError && error.code === code;

test("transport: temporary failure -> retried a limited number of times, permanent failure -> not retried", async () => {
  const passing: Answer[] = [
    ...[408, 429, 500, 502, 503, 504].map((status) => ({ status })),
    { status: 403, body: "API rate limit exceeded" },
    ...["ECONNRESET", "ERR_SOCKET_CLOSED", "EPIPE", "ETIMEDOUT", "EAI_AGAIN"].map(broken),
  ];
  for (const answer of passing) {
    const { read, asked, pauses } = network([answer, { status: 200, body: "ok" }]);
    assert.equal((await read({})).status, 200);
    assert.equal(asked.length, 2);
    assert.equal(pauses.length, 1);
  }
  for (const status of [200, 400, 401, 403, 404, 405, 501]) {
    const { read, asked } = network([{ status }]);
    assert.equal((await read({})).status, status);
    assert.equal(asked.length, 1);
  }
  const refused = network([broken("ECONNREFUSED")]);
  await assert.rejects(refused.read({}), refusedWith("network"));
  assert.equal(refused.asked.length, 1);
  const always = network([]);
  assert.equal((await always.read({})).status, 500);
  assert.equal(always.asked.length, 4);
});

test("transport: Retry-After -> waits that long, up to a limit", async () => {
  for (const [header, least, most] of [
    ["7", 7000, 7000],
    ["100000", 30_000, 30_000],
    [new Date(5000).toUTCString(), 5000, 5000],
    ["soon", 300, 700],
  ] as const) {
    const { read, pauses } = network([{ status: 503, headers: { "retry-after": header } }, { status: 200 }]);
    await read({});
    const [pause = -1] = pauses;
    assert.ok(pause >= least && pause <= most, `${header}: ${pause}`);
  }
});

test("transport: redirect to another origin -> no credentials and no TLS options from then on", async () => {
  const tls = { insecure: true };
  const secret = { headers: { authorization: "Bearer secret" }, followRedirects: true };
  const to = (location: string): Answer => ({ status: 307, headers: { location } });
  const { read, asked } = network([
    to("/y"),
    to("https://a.example:444/z"),
    to("https://a.example/back"),
    { status: 200, body: "ok" },
  ]);
  const answer = await read(secret, { tls });
  assert.equal(answer.url.href, "https://a.example/back");
  const sent = asked.map(({ headers, tls: given }) => [headers["authorization"], given]);
  assert.deepEqual(sent, [
    ["Bearer secret", tls],
    ["Bearer secret", tls],
    [undefined, undefined],
    [undefined, tls],
  ]);
});

test("transport: redirects -> followed on request, a limited number of times, never from https to http", async () => {
  const to = (location: string, status = 302): Answer => ({ status, headers: { location } });
  const kept = network([to("/y")]);
  assert.equal((await kept.read({})).status, 302);
  const endless = network(Array.from({ length: 20 }, () => to("/x")));
  await assert.rejects(endless.read({ followRedirects: true }), refusedWith("service"));
  assert.equal(endless.asked.length, 6);
  for (const location of ["http://a.example/x", "file:///etc/passwd", "ftp://a.example/", "https://"]) {
    await assert.rejects(network([to(location)]).read({ followRedirects: true }), refusedWith("service"), location);
  }
  const seen = network([to("/y", 303), { status: 200 }]);
  await seen.read({ method: "POST", body: Buffer.from("x"), followRedirects: true });
  assert.deepEqual(
    seen.asked.map(({ method, body }) => [method, body !== undefined]),
    [
      ["POST", true],
      ["GET", false],
    ],
  );
});

test("transport: answer above the size limit -> refused, with any Content-Length", async () => {
  const body = "x".repeat(101);
  await assert.rejects(network([{ status: 200, body }]).read({}), refusedWith("limit"));
  const headers = { "content-length": "101" };
  await assert.rejects(network([{ status: 200, headers }]).read({}), refusedWith("limit"));
  await assert.rejects(
    network([{ status: 200, body, headers: { "content-length": "1" } }]).read({}),
    refusedWith("limit"),
  );
  assert.equal((await network([{ status: 200, headers }]).read({ method: "HEAD" })).bytes.length, 0);
  assert.equal((await network([{ status: 200, body: body.slice(1) }]).read({})).bytes.length, 100);
});

test("transport: large upload -> longer time limit", async () => {
  const { read, deadlines } = network([{ status: 201 }, { status: 201 }]);
  await read({ method: "PUT", body: Buffer.from("x"), headers: { "content-length": "16000000" } });
  assert.equal(deadlines[0], 30_000 + 1_000_000);
  deadlines.length = 0;
  await read({});
  assert.equal(deadlines[0], 30_000);
});

test("streamUrl: any status but 200 -> refused", async () => {
  const text = async (answer: Answer, address = "https://a.example/key.pub") => {
    let all = "";
    for await (const piece of streamUrl(network([answer]).io, address)) all += Buffer.from(piece).toString();
    return all;
  };
  assert.equal(await text({ status: 200, body: "content" }), "content");
  for (const status of [204, 206, 301, 400, 404]) {
    await assert.rejects(text({ status, body: "an error page" }), refusedWith("input"), String(status));
  }
  await assert.rejects(text({ status: 200 }, "https://user:secret@a.example/"), (error: TsignError) => {
    assert.doesNotMatch(error.message, /secret/);
    return error.code === "input";
  });
  await assert.rejects(text({ status: 200 }, "no url"), refusedWith("input"));
});

test("transport: proxy failure -> error names the proxy and its variable, never the password", async () => {
  const env = {
    HTTPS_PROXY: "http://bob:canary@proxy.example:3128",
    http_proxy: "http://bob:canary@proxy.example:3128",
  };
  const tunnel = (statusCode: number) =>
    new TsignError("network", "connect to https://a.example: Failed to establish tunnel", {
      cause: { code: "ERR_PROXY_TUNNEL", statusCode },
    });
  const cases: [Answer, string, RegExp][] = [
    [
      broken("ECONNREFUSED"),
      "network",
      /^connect to https:\/\/a\.example through proxy http:\/\/proxy\.example:3128 \(HTTPS_PROXY\): connection refused$/,
    ],
    [broken("ENOTFOUND"), "network", /through proxy .*: no such host$/],
    [tunnel(502), "network", /through proxy .*: the proxy returned 502$/],
    [
      tunnel(407),
      "auth",
      /through proxy http:\/\/proxy\.example:3128 \(HTTPS_PROXY\): the proxy requires a user name and a password/,
    ],
    [broken("CERT_HAS_EXPIRED"), "network", /^it broke: CERT_HAS_EXPIRED \(through proxy .*\(HTTPS_PROXY\)\)$/],
  ];
  for (const [answer, code, message] of cases) {
    const { io, asked } = network([answer]);
    const request = createTransport({ ...io, env }, { limits: { attempts: 1 } }).read(
      { method: "GET", url: new URL("https://a.example/x") },
      { maxBytes: 9 },
    );
    await assert.rejects(request, (error: TsignError) => {
      assert.equal(error.code, code);
      assert.match(error.message, message);
      assert.doesNotMatch(`${error.message}${error.hint}`, /canary|bob/);
      return true;
    });
    assert.equal(asked[0]?.proxy, "http://bob:canary@proxy.example:3128/");
  }
  const { io } = network([{ status: 407 }]);
  const plain = createTransport({ ...io, env }).read(
    { method: "GET", url: new URL("http://a.example/x") },
    { maxBytes: 9 },
  );
  await assert.rejects(
    plain,
    /through proxy http:\/\/proxy\.example:3128 \(http_proxy\): the proxy requires a user name/,
  );
});

test("transport: failed request -> error names the service once", async () => {
  const message = "connect to https://a.example: connection refused";
  const refused = () => network([new TsignError("network", message)]).io;
  const exchange = { method: "GET", url: new URL("https://a.example/x") } as const;
  await assert.rejects(
    createTransport(refused(), { peer: { service: "fulcio", name: "Fulcio" } }).read(exchange, { maxBytes: 10 }),
    {
      code: "network",
      message: `Fulcio: ${message}`,
    },
  );
  await assert.rejects(createTransport(refused()).read(exchange, { maxBytes: 10 }), { message });
  await assert.rejects(
    createTransport(refused(), { peer: { service: "oidc", name: "a.example" } }).read(exchange, { maxBytes: 10 }),
    {
      message,
    },
  );
});

test("unanswered: lists the service during a request only", async () => {
  const { io } = network([]);
  const during: (readonly string[])[] = [];
  const seen: TransportIo = {
    ...io,
    async http() {
      during.push(unanswered(io.signal));
      return { status: 200, headers: {}, body: (async function* () {})(), discard() {} };
    },
  };
  const exchange = { method: "GET", url: new URL("https://a.example/x") } as const;
  await createTransport(seen, { peer: { service: "fulcio", name: "Fulcio" } }).read(exchange, { maxBytes: 10 });
  assert.deepEqual(during, [["Fulcio at a.example"]]);
  assert.deepEqual(unanswered(io.signal), []);
});
