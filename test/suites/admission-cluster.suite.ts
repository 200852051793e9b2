import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { type TestContext, test } from "node:test";
import { parseAllDocuments } from "yaml";
import { systemIo } from "../../src/io/system.ts";
import { openRegistry, PLAIN_REGISTRY } from "../../src/oci/open.ts";
import { parseReference } from "../../src/oci/ref.ts";
import { pushImage } from "../../src/sandbox/registry/push.ts";
import { createRegistryHandler } from "../../src/sandbox/registry/registry.ts";
import { testIo } from "../support/test-io.ts";
import {
  type ApiAnswer,
  type Cluster,
  openShop,
  portOf,
  type Served,
  type Shop,
  startCluster,
  startServing,
} from "./admission-kit.ts";
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
interface Replica extends Served {
  readonly name: string;
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
      const replica = known[turn++ % Math.max(known.length, 1)];
      if (left === 0 || replica === undefined) return client.destroy();
      const upstream = connect(portOf(replica), "127.0.0.1");
      let isOpen = false;
      upstream.once("connect", () => {
        isOpen = true;
        client.pipe(upstream).pipe(client);
      });
      upstream.on("error", () => (isOpen ? client.destroy() : dial(left - 1)));
      // After an orderly end the last answer may still be on its way to the client.
      upstream.on("close", () => isOpen && client.end());
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
    const served = await startServing(t, [process.execPath, ...program], { cwd, env });
    const replica: Replica = {
      ...{ ...served, name },
      async end(signal) {
        const ended = new Promise((done) => served.child.once("exit", done));
        served.child.kill(signal);
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

/** What the elected replica writes into an object whose policy it uses. */
const READY = { type: "Ready", status: "True", reason: "Loaded", observedGeneration: 1 };

test("admission: a cluster's replicas make, share and replace their certificate", async (t) => {
  const { cwd, cluster, shop, replicas, start, create } = await world(t, ["--pull-secrets"]);
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
    await left?.end("SIGTERM");
    await until("left", async () => (await holder()).startsWith(`${third.name}_`), 10);
    const before = await served();
    await until("replaced by the new leader", async () => (await served()) !== before, LIFETIME * 2);
  });

  const inside = (namespace: string, name: string, image: string, spec = {}) =>
    create(`/api/v1/namespaces/${namespace}/pods`, pod(name, image, spec), "?dryRun=All");
  const good = `${shop.registry}/good:1`;

  await t.test(
    "TsignPolicy and ClusterTsignPolicy: demanded besides the file, noticed at once, and checked",
    async () => {
      const of = (kind: string, namespace: string, name: string, spec: unknown) => {
        const metadata = { name, ...(namespace === "" ? {} : { namespace }) };
        return { apiVersion: "tsign.dev/v1alpha1", kind, metadata, spec };
      };
      const base = "/apis/tsign.dev/v1alpha1";
      const demand = (key: string) => ({
        version: 1,
        signers: { s: { key: readFileSync(join(cwd, `${key}.pub`), "utf8") } },
        rules: [{ name: "object", images: "**", signatures: { signers: "s", log: "insecure-skip" } }],
      });
      const shops = `${base}/namespaces/shop/tsignpolicies`;
      for (const [spec, reason] of [
        [{ ...demand("b"), version: 2 }, /Unsupported value|version/],
        [{ ...demand("b"), unmached: "audit" }, /policies\.tsign\.dev" denied the request: .*unmached/],
        [{ ...demand("b"), signers: { s: { key: "a.pub" } } }, /is not PEM/],
        [{ version: 1, rules: [] }, /rules/],
      ] as const) {
        const answer = await create(shops, of("TsignPolicy", "shop", "bad", spec));
        assert.ok(answer.status === 400 || answer.status === 422, JSON.stringify(answer.body));
        assert.match(answer.body.message ?? "", reason);
      }
      assert.equal((await inside("shop", "p", good)).status, 201);
      const anything = { version: 1, rules: [{ images: "**", insecureAcceptAnything: true }] };
      assert.equal((await create(shops, of("TsignPolicy", "shop", "anything", anything))).status, 201);
      const made = await create(shops, of("TsignPolicy", "shop", "more", demand("b")));
      assert.equal(made.status, 201, made.body.message ?? "");
      await until("demanded", async () => (await inside("shop", "p", good)).status === 403, 10);
      const refused = await inside("shop", "p", good);
      assert.match(refused.body.message ?? "", /is refused by rule "object" \(TsignPolicy shop\/more\)/);
      const conditions = async () => (await get(`${shops}/more`)).status?.conditions ?? [];
      await until("its status", async () => (await conditions()).length > 0, 30);
      const [{ type, status, reason, observedGeneration }] = await conditions();
      assert.deepEqual({ type, status, reason, observedGeneration }, READY);
      const { resourceVersion } = (await get(`${shops}/more`)).metadata;
      await real.sleep(2000);
      assert.equal((await get(`${shops}/more`)).metadata.resourceVersion, resourceVersion, "written once");
      assert.equal((await inside("other", "p", good)).status, 201);
      await shop.push("both");
      for (const key of ["a", "b"]) await shop.sign(`${shop.registry}/both:1`, key);
      assert.equal((await inside("shop", "p", `${shop.registry}/both:1`)).status, 201);
      assert.equal((await inside("shop", "p", `${shop.registry}/unsigned:1`)).status, 403, "nothing is weakened");
      const wide = await create(`${base}/clustertsignpolicies`, of("ClusterTsignPolicy", "", "all", demand("b")));
      assert.equal(wide.status, 201, wide.body.message ?? "");
      await until("demanded everywhere", async () => (await inside("other", "p", good)).status === 403, 10);
      for (const path of [`${base}/clustertsignpolicies/all`, `${shops}/more`, `${shops}/anything`]) {
        assert.equal((await cluster.call("DELETE", path)).status, 200);
      }
      for (const namespace of ["shop", "other"]) {
        await until("removed", async () => (await inside(namespace, "p", good)).status === 201, 10);
      }
    },
  );

  await t.test(
    "a private registry: read with the pull secret of the namespace, which is no answer for another",
    async () => {
      const auth = Buffer.from("alice:pass-4711").toString("base64");
      const stored = createRegistryHandler({ referrers: true });
      const asked = new Set<string>();
      const { port, close } = await real.listen({ host: "127.0.0.1", port: 0 }, async (request) => {
        const { authorization = "" } = request.headers;
        asked.add(authorization);
        if (authorization === `Basic ${auth}`) return stored(request);
        return { status: 401, headers: { "www-authenticate": 'Basic realm="r"' }, body: "" };
      });
      t.after(close);
      const image = `127.0.0.1:${port}/app:1`;
      const login = { ...PLAIN_REGISTRY, username: "alice", password: "pass-4711" };
      const store = await openRegistry(testIo({ cwd }), parseReference(image), login);
      await pushImage(store, { file: "f", content: Buffer.from("private"), tag: "1" });
      const flags = ["--use-signing-config=false", "--tlog-upload=false", "-y", "--registry-username=alice"];
      const env = { PATH: process.env["PATH"] ?? "", HOME: cwd, COSIGN_PASSWORD: "pw" };
      const signed = await run(TSIGN, ["sign", "--key=a.key", ...flags, "--registry-password=pass-4711", image], {
        cwd,
        env,
      });
      assert.equal(signed.code, 0, signed.stderr);
      writeFileSync(
        join(cwd, "policy.yaml"),
        `version: 1\nsigners: {a: {key: a.pub}}\nrules: [{name: all, images: ["${shop.registry}/**", "127.0.0.1:${port}/**"], signatures: {signers: a, log: insecure-skip}}]\n`,
      );
      for (const replica of replicas) await replica.logged(/policy reloaded/);
      const secret = (namespace: string, name: string, host: string) =>
        create(`/api/v1/namespaces/${namespace}/secrets`, {
          ...{
            apiVersion: "v1",
            kind: "Secret",
            metadata: { name, namespace },
            type: "kubernetes.io/dockerconfigjson",
          },
          stringData: { ".dockerconfigjson": JSON.stringify({ auths: { [host]: { auth } } }) },
        });
      for (const made of [
        await secret("shop", "pull", `127.0.0.1:${port}`),
        await secret("other", "pull", shop.registry),
      ]) {
        assert.equal(made.status, 201, made.body.message ?? "");
      }
      const pulling = { imagePullSecrets: [{ name: "pull" }] };
      const admitted = await inside("shop", "p", image, pulling);
      assert.equal(admitted.status, 201, admitted.body.message ?? "");
      for (const [namespace, spec] of [
        ["shop", {}],
        ["other", {}],
        ["other", pulling],
      ] as const) {
        const answer = await inside(namespace, "p", image, spec);
        assert.equal(answer.status, 503, `${namespace} ${JSON.stringify(answer.body)}`);
        assert.match(answer.body.message ?? "", /app:1" could not be checked/);
        assert.ok(!JSON.stringify(answer.body).includes("4711"));
      }
      // A service account's secret is used where the Pod names none.
      const account = { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "builder" }, ...pulling };
      assert.equal((await create("/api/v1/namespaces/shop/serviceaccounts", account)).status, 201);
      assert.equal((await inside("shop", "p", image, { serviceAccountName: "builder" })).status, 201);
      assert.deepEqual([...asked].sort(), ["", `Basic ${auth}`]);
      assert.equal((await inside("other", "p", good, pulling)).status, 201);
      assert.doesNotMatch(replicas.map((each) => each.log()).join(), /4711/);
    },
  );

  await t.test("rights: its own objects by name, and nothing else", async () => {
    const may = async (verb: string, [group, path = "", name, namespace]: readonly string[]) => {
      const [resource, subresource = ""] = path.split("/");
      const { body } = await create("/apis/authorization.k8s.io/v1/subjectaccessreviews", {
        ...{ apiVersion: "authorization.k8s.io/v1", kind: "SubjectAccessReview" },
        spec: {
          user: `system:serviceaccount:${NAMESPACE}:tsign`,
          resourceAttributes: { verb, group, resource, subresource, name, namespace },
        },
      });
      return (body["status"] as { allowed: boolean }).allowed;
    };
    const webhooks = ["admissionregistration.k8s.io", "validatingwebhookconfigurations"];
    for (const [verb, at, expected] of [
      ["update", ["", "secrets", "tsign-tls", NAMESPACE], true],
      ["update", ["", "secrets", "other", NAMESPACE], false],
      ["create", ["", "secrets", "", NAMESPACE], false],
      ["get", ["", "secrets", "pull", "shop"], true],
      ["list", ["", "secrets", "", "shop"], false],
      ["list", ["tsign.dev", "tsignpolicies", "", ""], true],
      ["update", ["tsign.dev", "tsignpolicies", "x", "shop"], false],
      ["patch", ["tsign.dev", "tsignpolicies", "x", "shop"], false],
      ["patch", ["tsign.dev", "tsignpolicies/status", "x", "shop"], true],
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
