import { TsignError } from "../errors.ts";
import type { Io } from "../io/io.ts";

/** The part of Io that the transport uses. */
export type TransportIo = Pick<Io, "http" | "sleep" | "now" | "env" | "signal">;

/** Limits of one exchange. Times in milliseconds. */
export interface Limits {
  /** Time until the answer's headers arrive, in addition to the time for sending the body. */
  readonly answer: number;
  /** Bytes per millisecond; the time allowed for sending a body is its size divided by this rate. */
  readonly minUploadRate: number;
  /** Time between two pieces of a body. */
  readonly idle: number;
  /** Time after which a body must arrive at `minRate`. */
  readonly body: number;
  /** Bytes per second. */
  readonly minRate: number;
  readonly attempts: number;
  /** First pause before a retry; doubled for each further retry. */
  readonly backoff: number;
  /** Longest pause, also for Retry-After. */
  readonly maxBackoff: number;
}

export const DEFAULT_LIMITS: Limits = {
  answer: 30_000,
  minUploadRate: 16,
  idle: 30_000,
  body: 60_000,
  minRate: 1024,
  attempts: 4,
  backoff: 500,
  maxBackoff: 30_000,
};

const RETRIED_STATUSES = new Set([408, 429, 500, 502, 503, 504]);
/** ERR_SOCKET_CLOSED is Bun's ECONNRESET during a TLS handshake. */
const RETRIED_CAUSES = new Set(["ECONNRESET", "ERR_SOCKET_CLOSED", "EPIPE", "ETIMEDOUT", "EAI_AGAIN"]);

/** Retries after a temporary failure, with growing pauses or as Retry-After says. */
export async function retrying<T extends { status: number; headers: Readonly<Record<string, string>> }>(
  io: TransportIo,
  limits: Limits,
  attempt: () => Promise<T>,
): Promise<T> {
  for (let round = 1; ; round++) {
    const isLast = round >= limits.attempts;
    let pause = Math.min(limits.backoff * 2 ** (round - 1) * (0.75 + Math.random() / 2), limits.maxBackoff);
    try {
      const result = await attempt();
      if (isLast || !isTemporary(result)) return result;
      if ("discard" in result && typeof result.discard === "function") result.discard();
      pause = Math.max(pause, Math.min(retryAfter(result.headers, io.now()), limits.maxBackoff));
    } catch (error) {
      if (isLast || io.signal.aborted || !isTemporaryError(error)) throw error;
    }
    await io.sleep(pause, io.signal);
  }
}

/** Reports whether a status is temporary. GitHub reports its rate limit with 403. */
function isTemporary(result: { status: number; bytes?: unknown }): boolean {
  if (RETRIED_STATUSES.has(result.status)) return true;
  if (result.status !== 403 || !(result.bytes instanceof Uint8Array)) return false;
  return /rate.?limit|too many requests/i.test(Buffer.from(result.bytes).toString("latin1"));
}

function isTemporaryError(error: unknown): boolean {
  if (!(error instanceof TsignError)) return false;
  const { cause } = error as { cause?: { code?: string } };
  return error.code === "network" && RETRIED_CAUSES.has(cause?.code ?? "");
}

/** Returns the milliseconds of a Retry-After header (RFC 9110 §10.2.3); 0 without one. */
function retryAfter(headers: Readonly<Record<string, string>>, now: Date): number {
  const value = headers["retry-after"];
  if (value === undefined) return 0;
  const milliseconds = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - now.getTime();
  return Number.isFinite(milliseconds) ? Math.max(0, milliseconds) : 0;
}
