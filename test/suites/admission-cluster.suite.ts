import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { type TestContext, test } from "node:test";
import { parseAllDocuments } from "yaml";
import { systemIo } from "../../src/io/system.ts";
import { type ApiAnswer, type Cluster, openShop, type Shop, startCluster } from "./admission-kit.ts";
import { folder, run, TSIGN } from "./support.ts";

const real = systemIo();
const NAMESPACE = "tsign-system";
const SECRET = `/api/v1/namespaces/${NAMESPACE}/secrets/tsign-tls`;
const LEASE = `/apis/coordination.k8s.io/v1/namespaces/${NAMESPACE}/leases/tsign`;
const CONFIGURATION = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/tsign";
/** Certificates are replaced when two thirds of it have passed. Seconds. */
const LIFETIME = 30;

// biome-ignore lint/suspicious/noExplicitAny: Kubernetes' objects
type Any = any;

const pod = (name: string, image: string, spec = {}) => ({
  ...{ apiVersion: "v1", kind: "Pod", metadata: { name } },
  spec: { containers: [{ name: "c", image }], ...spec },
});

/** Where an object is created. */
function placeOf({ apiVersion, kind, metadata }: Any): string {
  const base = apiVersion === "v1" ? "/api/v1" : `/apis/${apiVersion}`;
  const inside = metadata.namespace === undefined ? "" : `/namespaces/${metadata.namespace}`;
  const plural = kind.endsWith("y") ? `${kind.slice(0, -1)}ies` : `${kind}s`;
  return `${base}${inside}/${plural.toLowerCase()}/${metadata.name}`;
}

/** A running replica. */
interface Replica {
  readonly name: string;
  readonly port: number;
  log(): string;
  logged(pattern: RegExp): Promise<void>;
  /** Ends it with a signal, and waits for its end. */
  end(signal: "SIGTERM" | "SIGKILL"): Promise<void>;
}

