import { TsignError } from "../errors.ts";
import type { Io } from "../io/io.ts";

/** What the guarded transport needs of the world. */
export type TransportIo = Pick<Io, "http" | "sleep" | "now" | "env" | "signal">;

/** Bounds of one exchange. Milliseconds, but for the rate. */
export interface Limits {
  /** Until the answer's head has arrived, besides what sending the body may take. */
  readonly answer: number;
  /** A body that is sent may take as long as at this many bytes a millisecond. */
  readonly minUploadRate: number;
  /** Between two pieces of a body. */
  readonly idle: number;
  /** For a whole body that is read into memory. */
  readonly body: number;
  /** A streamed body must keep up this many bytes a second once `body` has passed. */
  readonly minRate: number;
  readonly attempts: number;
  /** First pause before a retry; doubled for each further one. */
  readonly backoff: number;
  /** Longest pause, whatever Retry-After says. */
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
const RETRIED_CAUSES = new Set(["ECONNRESET", "EPIPE", "ETIMEDOUT", "EAI_AGAIN"]);

/** Repeats an attempt that failed for a passing reason, pausing longer each time or as long as the server asks. */
export async function retrying<T extends { status: number; headers: Readonly<Record<string, string>> }>(
  io: TransportIo,
  limits: Limits,
  attempt: () => Promise<T>,
): Promise<T> {
  for (let round = 1; ; round++) {
    const last = round >= limits.attempts;
    let pause = Math.min(limits.backoff * 2 ** (round - 1) * (0.75 + Math.random() / 2), limits.maxBackoff);
    try {
      const result = await attempt();
      if (last || !isPassing(result)) return result;
      if ("discard" in result && typeof result.discard === "function") result.discard();
      pause = Math.max(pause, Math.min(retryAfter(result.headers, io.now()), limits.maxBackoff));
    } catch (error) {
      if (last || io.signal.aborted || !isPassingError(error)) throw error;
    }
    await io.sleep(pause, io.signal);
  }
}

/** A status that says "later", also GitHub's way of saying it with 403. */
function isPassing(result: { status: number; bytes?: unknown }): boolean {
  if (RETRIED_STATUSES.has(result.status)) return true;
  if (result.status !== 403 || !(result.bytes instanceof Uint8Array)) return false;
  return /rate.?limit|too many requests/i.test(Buffer.from(result.bytes).toString("latin1"));
}

function isPassingError(error: unknown): boolean {
  if (!(error instanceof TsignError)) return false;
  const { cause } = error as { cause?: { code?: string } };
  return error.code === "network" && RETRIED_CAUSES.has(cause?.code ?? "");
}

/** Milliseconds a Retry-After header asks for (RFC 9110 §10.2.3); 0 without one. */
function retryAfter(headers: Readonly<Record<string, string>>, now: Date): number {
  const value = headers["retry-after"];
  if (value === undefined) return 0;
  const milliseconds = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - now.getTime();
  return Number.isFinite(milliseconds) ? Math.max(0, milliseconds) : 0;
}
