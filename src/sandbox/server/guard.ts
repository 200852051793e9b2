import type { ServerRequest } from "../../io/io.ts";

/**
 * Refuses what does not come from a program on this machine: a name other than the loopback's (421, DNS rebinding), and a
 * page in the user's browser (403). Undefined when the request may pass.
 */
export function guard({ headers }: Pick<ServerRequest, "headers">): { status: number; reason: string } | undefined {
  const host = (headers["host"] ?? "").replace(/:\d+$/, "");
  if (!/^(localhost|127\.0\.0\.1|\[::1\])$/.test(host)) return { status: 421, reason: "the sandbox has no such name" };
  if (headers["origin"] !== undefined || headers["sec-fetch-site"] === "cross-site") {
    return { status: 403, reason: "the sandbox answers programs on this machine, and no web page" };
  }
  return undefined;
}
