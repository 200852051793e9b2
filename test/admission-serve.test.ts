import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { TsignError } from "../src/errors.ts";
import type { HttpRequest, HttpResponse, TlsOptions } from "../src/io/io.ts";
import { systemIo } from "../src/io/system.ts";
import { main } from "../src/main.ts";
import { openRegistry, PLAIN_REGISTRY } from "../src/oci/open.ts";
import { parseReference } from "../src/oci/ref.ts";
import { pushImage } from "../src/sandbox/registry/push.ts";
import { sayingWorld } from "./support/every-command.ts";
import { writeKeyPairs } from "./support/key-pairs.ts";
import { testSigstore } from "./support/sandbox.ts";
import { OFFLINE, run, temporaryFolder, testIo } from "./support/test-io.ts";
import { tlsAuthority } from "./support/tls-authorities.ts";

const real = systemIo();

/** A folder with keys, a policy, TLS files and manifests, and a registry with a signed and an unsigned image. */
async function world(t: TestContext) {
  const sigstore = await testSigstore();
  const { registry, io, faults } = sigstore;
  const cwd = temporaryFolder(t);
  const env = { COSIGN_PASSWORD: "pw" };
  const tsign = (...argv: string[]) => run(argv, { cwd, io, env });
  writeKeyPairs(cwd, "a");
  for (const name of ["good", "bad"]) {
    const store = await openRegistry(testIo({ io }), parseReference(`${registry}/${name}:1`), PLAIN_REGISTRY);
    await pushImage(store, { file: "f", content: Buffer.from(name), tag: "1" });
  }
  assert.equal((await tsign("sign", "--key=a.key", ...OFFLINE, "-y", `${registry}/good:1`)).code, 0);
  const write = (name: string, text: string) => writeFileSync(join(cwd, name), text);
  const policy = (images: string) =>
    `version: 1\nsigners: {a: {key: a.pub}}\nrules: [{name: all, images: "${registry}/${images}", signatures: {signers: a, log: insecure-skip}}]\n`;
  write("policy.yaml", policy("**"));
  const [servers, clients] = [tlsAuthority("servers"), tlsAuthority("clients")];
  const server = servers.issue(["127.0.0.1", "localhost"]);
  write("tls.crt", server.cert);
  write("tls.key", server.key);
  write("clients.crt", clients.cert);
  return { cwd, io, env, registry, faults, write, policy, tsign, servers, clients };
}

/** Ends a service. It is ended with the test too: a failed assertion would leave it running. */
function stopOf(t: TestContext): AbortController {
  const stop = new AbortController();
  t.after(() => stop.abort(new TsignError("cancelled", "interrupted", { exitCode: 143 })));
  return stop;
}

const review = (image: string) =>
  JSON.stringify({
    kind: "AdmissionReview",
    apiVersion: "admission.k8s.io/v1",
    request: {
      uid: "u-1",
      kind: { group: "", version: "v1", kind: "Pod" },
      resource: { group: "", version: "v1", resource: "pods" },
      operation: "CREATE",
      object: { apiVersion: "v1", kind: "Pod", spec: { containers: [{ name: "c", image }] } },
    },
  });

const rollout = (image: string) =>
  review(image)
    .replaceAll('"kind":"Pod"', '"kind":"Rollout"')
    .replaceAll('"group":""', '"group":"argoproj.io"')
    .replace('"pods"', '"rollouts"')
    .replace('"apiVersion":"v1"', '"apiVersion":"argoproj.io/v1alpha1"')
    .replace('"spec":{', '"spec":{"template":{')
    .replace(/\]\}\}\}\}$/, "]}}}}}");

async function send(url: string, body: string | undefined, tls: TlsOptions) {
  const response = await real.http({
    url: new URL(url),
    method: body === undefined ? "GET" : "POST",
    headers: body === undefined ? {} : { "content-type": "application/json" },
    ...(body === undefined ? {} : { body: Buffer.from(body) }),
    tls,
    signal: AbortSignal.timeout(10_000),
  });
  const pieces: Uint8Array[] = [];
  for await (const piece of response.body) pieces.push(piece);
  return { status: response.status, text: Buffer.concat(pieces).toString("utf8") };
}

