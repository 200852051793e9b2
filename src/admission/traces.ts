import { printable } from "../format/printable.ts";
import type { Io } from "../io/io.ts";
import type { Answer } from "./words.ts";

/** A review or a question of Gatekeeper that was answered. Times in milliseconds since the epoch. */
export interface Traced {
  readonly path: string;
  readonly started: number;
  readonly ended: number;
  /** The header of the request (W3C Trace Context); undefined without one. */
  readonly traceparent: string | undefined;
  readonly allowed: boolean;
  readonly answers: readonly Answer[];
}

/** Where traces are sent, from OpenTelemetry's variables. */
export interface TraceTarget {
  readonly url: URL;
  /** Lower-case names; their values are secrets. */
  readonly headers: Readonly<Record<string, string>>;
  readonly service: string;
}

/** Spans that wait to be sent, and those in one request (OpenTelemetry's defaults for batches). */
const [MAX_WAITING, MAX_BATCH] = [2048, 512];
/** How often they are sent. Milliseconds. */
const EVERY = 5000;
/** Images of one review that are named. */
const MAX_EVENTS = 50;
/** Longest name of an image and of a rule, in UTF-16 code units. */
const MAX_TEXT = 300;
const PARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;
const [SERVER, ERROR] = [2, 2];

/**
 * Reads OTEL_EXPORTER_OTLP_TRACES_ENDPOINT or OTEL_EXPORTER_OTLP_ENDPOINT, with the headers and the service's name.
 *
 * @returns undefined if tracing is not configured, or a text that says why it cannot be used
 */
export function traceTarget(env: Io["env"]): TraceTarget | string | undefined {
  const own = env["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] ?? "";
  const common = env["OTEL_EXPORTER_OTLP_ENDPOINT"] ?? "";
  if ((own === "" && common === "") || env["OTEL_SDK_DISABLED"]?.toLowerCase() === "true") return undefined;
  const protocol = env["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"] ?? env["OTEL_EXPORTER_OTLP_PROTOCOL"] ?? "";
  if (protocol === "grpc") return "traces are not sent: OTLP is supported over HTTP, not over gRPC";
  const url = URL.parse(own === "" ? `${common.replace(/\/+$/, "")}/v1/traces` : own);
  if (url === null || !/^https?:$/.test(url.protocol)) return "traces are not sent: the OTLP endpoint is not a URL";
  const listed = env["OTEL_EXPORTER_OTLP_TRACES_HEADERS"] ?? env["OTEL_EXPORTER_OTLP_HEADERS"] ?? "";
  const headers = listed.split(",").flatMap((each): [string, string][] => {
    const [, name = "", value = ""] = /^\s*([\w-]+)\s*=\s*(.*?)\s*$/.exec(each) ?? [];
    return name === "" ? [] : [[name.toLowerCase(), decoded(value)]];
  });
  return { url, headers: Object.fromEntries(headers), service: env["OTEL_SERVICE_NAME"] || "tsign" };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Collects spans and sends them in the background. What cannot be sent is dropped: no answer waits for it. */
export class Traces {
  readonly #io: Pick<Io, "random" | "sleep">;
  readonly #service: string;
  readonly #send: (body: Uint8Array) => Promise<void>;
  #waiting: object[] = [];
  /** Spans that were dropped so far. */
  dropped = 0;

  /** @param of.send sends an ExportTraceServiceRequest (OTLP, JSON); throws if it was not accepted */
  constructor(io: Pick<Io, "random" | "sleep">, of: { service: string; send: (body: Uint8Array) => Promise<void> }) {
    this.#io = io;
    this.#service = of.service;
    this.#send = of.send;
  }

  /** Keeps a span to be sent, unless the caller does not record the trace that it belongs to. */
  record(traced: Traced): void {
    const [, trace, parent, flags = "01"] = PARENT.exec(traced.traceparent ?? "") ?? [];
    if ((Number.parseInt(flags, 16) & 1) === 0) return;
    if (this.#waiting.length >= MAX_WAITING) {
      this.dropped++;
      return;
    }
    const hex = (bytes: number) => Buffer.from(this.#io.random(bytes)).toString("hex");
    this.#waiting.push(spanOf(traced, { traceId: trace ?? hex(16), spanId: hex(8), parentSpanId: parent }));
  }

  /** Sends what has been recorded, again and again, until the signal is aborted; then what is left. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#io.sleep(EVERY, signal).catch(() => {});
      await this.flush();
    }
  }

  /** Sends what has been recorded so far. Never throws. */
  async flush(): Promise<void> {
    while (this.#waiting.length > 0) {
      const spans = this.#waiting.slice(0, MAX_BATCH);
      this.#waiting = this.#waiting.slice(MAX_BATCH);
      const resource = { attributes: [attribute("service.name", this.#service)] };
      const body = { resourceSpans: [{ resource, scopeSpans: [{ scope: { name: "tsign" }, spans }] }] };
      try {
        await this.#send(Buffer.from(JSON.stringify(body)));
      } catch {
        this.dropped += spans.length;
        return;
      }
    }
  }
}

/** A span (opentelemetry.proto.trace.v1). The texts of refusals are left out: registries are quoted there. */
function spanOf(
  { path, started, ended, allowed, answers }: Traced,
  ids: Readonly<Record<string, string | undefined>>,
): object {
  const unchecked = answers.filter(({ reason }) => reason === "unchecked").length;
  return {
    ...ids,
    ...{ name: `POST ${path}`, kind: SERVER },
    ...{ startTimeUnixNano: `${started}000000`, endTimeUnixNano: `${ended}000000` },
    attributes: [
      attribute("url.path", path),
      attribute("tsign.allowed", allowed),
      attribute("tsign.images", answers.length),
      attribute("tsign.unchecked", unchecked),
    ],
    events: answers.slice(0, MAX_EVENTS).map(({ image, rule, reason, source, allowed: isAllowed }) => ({
      ...{ name: "image", timeUnixNano: `${ended}000000` },
      attributes: [
        attribute("tsign.image", printable(image.slice(0, MAX_TEXT))),
        attribute("tsign.rule", (rule ?? "").slice(0, MAX_TEXT)),
        attribute("tsign.reason", reason),
        attribute("tsign.source", source),
        attribute("tsign.allowed", isAllowed),
      ],
    })),
    status: unchecked > 0 ? { code: ERROR } : {},
  };
}

function attribute(key: string, value: string | number | boolean): object {
  if (typeof value === "string") return { key, value: { stringValue: value } };
  return { key, value: typeof value === "boolean" ? { boolValue: value } : { intValue: String(value) } };
}
