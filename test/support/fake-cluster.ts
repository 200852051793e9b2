import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { ServerResponse } from "../../src/io/io.ts";
import { systemIo } from "../../src/io/system.ts";

/** What the API server of a test answers, by the path; undefined for 404. */
export type ClusterAnswer = (
  path: string,
  asked: { query: URLSearchParams; headers: Readonly<Record<string, string>> },
) => { status?: number; body: unknown } | undefined;

/** Serves an API on loopback until the test ends, and writes `kubeconfig` for it in a folder. */
export async function fakeCluster(t: TestContext, cwd: string, answer: ClusterAnswer): Promise<{ server: string }> {
  const { port, close } = await systemIo().listen(
    { host: "127.0.0.1", port: 0 },
    async (request): Promise<ServerResponse> => {
      const { pathname, searchParams: query } = new URL(request.url, "http://localhost");
      const { headers } = request;
      const found = answer(pathname, { query, headers }) ?? { status: 404, body: { message: "not found" } };
      return {
        status: found.status ?? 200,
        headers: { "content-type": "application/json" },
        body: JSON.stringify(found.body),
      };
    },
  );
  t.after(close);
  const server = `http://127.0.0.1:${port}`;
  writeFileSync(
    join(cwd, "kubeconfig"),
    `clusters: [{name: c, cluster: {server: "${server}"}}]\nusers: [{name: u, user: {token: kube-secret}}]\n` +
      "contexts: [{name: x, context: {cluster: c, user: u}}]\ncurrent-context: x\n",
  );
  return { server };
}

/** A Pod as a list has it. @param containers name, image and the `imageID` that the kubelet reports ("" for one that has not started) */
export function runningPod(
  name: string,
  containers: readonly (readonly [name: string, image: string, id?: string])[],
  { namespace = "shop", phase = "Running", spec = {}, status = {} } = {},
) {
  return {
    metadata: { name, namespace },
    spec: { containers: containers.map(([each, image]) => ({ name: each, image })), ...spec },
    status: {
      phase,
      containerStatuses: containers.map(([each, image, id = ""]) => ({
        ...{ name: each, image, imageID: id },
        state: id === "" ? { waiting: { reason: "ContainerCreating" } } : { running: {} },
      })),
      ...status,
    },
  };
}