test("admission serve: over TLS, reloads its policy, and answers what it has begun before it ends", async (t) => {
  const { cwd, io, env, registry, faults, write, policy, servers, clients } = await world(t);
  const stop = stopOf(t);
  const orderly = <T>(work: () => Promise<T>) => work();
  const traces: HttpRequest[] = [];
  const http = async (request: HttpRequest): Promise<HttpResponse> => {
    if (request.url.host !== "otel.test:4318") return io.http(request);
    traces.push(request);
    return { status: 200, headers: {}, body: (async function* () {})(), discard() {} };
  };
  const otel = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://otel.test:4318", OTEL_EXPORTER_OTLP_HEADERS: "key=otel-secret" };
  const own = testIo({ cwd, env: { ...env, ...otel }, io: { ...io, http, signal: stop.signal, orderly } });
  const flags = ["--trust-policy=policy.yaml", "--listen=127.0.0.1:0", "--tls-cert=tls.crt", "--tls-key=tls.key"];
  const more = ["--client-ca=clients.crt", "--reload-interval=20ms", "--shutdown-delay=50ms"];
  more.push("--workload=rollouts.argoproj.io=/spec/template");
  const ended = main(["admission", "serve", ...flags, ...more], own);
  const logged = async (pattern: RegExp) => {
    for (let tries = 0; tries < 500; tries++) {
      const found = pattern.exec(own.err());
      if (found) return found;
      await real.sleep(10);
    }
    throw new Error(`${pattern} is not in ${own.err()}`);
  };
  const [, base = ""] = await logged(/serving on (https:\/\/127\.0\.0\.1:\d+)/);
  const tls = { ca: servers.cert, ...clients.issue([]) };
  const stranger = { ca: servers.cert, ...servers.issue([]) };
  assert.equal((await send(`${base}/healthz`, undefined, { ca: servers.cert })).status, 200);
  const decide = async (name: string) =>
    JSON.parse((await send(`${base}/validate?timeout=10s`, review(`${registry}/${name}:1`), tls)).text).response;
  assert.equal((await decide("good")).allowed, true);
  assert.equal((await decide("bad")).status.code, 403);
  for (const [name, code] of [
    ["good", undefined],
    ["bad", 403],
  ] as const) {
    const { text } = await send(`${base}/validate?timeout=10s`, rollout(`${registry}/${name}:1`), tls);
    assert.equal(JSON.parse(text).response.status?.code, code, text);
  }
  for (const without of [{ ca: servers.cert }, stranger]) {
    assert.equal((await send(`${base}/validate`, review(`${registry}/good:1`), without)).status, 401);
  }
  write("policy.yaml", "version: 7\n");
  await logged(/the policy stays as it was/);
  assert.equal((await decide("good")).allowed, true);
  write("policy.yaml", policy("other/**"));
  await logged(/policy reloaded/);
  assert.match((await decide("good")).status.message, /no rule matches/);
  write("policy.yaml", policy("**"));
  await logged(/policy reloaded[\s\S]*policy reloaded/);
  faults.add({ service: "registry", kind: "slow", value: "150" });
  const begun = decide("good");
  await real.sleep(30);
  stop.abort(new TsignError("cancelled", "interrupted", { exitCode: 143 }));
  assert.equal((await begun).allowed, true, "begun before the signal");
  assert.equal(await ended, 0);
  await assert.rejects(send(`${base}/healthz`, undefined, tls), { code: "network" });
  assert.doesNotMatch(own.err(), /BEGIN|pw|otel-secret/);
  const [trace] = traces.map(({ url, headers, body }) => ({
    url,
    headers,
    text: Buffer.from(body as Uint8Array).toString(),
  }));
  assert.deepEqual([trace?.url.pathname, trace?.headers["key"]], ["/v1/traces", "otel-secret"]);
  assert.match(trace?.text ?? "", /"name":"POST \/validate"[\s\S]*good:1/);
});

