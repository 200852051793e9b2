import assert from "node:assert/strict";
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { findCluster } from "../src/admission/kubeconfig.ts";
import { readRunning } from "../src/admission/running.ts";
import { TsignError } from "../src/errors.ts";
import { systemIo } from "../src/io/system.ts";
import { openRegistry, PLAIN_REGISTRY } from "../src/oci/open.ts";
import { parseReference } from "../src/oci/ref.ts";
import { pushImage } from "../src/sandbox/registry/push.ts";
import { type ClusterAnswer, fakeCluster, runningPod } from "./support/fake-cluster.ts";
import { writeKeyPairs } from "./support/key-pairs.ts";
import { OFFLINE, run, temporaryFolder, testIo, testRegistry } from "./support/test-io.ts";
import { tlsAuthority } from "./support/tls-authorities.ts";

type Pod = ReturnType<typeof runningPod>;

/** A registry with signed and unsigned images, a policy, and a cluster with Pods. */
async function world(t: TestContext) {
  const cwd = temporaryFolder(t);
  const registry = await testRegistry(t);
  const env = { COSIGN_PASSWORD: "pw", HOME: cwd };
  const tsign = (...argv: string[]) => run(argv, { cwd, env });
  writeKeyPairs(cwd, "a");
  const push = async (name: string, content: string) => {
    const store = await openRegistry(testIo({ cwd }), parseReference(`${registry}/${name}:1`), PLAIN_REGISTRY);
    return (await pushImage(store, { file: "f", content: Buffer.from(content), tag: "1" })).digest;
  };
  const sign = async (image: string) =>
    assert.equal((await tsign("sign", "--key=a.key", ...OFFLINE, "-y", image)).code, 0);
  const image = (name: string) => `${registry}/${name}:1`;
  const rules = (more = "", effect = "") =>
    writeFileSync(
      join(cwd, "policy.yaml"),
      `version: 1\nsigners: {a: {key: a.pub}}\nrules:\n${more}  - {name: all, images: "${registry}/**", ${effect}signatures: {signers: a, log: insecure-skip}}\n`,
    );
  rules();
  const pods: Pod[] = [];
  let answer: ClusterAnswer = () => undefined;
  const list: ClusterAnswer = (path, { headers }) => {
    if (headers["authorization"] !== "Bearer kube-secret") return { status: 401, body: { message: "Unauthorized" } };
    const [, namespace] = /^\/api\/v1\/(?:namespaces\/([^/]+)\/)?pods$/.exec(path) ?? [];
    if (path.endsWith("/pods")) {
      return {
        body: { items: pods.filter((pod) => !namespace || pod.metadata.namespace === namespace), metadata: {} },
      };
    }
    return path === "/api/v1/namespaces/empty" ? { body: {} } : undefined;
  };
  await fakeCluster(t, cwd, (path, asked) => answer(path, asked) ?? list(path, asked));
  const audit = (...flags: string[]) =>
    tsign("admission", "audit", "--trust-policy=policy.yaml", "--kubeconfig=kubeconfig", ...flags);
  return {
    ...{ cwd, registry, image, push, sign, rules, pods, audit, env },
    answering: (by: ClusterAnswer) => {
      answer = by;
    },
  };
}