/** The Service: connections go to the replicas in turn; to those that accept them. */
async function balance(t: TestContext, replicas: () => readonly Replica[]): Promise<number> {
  const sockets = new Set<Socket>();
  let turn = 0;
  const server = createServer((client) => {
    const known = [...replicas()];
    const dial = (left: number) => {
      const port = known[turn++ % Math.max(known.length, 1)]?.port;
      if (left === 0 || port === undefined) return client.destroy();
      const upstream = connect(port, "127.0.0.1");
      let isOpen = false;
      upstream.once("connect", () => {
        isOpen = true;
        client.pipe(upstream).pipe(client);
      });
      upstream.on("error", () => (isOpen ? client.destroy() : dial(left - 1)));
      upstream.on("close", () => isOpen && client.destroy());
      client.on("error", () => upstream.destroy());
      client.on("close", () => upstream.destroy());
      return undefined;
    };
    sockets.add(client);
    client.on("close", () => sockets.delete(client));
    dial(known.length);
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as { port: number }).port;
}

interface World {
  readonly cwd: string;
  readonly cluster: Cluster;
  readonly shop: Shop;
  readonly replicas: Replica[];
  readonly start: (name: string) => Promise<Replica>;
  readonly create: (path: string, object: unknown, query?: string) => Promise<ApiAnswer>;
}

/** A cluster to which the printed manifests are applied, and whose Service leads to the replicas that `start` runs as Pods do. */
async function world(t: TestContext, flags: readonly string[]): Promise<World> {
  const cwd = folder(t);
  const [cluster, shop] = await Promise.all([startCluster(t, cwd), openShop(t, cwd)]);
  for (const name of ["good", "unsigned"]) await shop.push(name);
  await shop.sign(`${shop.registry}/good:1`, "a");
  writeFileSync(
    join(cwd, "policy.yaml"),
    `version: 1\nsigners: {a: {key: a.pub}}\nrules: [{name: all, images: "${shop.registry}/**", signatures: {signers: a, log: insecure-skip}}]\n`,
  );
  const replicas: Replica[] = [];
  const port = await balance(t, () => replicas);
  const printed = await run(
    TSIGN,
    [
      "admission",
      "manifests",
      "--trust-policy=policy.yaml",
      "--webhook-timeout=10s",
      ...flags,
      `r.example/tsign@sha256:${"a".repeat(64)}`,
    ],
    { cwd },
  );
  assert.deepEqual([printed.code, printed.stderr], [0, ""]);
  let args: string[] = [];
  for (const document of parseAllDocuments(printed.stdout)) {
    const object: Any = document.toJS();
    if (object.kind === "Deployment") args = object.spec.template.spec.containers[0].args;
    // There is no network of Pods: the Service is a port of this machine.
    if (object.kind === "Service") object.spec = { type: "ExternalName", externalName: "localhost", ports: [{ port }] };
    for (const { clientConfig } of object.webhooks ?? []) clientConfig.service.port = port;
    const path = `${placeOf(object)}?fieldManager=docs&fieldValidation=Strict`;
    const answer = await cluster.call("PATCH", path, JSON.stringify(object), "application/apply-patch+yaml");
    assert.ok(answer.status === 201 || answer.status === 200, `${object.kind}: ${answer.body.message}`);
  }
  const create = (path: string, object: unknown, query = "") => cluster.call("POST", `${path}${query}`, object);
  const account = `/api/v1/namespaces/${NAMESPACE}/serviceaccounts/tsign/token`;
  const asked = { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: { expirationSeconds: 3600 } };
  const { token } = (await create(account, asked)).body["status"] as { token: string };
  const pods = join(cwd, "account");
  mkdirSync(pods);
  writeFileSync(join(pods, "token"), token);
  writeFileSync(join(pods, "ca.crt"), cluster.ca);
  const own = args
    .filter((each) => !/^--(listen|trust-policy)=/.test(each))
    .concat("--listen=127.0.0.1:0", "--trust-policy=policy.yaml", "--reload-interval=500ms", "--shutdown-delay=1500ms");
  const start = async (name: string) => {
    const { hostname, port: api } = new URL(cluster.server);
    const env = {
      ...{ PATH: process.env["PATH"], HOME: cwd, HOSTNAME: name },
      ...{ KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: api },
    };
    const program = [join(import.meta.dirname, "in-pod.ts"), pods, ...own, `--tls-lifetime=${LIFETIME}s`];
    const child = spawn(process.execPath, program, { cwd, env, stdio: ["ignore", "ignore", "pipe"] });
    t.after(() => child.kill("SIGKILL"));
    let text = "";
    child.stderr.setEncoding("utf8").on("data", (more: string) => {
      text += more;
    });
    const logged = async (pattern: RegExp) => {
      for (let tries = 0; tries < 1200 && !pattern.test(text); tries++) await real.sleep(50);
      assert.match(text, pattern, name);
    };
    await logged(/serving on /);
    const replica: Replica = {
      ...{ name, logged, log: () => text, port: Number(/serving on https:\/\/127\.0\.0\.1:(\d+)/.exec(text)?.[1]) },
      async end(signal) {
        const ended = new Promise((done) => child.once("exit", done));
        child.kill(signal);
        await ended;
        replicas.splice(replicas.indexOf(replica), 1);
      },
    };
    replicas.push(replica);
    return replica;
  };
  const labels = { "policy.sigstore.dev/include": "true" };
  for (const name of ["shop", "other"]) {
    const namespace = { apiVersion: "v1", kind: "Namespace", metadata: { name, labels } };
    assert.equal((await create("/api/v1/namespaces", namespace)).status, 201);
  }
  return { cwd, cluster, shop, replicas, start, create };
}

test("admission: a cluster's replicas make, share and replace their certificate", async (t) => {
  const { cluster, shop, replicas, start, create } = await world(t, []);
  const get = async (path: string): Promise<Any> => (await cluster.call("GET", path)).body;
  const holder = async (): Promise<string> => (await get(LEASE)).spec?.holderIdentity ?? "";
  const served = async (): Promise<string> => (await get(SECRET)).data["tls.crt"];
  const pods = (name: string, image = "good", query = "") =>
    create(`/api/v1/namespaces/shop/pods`, pod(name, `${shop.registry}/${image}:1`), query);
  const until = async (what: string, check: () => Promise<boolean>, seconds = 60) => {
    for (const end = Date.now() + seconds * 1000; Date.now() < end; await real.sleep(100)) if (await check()) return;
    assert.fail(`${what}: not within ${seconds} s\n${replicas.map((each) => each.log()).join("\n")}`);
  };

  await t.test(
    "nobody serves yet -> nothing is admitted; two replicas -> one leader, one certificate, trusted",
    async () => {
      assert.equal((await pods("early")).status, 500);
      await Promise.all([start("pod-a"), start("pod-b")]);
      await until("trusted", async () => (await pods("first", "good", "?dryRun=All")).status === 201);
      const refused = await pods("bad", "unsigned");
      assert.equal(refused.status, 403, refused.body.message ?? "");
      assert.match(refused.body.message ?? "", /unsigned:1" is refused by rule "all"/);
      const elected = replicas.filter((each) => /"elected"/.test(each.log()));
      assert.equal(elected.length, 1);
      assert.ok((await holder()).startsWith(`${elected[0]?.name}_`));
    },
  );

  /** Creates Pods at all times until it is stopped. Returns how many were, and every answer that was not "created". */
  const load = () => {
    let isOn = true;
    const failed: string[] = [];
    let created = 0;
    const lanes = ["w", "x", "y", "z"].map(async (lane) => {
      for (let each = 0; isOn; each++) {
        const { status, body } = await pods(`${lane}-${each}`, "good", "?dryRun=All");
        if (status === 201) created++;
        else failed.push(`${status} ${body.message ?? ""}`);
      }
    });
    return async () => {
      isOn = false;
      await Promise.all(lanes);
      return { created, failed };
    };
  };

  await t.test("rotation under load -> no request fails, both replicas serve the next certificate", async () => {
    const stop = load();
    const before = await served();
    await until("replaced", async () => (await served()) !== before, LIFETIME * 2);
    for (const replica of replicas) await replica.logged(/certificate reloaded/);
    const again = await served();
    await until("replaced again", async () => (await served()) !== again, LIFETIME * 2);
    await until("told", async () => !JSON.stringify(await get(CONFIGURATION)).includes(before));
    const { created, failed } = await stop();
    assert.deepEqual(failed.slice(0, 3), [], `${failed.length} of ${created} failed`);
    assert.ok(created > 100, String(created));
    t.diagnostic(`${created} Pods while the certificate was replaced twice, none failed`);
    assert.ok(!replicas.some((each) => /"level":"error"/.test(each.log())), replicas.map((each) => each.log()).join());
  });

  await t.test("the leader is killed -> the other one goes on; it leaves -> the next one does at once", async () => {
    const [leading] = replicas.filter(({ log }) => /"elected"/.test(log()));
    assert.ok(leading);
    await leading.end("SIGKILL");
    const [left] = replicas;
    await until("taken", async () => (await holder()).startsWith(`${left?.name}_`));
    assert.equal((await pods("meanwhile")).status, 201);
    const third = await start("pod-c");
    const stop = load();
    await left?.end("SIGTERM");
    await until("left", async () => (await holder()).startsWith(`${third.name}_`), 10);
    const { created, failed } = await stop();
    // The last answers of the one that leaves are given; its connections are closed between two requests.
    assert.deepEqual(failed.slice(0, 3), [], `${failed.length} of ${created} failed`);
    const before = await served();
    await until("replaced by the new leader", async () => (await served()) !== before, LIFETIME * 2);
  });

  await t.test("rights: its own objects by name, and nothing else", async () => {
    const may = async (verb: string, [group, resource, name, namespace]: readonly string[]) => {
      const { body } = await create("/apis/authorization.k8s.io/v1/subjectaccessreviews", {
        ...{ apiVersion: "authorization.k8s.io/v1", kind: "SubjectAccessReview" },
        spec: {
          user: `system:serviceaccount:${NAMESPACE}:tsign`,
          resourceAttributes: { verb, group, resource, name, namespace },
        },
      });
      return (body["status"] as { allowed: boolean }).allowed;
    };
    const webhooks = ["admissionregistration.k8s.io", "validatingwebhookconfigurations"];
    for (const [verb, at, expected] of [
      ["update", ["", "secrets", "tsign-tls", NAMESPACE], true],
      ["get", ["", "secrets", "other", NAMESPACE], false],
      ["create", ["", "secrets", "", NAMESPACE], false],
      ["get", ["", "secrets", "tsign-tls", "shop"], false],
      ["update", ["coordination.k8s.io", "leases", "tsign", NAMESPACE], true],
      ["update", ["coordination.k8s.io", "leases", "kube-scheduler", "kube-system"], false],
      ["patch", [...webhooks, "tsign", ""], true],
      ["patch", [...webhooks, "other", ""], false],
      ["delete", [...webhooks, "tsign", ""], false],
      ["get", ["", "pods", "", "shop"], false],
    ] as const) {
      assert.equal(await may(verb, at), expected, `${verb} ${at.join()}`);
    }
    assert.doesNotMatch(replicas.map((each) => each.log()).join(), /PRIVATE KEY|internal error/);
  });
});
