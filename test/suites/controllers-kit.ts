import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { join, resolve } from "node:path";
import process from "node:process";
import type { TestContext } from "node:test";
import { setTimeout } from "node:timers/promises";
import { parseAllDocuments } from "yaml";
import { TOOLS } from "../../scripts/tools.ts";
import type { ApiAnswer, Cluster } from "./admission-kit.ts";

/** Where controllers-tools.sh puts the programs and, in `NAME-manifests`, the manifests of their modules. */
export const CONTROLLERS = join(TOOLS, "controllers");

/** The namespace whose Pods the controllers look at. */
export const NAMESPACE = "shop";

/** An object for the API server. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly labels?: Record<string, string> };
  readonly [field: string]: unknown;
}

/** The documents of a YAML text that name an object. */
export function manifests(text: string): Manifest[] {
  const documents = parseAllDocuments(text).map((each) => each.toJS() as Manifest | null);
  return documents.filter((each): each is Manifest => each?.metadata?.name !== undefined);
}

/** The objects in the YAML blocks of a page of the documentation, after replacements in its text. */
export function documented(page: string, replaced: Readonly<Record<string, string>>): Manifest[] {
  let text = readFileSync(resolve(import.meta.dirname, "../../docs", page), "utf8");
  for (const [from, to] of Object.entries(replaced)) {
    assert.ok(text.includes(from), `${page} does not contain ${from}`);
    text = text.replaceAll(from, to);
  }
  return [...text.matchAll(/^```yaml\n([\s\S]*?)^```$/gm)].flatMap(([, block = ""]) => manifests(block));
}

/** The objects in the files of a controller's module: of a file, or of all below a folder. */
export function shipped(program: string, ...paths: readonly string[]): Manifest[] {
  const files = (path: string): string[] =>
    statSync(path).isFile() ? [path] : readdirSync(path).flatMap((entry) => files(join(path, entry)));
  return paths
    .flatMap((path) => files(join(CONTROLLERS, `${program}-manifests`, path)))
    .filter((file) => file.endsWith(".yaml"))
    .flatMap((file) => manifests(readFileSync(file, "utf8")));
}

/** The path of an object at the API server. */
function place({ apiVersion, kind, metadata: { name, namespace } }: Manifest): string {
  const group = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const one = kind.toLowerCase();
  const many = /^(constraints|mutations)\.gatekeeper\.sh/.test(apiVersion) ? one : `${one.replace(/y$/, "ie")}s`;
  return `${group}${namespace === undefined ? "" : `/namespaces/${namespace}`}/${many}/${name}`;
}

/** Applies objects, each repeatedly while its kind or a webhook for it is not ready yet. */
export async function apply(cluster: Cluster, objects: readonly Manifest[]): Promise<void> {
  for (const object of objects) {
    const path = `${place(object)}?fieldManager=suite&force=true`;
    const put = () => cluster.call("PATCH", path, object, "application/apply-patch+yaml");
    let answer = await put();
    for (let tries = 0; answer.status >= 404 && answer.status !== 422 && tries < 300; tries++) {
      await setTimeout(100);
      answer = await put();
    }
    assert.ok(answer.status < 300, `${object.kind} ${object.metadata.name}: ${answer.body.message}`);
  }
}

/** A running controller. */
export interface Running {
  /** What it has printed. */
  log(): string;
  /** Waits until it has printed something. */
  printed(pattern: RegExp): Promise<void>;
}

/** Starts a controller that controllers-tools.sh has built, in a folder; it is killed with the test. */
export function start(
  t: TestContext,
  program: string,
  args: readonly string[],
  options: { cwd: string; env: Readonly<Record<string, string>> },
): Running {
  const env = { PATH: process.env["PATH"], HOME: options.cwd, ...options.env };
  const child = spawn(join(CONTROLLERS, program), args, { cwd: options.cwd, env, stdio: ["ignore", "pipe", "pipe"] });
  t.after(() => child.kill("SIGKILL"));
  let text = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (more: string) => {
      text += more;
    });
  }
  const printed = async (pattern: RegExp) => {
    for (let tries = 0; tries < 600 && !pattern.test(text) && child.exitCode === null; tries++) await setTimeout(100);
    assert.match(text, pattern);
  };
  return { log: () => text, printed };
}