test("audit: what runs is signed -> 0 with the digests and places; an unsigned image beside it -> 1 with what to do", async (t) => {
  const { push, sign, image, pods, audit, registry } = await world(t);
  const good = await push("good", "good");
  await sign(image("good"));
  const bad = await push("bad", "bad");
  const id = (name: string, digest: string) => `${registry}/${name}@${digest}`;
  pods.push(runningPod("one", [["c", image("good"), id("good", good)]]));
  pods.push(runningPod("two", [["c", image("good"), id("good", good)]], { namespace: "pay" }));
  const fine = await audit("--json");
  assert.equal(fine.code, 0, fine.stderr);
  assert.deepEqual(JSON.parse(fine.stdout).result, {
    images: [
      {
        ...{ image: image("good"), places: ["shop/one/c", "pay/two/c"], allowed: true, reason: "accepted" },
        ...{ digest: good, rule: "all" },
      },
    ],
    ...{ pods: 2, ended: 0, unlisted: [] },
  });
  pods.push(
    runningPod("three", [
      ["c", image("good"), id("good", good)],
      ["side", image("bad"), id("bad", bad)],
    ]),
  );
  const mixed = await audit();
  assert.equal(mixed.code, 1);
  assert.match(
    mixed.stdout,
    new RegExp(`^accepted +${image("good")}@${good} \\(shop/one/c, pay/two/c, shop/three/c\\)$`, "m"),
  );
  assert.match(mixed.stdout, new RegExp(`^refused +${image("bad")}@${bad} \\(shop/three/side\\)$`, "m"));
  assert.match(mixed.stderr, /bad:1" is refused by rule "all".*sign the image/);
  assert.match(mixed.stderr, /2 images in 3 Pods[\s\S]*audit the cluster: 1 of 2 images is not accepted/);
  assert.equal((await audit("--namespace=pay")).code, 0);
});

test("audit: credentials of flags for Pods of several registries -> nothing is sent; of one -> as without the rule", async (t) => {
  const { push, sign, image, pods, audit, rules } = await world(t);
  await push("good", "good");
  await sign(image("good"));
  const received: string[] = [];
  const { port, close } = await systemIo().listen({ host: "127.0.0.1", port: 0 }, async ({ headers }) => {
    received.push(headers["authorization"] ?? "");
    return { status: 401, headers: { "www-authenticate": "Basic realm=x" }, body: "" };
  });
  t.after(close);
  rules(`  - {name: others, images: "127.0.0.1:${port}/**", signatures: {signers: a, log: insecure-skip}}\n`);
  pods.push(runningPod("ours", [["c", image("good")]], { phase: "Pending" }));
  const flags = ["--registry-username=bob", "--registry-password=s3cr3t-4711"];
  const own = await audit(...flags);
  assert.equal(own.code, 0, own.stderr);
  pods.push(runningPod("theirs", [["c", `127.0.0.1:${port}/app:1`]], { namespace: "other", phase: "Pending" }));
  const both = await audit(...flags);
  assert.equal(both.code, 1);
  assert.deepEqual(received, []);
  assert.match(both.stderr, /^Error: read Pods: --registry-password requires images of one registry, found 127/m);
  assert.ok(!`${both.stdout}${both.stderr}`.includes("s3cr3t"));
  assert.match((await audit()).stdout, /^accepted .*ours/m);
  assert.ok(received.length > 0 && received.every((each) => each === ""));
});

test("audit: a tag that moved -> what runs is judged, in both directions; a digest that is named counts less", async (t) => {
  const { push, sign, image, pods, audit, registry } = await world(t);
  const unsigned = await push("app", "earlier");
  const signed = await push("app", "later");
  await sign(image("app"));
  const ran = (digest: string, name = image("app")) => {
    pods.length = 0;
    pods.push(runningPod("p", [["c", name, `docker-pullable://${registry}/app@${digest}`]]));
    return audit();
  };
  assert.equal((await ran(signed)).code, 0);
  const moved = await ran(unsigned);
  assert.equal(moved.code, 1);
  assert.match(moved.stdout, new RegExp(`^refused .*@${unsigned}`, "m"));
  // The container still runs what it was started from before its image was changed.
  assert.equal((await ran(unsigned, `${registry}/app@${signed}`)).code, 1);
  assert.equal((await ran(signed, `${registry}/app@${signed}`)).code, 0);
  await push("app", "third");
  assert.equal((await ran(signed)).code, 0);
});

test("audit: the digest is not reported -> not checked once it runs, the tag's if it has not begun, and the name's if it has one", async (t) => {
  const { push, sign, image, pods, audit, registry, rules } = await world(t);
  const digest = await push("good", "good");
  await sign(image("good"));
  const of = async (pod: Pod, ...flags: string[]) => {
    pods.length = 0;
    pods.push(pod);
    return audit(...flags);
  };
  const id = `sha256:${"0".repeat(64)}`;
  const local = await of(runningPod("p", [["c", image("good"), id]]), "--exit-codes=strict");
  assert.equal(local.code, 13);
  assert.match(local.stdout, /^unchecked +\S+good:1 \(shop\/p\/c\)$/m);
  assert.match(local.stderr, /good:1" could not be checked: the kubelet reports no digest/);
  assert.equal((await of(runningPod("p", [["c", `${image("good")}@${digest}`, id]]))).code, 0);
  assert.equal((await of(runningPod("p", [["c", image("good")]], { phase: "Pending" }))).code, 0);
  assert.equal((await of(runningPod("p", [["c", image("good")]], { status: { containerStatuses: [] } }))).code, 1);
  rules(`  - {name: local, images: "${registry}/good", insecureAcceptAnything: true}\n`);
  const byName = await of(runningPod("p", [["c", image("good"), id]]));
  assert.equal(byName.code, 0, byName.stderr);
});

test("audit: init and ephemeral containers and image volumes -> the unsigned image in each is found", async (t) => {
  const { push, sign, image, pods, audit, registry } = await world(t);
  const digest = await push("good", "good");
  await sign(image("good"));
  const bad = `${registry}/bad@${await push("bad", "bad")}`;
  const places: [string, object, object, string][] = [
    [
      "initContainers",
      { initContainers: [{ name: "i", image: image("bad") }] },
      { initContainerStatuses: [{ name: "i", imageID: bad, state: { terminated: {} } }] },
      "i",
    ],
    [
      "ephemeralContainers",
      { ephemeralContainers: [{ name: "e", image: image("bad") }] },
      { ephemeralContainerStatuses: [{ name: "e", imageID: bad, state: { running: {} } }] },
      "e",
    ],
    ["volume by digest", { volumes: [{ name: "v", image: { reference: bad } }] }, {}, "v"],
    [
      "volume by tag, with its digest reported",
      { volumes: [{ name: "v", image: { reference: image("good") } }] },
      {
        containerStatuses: [
          {
            name: "c",
            imageID: `${registry}/good@${digest}`,
            state: { running: {} },
            volumeMounts: [{ name: "v", volumeStatus: { image: { imageRef: bad.replace("/bad@", "/good@") } } }],
          },
        ],
      },
      "v",
    ],
  ];
  for (const [what, spec, status, name] of places) {
    pods.length = 0;
    pods.push(runningPod("p", [["c", image("good"), `${registry}/good@${digest}`]], { spec, status }));
    const found = await audit();
    assert.equal(found.code, 1, what);
    assert.match(found.stdout, new RegExp(`^refused .*\\(shop/p/${name}\\)$`, "m"), what);
    assert.match(found.stdout, /^accepted .*\(shop\/p\/c\)$/m, what);
  }
  pods.length = 0;
  const spec = { volumes: [{ name: "v", image: { reference: image("good") } }] };
  pods.push(runningPod("p", [["c", image("good"), `${registry}/good@${digest}`]], { spec }));
  assert.match((await audit()).stdout, /^unchecked .*\(shop\/p\/v\)$/m, "a volume by tag, and no digest");
});

test("audit: Pods that ended are left out; no Pods, no namespace, no permission -> never a success", async (t) => {
  const { push, sign, image, pods, audit, registry, answering } = await world(t);
  const none = await audit();
  assert.equal(none.code, 1);
  assert.match(none.stderr, /audit the cluster: there are no Pods/);
  const digest = await push("good", "good");
  await sign(image("good"));
  pods.push(runningPod("done", [["c", "r.example/unknown:1", "r.example/unknown:1"]], { phase: "Succeeded" }));
  assert.equal((await audit()).code, 1);
  pods.push(runningPod("p", [["c", image("good"), `${registry}/good@${digest}`]]));
  const left = await audit();
  assert.equal(left.code, 0, left.stderr);
  assert.match(left.stderr, /1 image in 1 Pod; 1 that has ended left out/);
  const absent = await audit("-n", "shop", "-n", "absent", "--json");
  assert.equal(absent.code, 1);
  const { result } = JSON.parse(absent.stdout);
  assert.deepEqual([result.images.length, result.unlisted.length], [1, 1]);
  assert.match(result.unlisted[0].reason, /no such namespace/);
  assert.match((await audit("-n", "empty")).stderr, /there are no Pods/);
  const forbidden = { status: 403, body: { message: 'pods is forbidden: User "u" cannot list resource "pods"' } };
  answering((path) => (path === "/api/v1/namespaces/pay/pods" ? forbidden : undefined));
  const partly = await audit("-n", "shop", "-n", "pay", "--exit-codes=strict", "--report=r.json");
  assert.equal(partly.code, 13);
  assert.match(partly.stderr, /Pods in namespace "pay": permission denied \(403\): pods is forbidden/);
  answering(() => forbidden);
  const all = await audit("--json");
  assert.equal(all.code, 1);
  assert.equal(JSON.parse(all.stdout).error.code, "auth");
  answering(() => ({ body: { kind: "Status" } }));
  assert.match((await audit()).stderr, /invalid response of the API server/);
});

test("audit: reports name what could not be listed, and fail with it", async (t) => {
  const { cwd, push, sign, image, pods, audit, registry, answering } = await world(t);
  const digest = await push("good", "good");
  await sign(image("good"));
  pods.push(runningPod("p", [["c", image("good"), `${registry}/good@${digest}`]]));
  answering((path) => (path.includes("/pay/") ? { status: 500, body: {} } : undefined));
  assert.equal((await audit("-n", "shop", "-n", "pay", "--report=r.xml", "--report=r.json")).code, 1);
  const report = JSON.parse(readFileSync(join(cwd, "r.json"), "utf8"));
  assert.deepEqual(report.summary, { total: 2, verified: 1, unchecked: 1, refused: 0, unsigned: 0, "not-found": 0 });
  assert.match(readFileSync(join(cwd, "r.xml"), "utf8"), /errors="1"/);
});

test("audit: a list in pages, one that expires, and selectors", async () => {
  const asked: URLSearchParams[] = [];
  const pages = (expire: number) => {
    let expired = 0;
    return {
      async get(path: string) {
        const { searchParams } = new URL(path, "http://c");
        asked.push(searchParams);
        const next = searchParams.get("continue");
        if (next === "2" && expired++ < expire) return { status: 410, body: {} };
        const items = [runningPod(`p${next ?? "1"}`, [["c", "r.example/a:1"]])];
        return { status: 200, body: { items, metadata: next === "2" ? {} : { continue: "2" } } };
      },
    };
  };
  const at = { namespace: "", selector: "app=shop" };
  const found = await readRunning(pages(1), at);
  assert.equal(found.pods, 2);
  assert.deepEqual(found.images[0]?.places, ["shop/p1/c", "shop/p2/c"]);
  assert.ok(asked.every((query) => query.get("labelSelector") === "app=shop" && query.get("limit") === "250"));
  await assert.rejects(readRunning(pages(9), at), /the list expired/);
});

test("kubeconfig: current and named contexts, several files, tokens, certificates, plugins, and a Pod's own account", async (t) => {
  const cwd = temporaryFolder(t);
  const { cert, key } = tlsAuthority("clients").issue(["x"]);
  const base64 = (text: string) => Buffer.from(text).toString("base64");
  mkdirSync(join(cwd, ".kube"));
  const write = (name: string, text: string) => writeFileSync(join(cwd, name), text);
  write("ca.pem", cert);
  write("token", "of-file\n");
  write(
    "plugin",
    `#!/bin/sh\necho "$KUBERNETES_EXEC_INFO" >&2\n[ "$WANTED" = yes ] && echo '{"kind": "ExecCredential", "status": {"token": "of-plugin"}}'\n`,
  );
  chmodSync(join(cwd, "plugin"), 0o755);
  const exec = `{apiVersion: client.authentication.k8s.io/v1, command: ./plugin, env: [{name: WANTED, value: "yes"}]}`;
  write(
    ".kube/config",
    "clusters:\n- {name: c, cluster: {server: 'https://c.test:6443', certificate-authority: ../ca.pem, tls-server-name: kube}}\n" +
      "- {name: plain, cluster: {server: 'https://p.test', insecure-skip-tls-verify: true}}\n- {name: proxied, cluster: {server: 'https://p.test', proxy-url: 'http://x'}}\n" +
      "- {name: both, cluster: {server: 'https://p.test', insecure-skip-tls-verify: true, certificate-authority: ../ca.pem}}\n" +
      `- {name: data, cluster: {server: 'https://p.test', insecure-skip-tls-verify: true, certificate-authority-data: ${base64(cert)}}}\n` +
      `users:\n- {name: t, user: {tokenFile: ../token}}\n- {name: k, user: {client-certificate-data: ${base64(cert)}, client-key-data: ${base64(key)}}}\n` +
      `- {name: e, user: {exec: ${exec.replace("./plugin", "../plugin")}}}\n- {name: no, user: {exec: ${exec.replace("./plugin", "../plugin").replace("yes", "no")}}}\n` +
      "- {name: p, user: {username: bob, password: pw}}\n- {name: old, user: {auth-provider: {name: gcp}}}\n" +
      "contexts:\n" +
      ["t", "k", "e", "no", "p", "old", "gone"]
        .map((name) => `- {name: ${name}, context: {cluster: c, user: ${name}}}\n`)
        .join("") +
      "- {name: both, context: {cluster: both}}\n- {name: data, context: {cluster: data}}\n" +
      "- {name: plain, context: {cluster: plain}}\n- {name: proxied, context: {cluster: proxied, user: t}}\ncurrent-context: t\n",
  );
  const io = testIo({ cwd, env: { HOME: cwd, PATH: process.env["PATH"] } });
  const find = (context: string, file = "", with_: typeof io = io) => findCluster(with_, { context, file });
  const current = await find("");
  assert.equal(current.server.href, "https://c.test:6443/");
  assert.equal(current.authorization, "Bearer of-file");
  assert.deepEqual(current.tls, { ca: cert, serverName: "kube" });
  assert.deepEqual((await find("k")).tls, { ca: cert, serverName: "kube", cert, key });
  assert.equal((await find("e")).authorization, "Bearer of-plugin");
  assert.equal((await find("p")).authorization, `Basic ${base64("bob:pw")}`);
  assert.deepEqual(await find("plain"), {
    server: new URL("https://p.test"),
    authorization: undefined,
    tls: { insecure: true },
  });
  write("first", "contexts: [{name: t, context: {cluster: plain, user: p}}]\n");
  const two = testIo({ cwd, env: { HOME: cwd, KUBECONFIG: `${join(cwd, "first")}:${join(cwd, ".kube/config")}` } });
  assert.equal((await find("", "", two)).server.href, "https://p.test/");
  write("broken", "a: [secret-word\n");
  write("list", "[1]\n");
  const failures: [string, string, RegExp, string][] = [
    ["absent", "", /there is no context "absent"/, "input"],
    ["gone", "", /there is no user "gone"/, "input"],
    ["old", "", /auth-provider is not supported/, "unsupported"],
    ["proxied", "", /proxy-url is not supported/, "unsupported"],
    ["both", "", /insecure-skip-tls-verify cannot be used with certificate-authority/, "input"],
    ["data", "", /insecure-skip-tls-verify cannot be used with certificate-authority/, "input"],
    ["no", "", /run \S+plugin for credentials of Kubernetes: it ended with 1/, "auth"],
    ["", "broken", /read kubeconfig \S+broken: not YAML/, "input"],
    ["", "list", /read kubeconfig \S+list: not a mapping/, "input"],
    ["", "missing", /missing/, "input"],
    ["", "first", /there is no current context/, "input"],
  ];
  for (const [context, file, pattern, code] of failures) {
    await assert.rejects(
      find(context, file === "" ? "" : join(cwd, file)),
      (error: unknown) => {
        assert.ok(error instanceof TsignError, String(error));
        assert.match(error.message, pattern);
        assert.doesNotMatch(error.message, /secret-word/);
        assert.equal(error.code, code, error.message);
        return true;
      },
      `${context} ${file}`,
    );
  }
  const outside = testIo({ cwd, env: { HOME: undefined } });
  await assert.rejects(find("", "", outside), /find Kubernetes: no kubeconfig/);
  const files = {
    ...outside.files,
    read: async (path: string) => Buffer.from(path.endsWith("token") ? "own\n" : "CA"),
  };
  const inside = { ...outside, files, env: { KUBERNETES_SERVICE_HOST: "fd00::1", KUBERNETES_SERVICE_PORT: "6443" } };
  const own = await find("", "", inside);
  assert.deepEqual([own.server.href, own.authorization, own.tls.ca], ["https://[fd00::1]:6443/", "Bearer own", "CA"]);
  const read = async () => assert.fail("there is no token");
  await assert.rejects(find("", "", { ...inside, files: { ...files, read } }), { code: "auth" });
});