test("admission serve: a password that a registry quotes is in no answer and no log", async (t) => {
  const { cwd, env, write, servers } = await world(t);
  write(
    "policy.yaml",
    `version: 1\nsigners: {a: {key: a.pub}}\nrules: [{images: "**", signatures: {signers: a, log: insecure-skip}}]\n`,
  );
  const errors = JSON.stringify({ errors: [{ code: "DENIED", message: "not with pass-4711" }] });
  const login = { auth: Buffer.from("bob:pass-4711").toString("base64") };
  const challenge = { "www-authenticate": 'Basic realm="r"' };
  const saying = sayingWorld(cwd, ({ headers }) =>
    headers?.["authorization"] === `Basic ${login.auth}`
      ? { text: errors, status: 403 }
      : { text: "", status: 401, headers: challenge },
  );
  const stop = stopOf(t);
  const io = { ...saying, signal: stop.signal, orderly: <T>(work: () => Promise<T>) => work(), listen: real.listen };
  write("config.json", JSON.stringify({ auths: { "r.example": login } }));
  const own = testIo({ cwd, env: { ...env, DOCKER_CONFIG: cwd }, io });
  const flags = ["--trust-policy=policy.yaml", "--listen=127.0.0.1:0", "--tls-cert=tls.crt", "--tls-key=tls.key"];
  const ended = main(["admission", "serve", ...flags, "--shutdown-delay=0s"], own);
  for (let tries = 0; tries < 500 && !own.err().includes("serving on"); tries++) await real.sleep(10);
  const base = /serving on (https:\/\/127\.0\.0\.1:\d+)/.exec(own.err())?.[1] ?? assert.fail(own.err());
  const keys = {
    apiVersion: "externaldata.gatekeeper.sh/v1beta1",
    kind: "ProviderRequest",
    request: { keys: ["r.example/app:1"] },
  };
  for (const [path, body] of [
    ["/validate", review("r.example/app:1")],
    ["/gatekeeper", JSON.stringify(keys)],
  ] as const) {
    const { status, text } = await send(`${base}${path}`, body, { ca: servers.cert });
    assert.equal(status, 200);
    assert.ok(text.includes("not with ***") && !text.includes("4711"), text);
  }
  stop.abort(new TsignError("cancelled", "interrupted", { exitCode: 143 }));
  assert.equal(await ended, 0);
  assert.doesNotMatch(own.err(), /pass-4711/);
});

test("admission serve: other certificates -> used for new connections; a key that does not fit -> the earlier ones stay", async (t) => {
  const { cwd, io, env, write, servers, clients } = await world(t);
  const stop = stopOf(t);
  const own = testIo({ cwd, env, io: { ...io, signal: stop.signal, orderly: <T>(work: () => Promise<T>) => work() } });
  const flags = ["--trust-policy=policy.yaml", "--listen=127.0.0.1:0", "--tls-cert=tls.crt", "--tls-key=tls.key"];
  const more = ["--client-ca=clients.crt", "--reload-interval=20ms", "--shutdown-delay=0s"];
  const ended = main(["admission", "serve", ...flags, ...more], own);
  const logged = async (pattern: RegExp) => {
    for (let tries = 0; tries < 500 && !pattern.test(own.err()); tries++) await real.sleep(10);
    return pattern.exec(own.err()) ?? assert.fail(own.err());
  };
  const [, base = ""] = await logged(/serving on (https:\/\/127\.0\.0\.1:\d+)/);
  const metrics = async (ca: string, client = clients.issue([])) =>
    (await send(`${base}/metrics`, undefined, { ca, ...client })).status;
  assert.equal(await metrics(servers.cert), 200);
  const [others, strangers] = [tlsAuthority("others"), tlsAuthority("strangers")];
  const renewed = others.issue(["127.0.0.1"]);
  write("tls.crt", renewed.cert); // its key comes later
  await logged(/the certificate stays as it was: read the certificate and key to serve with/);
  assert.equal(await metrics(servers.cert), 200);
  write("clients.crt", strangers.cert);
  write("tls.key", renewed.key);
  await logged(/certificate reloaded/);
  await assert.rejects(send(`${base}/healthz`, undefined, { ca: servers.cert }), { code: "network" });
  assert.equal(await metrics(others.cert, strangers.issue([])), 200);
  assert.equal(await metrics(others.cert), 401, "a client of the earlier CA");
  stop.abort(new TsignError("cancelled", "interrupted", { exitCode: 143 }));
  assert.equal(await ended, 0);
  assert.doesNotMatch(own.err(), /PRIVATE KEY/);
});

