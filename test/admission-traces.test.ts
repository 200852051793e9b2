import assert from "node:assert/strict";
import { test } from "node:test";
import { type Traced, Traces, type TraceTarget, traceTarget } from "../src/admission/traces.ts";
import type { Answer } from "../src/admission/words.ts";
import { testIo } from "./support/test-io.ts";

const answer: Answer = {
  ...{ image: "r.example/app:1", pinned: undefined, allowed: true, ok: true, rule: "all", isDefect: false },
  ...{ text: "a text with a registry's secret", source: "kept" },
  reason: "accepted",
  effect: "enforce",
};
const traced = (changes: Partial<Traced> = {}): Traced => ({
  ...{ path: "/validate", started: 1000, ended: 1005, traceparent: undefined, allowed: true, answers: [answer] },
  ...changes,
});

/** Traces, with what was sent. */
function world(failing = false) {
  const sent: { resourceSpans: { resource: object; scopeSpans: { spans: Record<string, unknown>[] }[] }[] }[] = [];
  const send = async (body: Uint8Array) => {
    if (failing) throw new Error("unreachable");
    sent.push(JSON.parse(Buffer.from(body).toString("utf8")));
  };
  const traces = new Traces(testIo(), { service: "shop", send });
  const spans = () => sent.flatMap((each) => each.resourceSpans[0]?.scopeSpans[0]?.spans ?? []);
  return { traces, sent, spans };
}

test("traces: the variables of OpenTelemetry say where; nothing is sent without them, or over gRPC", () => {
  const url = (env: Record<string, string>) => (traceTarget(env) as TraceTarget).url.href;
  assert.equal(traceTarget({}), undefined);
  assert.equal(url({ OTEL_EXPORTER_OTLP_ENDPOINT: "http://otel:4318/" }), "http://otel:4318/v1/traces");
  const both = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://a", OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "https://b/c" };
  assert.equal(url(both), "https://b/c");
  assert.equal(traceTarget({ ...both, OTEL_SDK_DISABLED: "true" }), undefined);
  assert.match(String(traceTarget({ ...both, OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" })), /not over gRPC/);
  assert.match(String(traceTarget({ OTEL_EXPORTER_OTLP_ENDPOINT: "otel:4318" })), /not a URL/);
  const named = { ...both, OTEL_SERVICE_NAME: "shop", OTEL_EXPORTER_OTLP_HEADERS: "Api-Key=a%20b, x=y" };
  const { headers, service } = traceTarget(named) as TraceTarget;
  assert.deepEqual([headers, service], [{ "api-key": "a b", x: "y" }, "shop"]);
});

test("traces: a span for each review with its images, below the caller's, and without texts of refusals", async () => {
  const { traces, sent, spans } = world();
  const [trace, parent] = ["0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"];
  traces.record(traced({ traceparent: `00-${trace}-${parent}-01` }));
  traces.record(traced({ traceparent: `00-${trace}-${parent}-00` })); // which is not recorded by the caller
  const long = { ...answer, reason: "unchecked", rule: "x".repeat(100_000) } as const;
  traces.record(traced({ traceparent: "nonsense", allowed: false, answers: [long] }));
  await traces.flush();
  assert.equal(sent.length, 1);
  const [first, second, ...more] = spans();
  assert.deepEqual(more, []);
  assert.equal(first?.["traceId"], trace);
  assert.equal(first?.["parentSpanId"], parent);
  assert.match(String(first?.["spanId"]), /^[0-9a-f]{16}$/);
  assert.deepEqual([first?.["startTimeUnixNano"], first?.["endTimeUnixNano"]], ["1000000000", "1005000000"]);
  assert.match(String(second?.["traceId"]), /^[0-9a-f]{32}$/);
  assert.deepEqual(second?.["status"], { code: 2 });
  assert.ok(JSON.stringify(sent).length < 5000);
  assert.match(JSON.stringify(sent), /r\.example\/app:1/);
  assert.doesNotMatch(JSON.stringify(sent), /registry's secret/);
});

test("traces: the queue is bounded, and what cannot be sent is dropped and counted", async () => {
  const { traces, sent, spans } = world();
  for (let number = 0; number < 2100; number++) traces.record(traced());
  assert.equal(traces.dropped, 52);
  await traces.flush();
  assert.deepEqual([sent.length, spans().length], [4, 2048]);
  const failing = world(true).traces;
  failing.record(traced());
  await failing.flush();
  assert.equal(failing.dropped, 1);
});
