import type { ServerRequest } from "../../io/io.ts";

/**
 * Refuses requests that do not come from a program on this machine: those for another host name (421, DNS rebinding), and
 * those of web pages in the user's browser (403). Returns undefined for an allowed request.
 */
export function guard({ headers }: Pick<ServerRequest, "headers">): { status: number; reason: string } | undefined {
  const host = (headers["host"] ?? "").replace(/:\d+$/, "");
  if (!/^(localhost|127\.0\.0\.1|\[::1\])$/.test(host))
    return { status: 421, reason: "unknown host name for the sandbox" };
  if (headers["origin"] !== undefined || headers["sec-fetch-site"] === "cross-site") {
    return { status: 403, reason: "requests from web pages are not allowed" };
  }
  return undefined;
}