test("admission serve: what it cannot serve with -> one line, and nothing is served", async (t) => {
  const { tsign, write } = await world(t);
  write("empty", "");
  const tls = ["--tls-cert=tls.crt", "--tls-key=tls.key", "--listen=127.0.0.1:0"];
  const refused: [string[], RegExp][] = [
    [["--listen=127.0.0.1:0", "--tls-cert=tls.crt", "--tls-key=tls.key"], /Error: missing --trust-policy/],
    [["--trust-policy=policy.yaml"], /Error: missing --tls-cert/],
    [["--trust-policy=policy.yaml", "--tls-cert=tls.crt"], /Error: missing --tls-key/],
    [["--trust-policy=policy.yaml", "--tls-cert=tls.crt", "--tls-service=n/s"], /--tls-service and --tls-cert cannot/],
    [["--trust-policy=policy.yaml", "--tls-key=tls.key", "--tls-service=n/s"], /--tls-service and --tls-key cannot/],
    ...["s", "n/s/x", "N/s", "../s", "n/"].map((name): [string[], RegExp] => [
      ["--trust-policy=policy.yaml", `--tls-service=${name}`],
      /Error: invalid --tls-service/,
    ]),
    [["--trust-policy=policy.yaml", ...tls, "--workload=rollouts"], /Error: invalid --workload: "rollouts"/],
    [
      [...["--trust-policy=policy.yaml", "--tls-cert=tls.crt", "--tls-key=tls.key"], "--gatekeeper-provider=p"],
      /Error: --gatekeeper-provider requires --tls-service/,
    ],
    [
      ["--trust-policy=policy.yaml", "--tls-service=n/s", "--gatekeeper-provider=a/b"],
      /Error: invalid --gatekeeper-prov/,
    ],
    [["--trust-policy=policy.yaml", "--tls-service=n/s", "--tls-lifetime=10s"], /Error: invalid --tls-lifetime/],
    [["--trust-policy=policy.yaml", "--tls-service=n/s"], /Error: find Kubernetes: KUBERNETES_SERVICE_HOST is not set/],
    [["--trust-policy=policy.yaml", ...tls, "--listen=8443"], /Error: --listen 8443: not an address/],
    [["--trust-policy=policy.yaml", ...tls, "--listen=127.0.0.1:70000"], /not an address/],
    [["--trust-policy=policy.yaml", ...tls, "--tls-key=a.pub"], /Error: read the certificate and key to serve with/],
    [["--trust-policy=policy.yaml", ...tls, "--client-ca=empty"], /Error: read empty: there is no certificate in it/],
    [["--trust-policy=missing.yaml", ...tls], /Error: .*missing\.yaml/],
    [["--trust-policy=a.pub", ...tls], /Error: .*a\.pub/],
    // Objects name registries: a password would be sent to any of them.
    ...["username", "password", "token"].map((name): [string[], RegExp] => [
      ["--trust-policy=policy.yaml", `--registry-${name}=x`],
      new RegExp(`Error: unknown flag: --registry-${name}`),
    ]),
  ];
  for (const [flags, expected] of refused) {
    const { code, stderr } = await tsign("admission", "serve", ...flags);
    assert.equal(code, 1, flags.join(" "));
    assert.match(stderr, expected);
  }
});

