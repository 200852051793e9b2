import { TsignError } from "../../errors.ts";
import { createTransport } from "../../net/http.ts";
import type { TransportIo } from "../../net/retry.ts";
import { type Channel, countsOf } from "./report.ts";
import { markdownTables } from "./text.ts";

const MAX_ANSWER = 1024 * 1024;
/** Characters that GitHub accepts in the body of an issue. */
const MAX_BODY = 65_536;

/** A channel that opens an issue for each report (GitHub REST API, "Create an issue"). @param repository `OWNER/NAME` */
export function githubIssues(
  io: TransportIo,
  options: { api: URL; repository: string; token: string; labels: readonly string[]; id: string },
): Channel {
  const { api, repository, token, labels, id } = options;
  const transport = createTransport(io, { peer: { service: "github", name: "GitHub" } });
  const url = new URL(api);
  url.pathname = `${url.pathname.replace(/\/+$/, "")}/repos/${repository}/issues`;
  return {
    id,
    name: `issues of ${repository}`,
    async send(report) {
      const text = markdownTables(report);
      const kept =
        text.length <= MAX_BODY ? text : `${text.slice(0, text.lastIndexOf("\n", MAX_BODY - 100))}\n\n(cut)\n`;
      const title = `tsign monitor: ${countsOf(report)} (${report.id})`;
      const body = Buffer.from(JSON.stringify({ title, body: kept, labels }));
      const headers = {
        authorization: `Bearer ${token}`,
        accept: "application/vnd.github+json",
        "content-type": "application/json",
        "content-length": String(body.length),
        "x-github-api-version": "2022-11-28",
      };
      const exchange = { method: "POST", url, headers, body, followRedirects: false } as const;
      const { status } = await transport.read(exchange, { maxBytes: MAX_ANSWER });
      if (status === 201) return;
      throw new TsignError("service", `create an issue in ${repository}: HTTP status ${status}`, {
        ...{ service: "github", status },
        ...(status === 401 || status === 404 ? { hint: "give the token the permission to write issues" } : {}),
      });
    },
  };
}