/** Whether a controller has been built. */
export const built = (program: string): boolean => existsSync(join(CONTROLLERS, program));

/** A free port of the loopback interface. */
export async function freePort(): Promise<number> {
  const server = createServer();
  const port = await new Promise<number>((done) => {
    server.listen(0, "127.0.0.1", () => done((server.address() as AddressInfo).port));
  });
  await new Promise((done) => server.close(done));
  return port;
}

/** Another address of a server at `localhost:PORT`, for a registry whose images a policy names by their host. */
export async function alias(t: TestContext, target: string): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const onwards = connect(Number(target.replace(/^.*:/, "")), "127.0.0.1");
    for (const [from, to] of [
      [client, onwards],
      [onwards, client],
    ] as const) {
      sockets.add(from);
      from
        .on("error", () => to.destroy())
        .on("close", () => sockets.delete(from))
        .pipe(to);
    }
  });
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return new Promise((done) => {
    server.listen(0, "127.0.0.1", () => done(`127.0.0.1:${(server.address() as AddressInfo).port}`));
  });
}

/** A Pod with one container. */
export const pod = (name: string, image: string) => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name },
  spec: { containers: [{ name: "c", image }] },
});

/** Creates a Pod of an image in the namespace that the controllers look at. */
export const createPod = (
  cluster: Cluster,
  name: string,
  image: string,
  { spec = {}, query = "" } = {},
): Promise<ApiAnswer> => {
  const { spec: own, ...rest } = pod(name, image);
  return cluster.call("POST", `/api/v1/namespaces/${NAMESPACE}/pods${query}`, { ...rest, spec: { ...own, ...spec } });
};

/** Deletes an object. */
export async function remove(cluster: Cluster, object: Manifest): Promise<void> {
  assert.equal((await cluster.call("DELETE", place(object))).status, 200);
}

/** The image of the first container of a Pod that was created. */
export const imageOf = ({ body }: ApiAnswer): string =>
  (body as unknown as ReturnType<typeof pod>).spec?.containers[0]?.image ?? "";

/** Where an image may stand beside that of the first container of a Pod, in a Pod or in the template of a workload. */
export const PLACES = [
  "container",
  "init container",
  "ephemeral container",
  "image volume",
  "Deployment",
  "CronJob",
] as const;
export type Place = (typeof PLACES)[number];

/** Creates a Pod or workload of a good image, with another image in a place. */
export async function placed(
  cluster: Cluster,
  place: Place,
  name: string,
  { good, image }: { good: string; image: string },
): Promise<ApiAnswer> {
  const container = { name: "x", image };
  const spec = { ...pod(name, good).spec, initContainers: [container] };
  const create = (group: string, kind: string, more: object) => {
    const path = `/apis/${group}/namespaces/${NAMESPACE}/${kind.toLowerCase()}s`;
    return cluster.call("POST", path, { apiVersion: group, kind, metadata: { name }, spec: more });
  };
  switch (place) {
    case "container":
      return createPod(cluster, name, good, { spec: { containers: [{ name: "c", image: good }, container] } });
    case "init container":
      return createPod(cluster, name, good, { spec: { initContainers: [container] } });
    case "ephemeral container": {
      const made = await createPod(cluster, name, good);
      assert.equal(made.status, 201, made.body.message ?? "");
      const path = `/api/v1/namespaces/${NAMESPACE}/pods/${name}/ephemeralcontainers`;
      const added = { spec: { ephemeralContainers: [container] } };
      return cluster.call("PATCH", path, added, "application/strategic-merge-patch+json");
    }
    case "image volume":
      return createPod(cluster, name, good, { spec: { volumes: [{ name: "x", image: { reference: image } }] } });
    case "Deployment": {
      const template = { metadata: { labels: { name } }, spec };
      return create("apps/v1", "Deployment", { selector: { matchLabels: { name } }, template });
    }
    case "CronJob": {
      const template = { spec: { ...spec, restartPolicy: "Never" } };
      return create("batch/v1", "CronJob", { schedule: "0 0 * * *", jobTemplate: { spec: { template } } });
    }
  }
}