test("admission test: the decision about manifests, with reports; a refused image -> exit 1", async (t) => {
  const { registry, write, tsign, cwd } = await world(t);
  const manifest = (name: string) =>
    `apiVersion: apps/v1\nkind: Deployment\nspec:\n  template:\n    spec:\n      containers:\n      - {name: c, image: "${registry}/${name}:1"}\n`;
  write("good.yaml", manifest("good"));
  write("both.yaml", `${manifest("good")}---\n${manifest("bad")}`);
  const policy = "--trust-policy=policy.yaml";
  const good = await tsign("admission", "test", policy, "good.yaml");
  assert.deepEqual([good.code, good.stdout], [0, `accepted  ${registry}/good:1 (good.yaml:7)\n`]);
  const both = await tsign("admission", "test", policy, "--report=r.xml", "good.yaml", "both.yaml");
  assert.equal(both.code, 1);
  assert.match(
    both.stdout,
    /^accepted {2}.*good:1 \(good\.yaml:7, both\.yaml:7\)\nrefused {3}.*bad:1 \(both\.yaml:15\)\n$/,
  );
  assert.match(both.stderr, /bad:1" is refused by rule "all".*sign the image/);
  assert.match(both.stderr, /Error: admit images: the policy does not admit 1 of 2 images/);
  assert.match(readFileSync(join(cwd, "r.xml"), "utf8"), /failures="1"/);
  assert.match((await tsign("admission", "test", "good.yaml")).stderr, /Error: missing --trust-policy/);
  assert.match((await tsign("admission", "test", policy, "--report=r.doc", "good.yaml")).stderr, /unknown extension/);
});

test("admission test: custom resources with --workload are read as by the service; without it as before", async (t) => {
  const { registry, write, tsign } = await world(t);
  const custom = (template: string) =>
    `apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nspec:\n  template: ${template}\n`;
  const template = (name: string) => `{spec: {containers: [{name: c, image: "${registry}/${name}:1"}]}}`;
  const pod = `---\napiVersion: v1\nkind: Pod\nspec: {containers: [{name: c, image: "${registry}/good:1"}]}\n`;
  write("good.yaml", custom(template("good")));
  write("bad.yaml", custom(template("bad")));
  write("moved.yaml", custom(`null\n  other: ${template("bad")}`));
  write(
    "malformed.yaml",
    `apiVersion: v1\nkind: List\nitems:\n- apiVersion: argoproj.io/v1\n  kind: Rollout\n  spec: {template: {}}\n${pod}`,
  );
  write("case.yaml", `${custom(`null\n  Template: ${template("good")}`)}${pod}`);
  const admit = async (file: string, workload = "rollouts.argoproj.io=/spec/template") => {
    const flags = workload === "" ? [] : [`--workload=${workload}`];
    const { code, stdout, stderr } = await tsign("admission", "test", "--trust-policy=policy.yaml", ...flags, file);
    return [code, stdout.split(" ")[0], stderr] as const;
  };
  assert.deepEqual(await admit("good.yaml"), [0, "accepted", ""]);
  const refused = await admit("bad.yaml");
  assert.deepEqual(refused.slice(0, 2), [1, "refused"]);
  // It looks for images at any place, a service only where it is told to.
  const moved = await admit("moved.yaml");
  assert.deepEqual(moved.slice(0, 2), [1, "refused"]);
  assert.match(moved[2], /^WARNING: moved\.yaml:1: Rollout of argoproj\.io names no images at \/spec\/template\n/);
  assert.match(
    (await admit("good.yaml", "rollouts.argoproj.io=/spec/tempalte"))[2],
    /names no images at \/spec\/tempalte/,
  );
  const malformed = await admit("malformed.yaml");
  assert.deepEqual(malformed.slice(0, 2), [1, ""]);
  assert.match(malformed[2], /malformed\.yaml:4: Rollout of argoproj\.io: spec\.template is not a Pod template/);
  assert.match((await admit("case.yaml"))[2], /spec has the field "Template", want "template"/);
  for (const other of ["", "experiments.argoproj.io=/spec/template", "rollouts.argoproj.example=/spec/template"]) {
    assert.deepEqual(await admit("good.yaml", other), [0, "accepted", ""]);
    assert.deepEqual((await admit("malformed.yaml", other)).slice(0, 2), [0, "accepted"]);
  }
  assert.match((await admit("good.yaml", "rollouts"))[2], /Error: invalid --workload: "rollouts"/);
});
