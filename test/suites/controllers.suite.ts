import assert from "node:assert/strict";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { systemIo } from "../../src/io/system.ts";
import { tlsAuthority } from "../support/tls-authorities.ts";
import { type ApiAnswer, type Cluster, serve } from "./admission-kit.ts";
import {
  type By,
  FORMS,
  nameOf,
  openStage,
  REKOR2_STATES,
  SIGNERS,
  STATES,
  type Stage,
  type State,
} from "./controllers-images.ts";
import {
  alias,
  apply,
  built,
  createPod,
  documented,
  imageOf,
  type Manifest,
  manifests,
  NAMESPACE,
  PLACES,
  type Place,
  placed,
  remove,
} from "./controllers-kit.ts";
import { startGatekeeper, startKyverno, startPolicyController, startWebhook } from "./controllers-start.ts";
import { setting } from "./faults-kit.ts";
import { folder, must, TSIGN } from "./support.ts";

const BY = Object.keys(SIGNERS) as By[];
/** What policy-controller says of an image that its policy does not accept, by the policy's signatureFormat. */
const POLICY_CONTROLLER = {
  legacy: /validation failed for authority release for .*: no (matching )?signatures/,
  bundle: /the authority must be keyless|bundle support for image signatures is not yet implemented/,
};
const KYVERNO = /denied the request: (Policy \w+ failed: not signed by release|[\s\S]*failed to verify image)/;
const TSIGN_WEBHOOK = /denied the request: image "[^"]*" is refused by rule "[^"]*"/;
const TSIGN_PROVIDER = /denied the request: \[tsign\] image "[^"]*" is refused by rule "[^"]*"[^\n]*$/;

/** The policies of docs/controllers.md for the keys and services of the sandbox; those for a registry, with its host. */
function policies(stage: Stage) {
  const value = (name: string) => setting(stage.sandbox, name);
  const content = (name: string) => readFileSync(value(name), "utf8");
  const base64 = (name: string) => Buffer.from(content(name)).toString("base64");
  const json = JSON.stringify(
    documented("controllers.md", {
      "https://issuer.example": value("TSIGN_SANDBOX_ISSUER"),
      "https://rekor.example": value("TSIGN_SANDBOX_REKOR"),
      "https://tuf.example": value("TUF_MIRROR"),
      BASE64_OF_FULCIO_CHAIN_PEM: base64("TSIGN_SANDBOX_FULCIO_CHAIN"),
      BASE64_OF_CT_LOG_PUB: base64("TSIGN_SANDBOX_CT_KEY"),
      BASE64_OF_REKOR_PUB: base64("TSIGN_SANDBOX_REKOR_KEY"),
      BASE64_OF_TUF_ROOT_JSON: base64("TUF_ROOT_JSON"),
    }),
  )
    .replaceAll('"FULCIO_CHAIN_PEM"', JSON.stringify(content("TSIGN_SANDBOX_FULCIO_CHAIN")))
    .replaceAll('"CT_LOG_PUB"', JSON.stringify(content("TSIGN_SANDBOX_CT_KEY")))
    .replaceAll('"REKOR_PUB"', JSON.stringify(content("TSIGN_SANDBOX_REKOR_KEY")));
  const key = JSON.stringify(readFileSync(join(stage.cwd, "a.pub"), "utf8")).slice(1, -1);
  const sample =
    /-----BEGIN PUBLIC KEY-----\\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAETjvo[^"]*-----END PUBLIC KEY-----\\n/g;
  return (kind: string, name: string, host = ""): Manifest => {
    const text = json.replaceAll(sample, key).replaceAll("registry.example", host);
    const found = (JSON.parse(text) as Manifest[]).find((each) => each.kind === kind && each.metadata.name === name);
    return found ?? assert.fail(`docs/controllers.md has no ${kind} "${name}"`);
  };
}

/** A policy in force, for the images of a registry of its own. */
interface Row {
  readonly title: string;
  readonly by: By;
  readonly host: string;
  /** What a refusal says; anything else is an error, not an outcome. */
  readonly refusal: RegExp;
  /** Whether a Pod that is created has the digest of its image. */
  readonly pins?: boolean;
}

/** What came of Pods of all images under a policy: yes for those that were created, by `FORM STATE`. */
type Outcomes = Readonly<Record<string, "yes" | "no">>;

/** Creates a Pod of every image, once the policy is in force, i.e. an unsigned image is refused for its reason. */
async function outcomesOf(cluster: Cluster, stage: Stage, row: Row): Promise<Outcomes> {
  let answer: ApiAnswer | undefined;
  const refused = () => answer?.status !== 201 && row.refusal.test(answer?.body.message ?? "");
  for (let tries = 0; tries < 300 && !refused(); tries++) {
    if (tries > 0) await setTimeout(200);
    answer = await createPod(cluster, "wait", `${row.host}/unsigned:v1`, { query: "?dryRun=All" });
  }
  assert.ok(refused(), `${row.title} is not in force: ${answer?.status} ${answer?.body.message}`);
  const outcomes: Record<string, "yes" | "no"> = {};
  for (const form of FORMS) {
    for (const state of STATES) {
      const image = nameOf(row.by, form, state);
      const what = `${row.title} ${form} ${state}`;
      const name = what.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-");
      answer = await createPod(cluster, name, `${row.host}/${image}:v1`);
      if (answer.status !== 201) assert.match(answer.body.message ?? "", row.refusal, what);
      else if (row.pins) assert.ok(imageOf(answer).endsWith(`@${stage.digests[image]}`), imageOf(answer));
      outcomes[`${form} ${state}`] = answer.status === 201 ? "yes" : "no";
    }
  }
  return outcomes;
}

/** Whether a Pod is created of each image that an identity has signed with Rekor v2; the policy is in force already. */
async function rekor2Of(cluster: Cluster, stage: Stage, { title, host, refusal, pins }: Row): Promise<string[]> {
  const outcomes: string[] = [];
  for (const state of REKOR2_STATES) {
    const name = `${title} rekor2 ${state}`.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-");
    const answer = await createPod(cluster, name, `${host}/rekor2-${state}:v1`);
    if (answer.status !== 201) assert.match(answer.body.message ?? "", refusal, name);
    else if (pins) assert.ok(imageOf(answer).endsWith(`@${stage.digests[`rekor2-${state}`]}`), imageOf(answer));
    outcomes.push(answer.status === 201 ? "yes" : "no");
  }
  return outcomes;
}

/** Whether an unsigned image is refused in each place of a Pod or workload beside a signed one. */
async function placesOf(
  cluster: Cluster,
  stage: Stage,
  { title, host, refusal }: Row,
): Promise<Record<Place, "yes" | "no">> {
  const refused = {} as Record<Place, "yes" | "no">;
  // By digest, because policy-controller resolves no tags of ephemeral containers.
  const image = (name: string) => `${host}/${name}@${stage.digests[name]}`;
  const good = image("key-both-good");
  for (const place of PLACES) {
    const name = `${title} ${place}`.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-");
    const signed = await placed(cluster, place, `${name}-signed`, { good, image: good });
    assert.ok(signed.status < 300, `${name}: ${signed.body.message}`);
    const { status, body } = await placed(cluster, place, name, { good, image: image("unsigned") });
    if (status >= 300) assert.match(body.message ?? "", refusal, name);
    refused[place] = status < 300 ? "no" : "yes";
  }
  return refused;
}

/** A trust policy for the images of a registry, exported for a controller. */
async function exported(t: TestContext, stage: Stage, format: "cip" | "ivp", host: string): Promise<Manifest[]> {
  const cwd = folder(t);
  copyFileSync(join(stage.cwd, "a.pub"), join(cwd, "a.pub"));
  const rule = { name: "exported", images: `${host}/**`, signatures: { signers: "release", log: "insecure-skip" } };
  const policy = { version: 1, signers: { release: { key: "a.pub" } }, rules: [rule] };
  writeFileSync(join(cwd, "policy.yaml"), JSON.stringify(policy));
  const { stdout } = await must(TSIGN, ["policy", "export", "--format", format, "policy.yaml"], { cwd });
  return manifests(stdout);
}

/** Starts tsign with a policy for the images of two registries. */
async function startTsign(t: TestContext, stage: Stage, hosts: Readonly<Record<By, string>>, clientCa?: string) {
  const cwd = folder(t);
  copyFileSync(join(stage.cwd, "a.pub"), join(cwd, "a.pub"));
  copyFileSync(setting(stage.sandbox, "TSIGN_SANDBOX_TRUSTED_ROOT"), join(cwd, "root.json"));
  const issuer = setting(stage.sandbox, "TSIGN_SANDBOX_ISSUER");
  const policy = {
    version: 1,
    trust: { own: { trustedRoot: "root.json" } },
    signers: { key: { key: "a.pub" }, identity: { identity: SIGNERS.identity.good, issuer, trust: "own" } },
    rules: [
      { name: "key", images: `${hosts.key}/**`, signatures: { signers: "key", log: "insecure-skip" } },
      { name: "identity", images: `${hosts.identity}/**`, signatures: { signers: "identity" } },
    ],
  };
  writeFileSync(join(cwd, "policy.yaml"), JSON.stringify(policy));
  if (clientCa !== undefined) writeFileSync(join(cwd, "client-ca.crt"), clientCa);
  const authority = tlsAuthority("tsign");
  const flags = clientCa === undefined ? [] : ["--client-ca=client-ca.crt"];
  const served = await serve(t, cwd, authority.issue(["127.0.0.1"]), ...flags);
  return { served, ca: authority.cert };
}

/** The lines of the tables of docs/controllers.md. */
function tables(
  outcomes: ReadonlyMap<string, Outcomes>,
  places: ReadonlyMap<string, Record<Place, "yes" | "no">>,
  rekor2: ReadonlyMap<string, readonly string[]>,
): string[] {
  const line = (cells: readonly (string | undefined)[]) => `| ${cells.join(" | ")} |`;
  const head = (...cells: readonly string[]) => [line(cells), `|${"---|".repeat(cells.length)}`];
  const rows = [...outcomes].map(([title, each]) => {
    const forms = (state: State) => FORMS.filter((form) => each[`${form} ${state}`] === "yes").join(", ") || "no";
    const signed = FORMS.map((form) => each[`${form} good`]);
    return line([title, ...signed, forms("unsigned"), forms("other"), forms("attested")]);
  });
  return [
    ...head("policy", ...FORMS, "unsigned", "other signer", "attestation only"),
    ...rows,
    ...head("policy", "right signer", "other signer", "attestation only"),
    ...[...rekor2].map(([title, each]) => line([title, ...each])),
    ...head("policy", ...PLACES),
    ...[...places].map(([title, each]) => line([title, ...PLACES.map((place) => each[place])])),
  ];
}

test("controllers: signatures of tsign are accepted by the admission controllers of others", async (t) => {
  const programs = ["policy-controller", "kyverno", "gatekeeper"];
  assert.ok(programs.some(built), "no controller is built: run test/suites/controllers-tools.sh");
  const skip = (program: string) => !built(program) && `${program} is not built (test/suites/controllers-tools.sh)`;
  const stage = await openStage(t);
  const registry = setting(stage.sandbox, "TSIGN_SANDBOX");
  const policy = policies(stage);
  const outcomes = new Map<string, Outcomes>();
  const places = new Map<string, Record<Place, "yes" | "no">>();
  const rekor2 = new Map<string, readonly string[]>();
  const observe = async (cluster: Cluster, row: Row) => {
    outcomes.set(row.title, await outcomesOf(cluster, stage, row));
  };
  const observeRekor2 = async (cluster: Cluster, row: Row) => {
    if (row.by === "identity") rekor2.set(row.title, await rekor2Of(cluster, stage, row));
  };
  const look = async (cluster: Cluster, title: string, row: Row) => {
    places.set(title, await placesOf(cluster, stage, { ...row, title }));
  };

  await t.test("policy-controller 0.15.1", { skip: skip("policy-controller") }, async (t) => {
    const cluster = await startPolicyController(t);
    await apply(cluster, [policy("TrustRoot", "own")]);
    for (const by of BY) {
      for (const format of ["legacy", "bundle"] as const) {
        const host = await alias(t, registry);
        const text = JSON.stringify(policy("ClusterImagePolicy", by, host));
        const bundle = text
          .replace('"name":"release",', '$&"signatureFormat":"bundle",')
          .replace(`"name":"${by}"`, `"name":"${by}-bundle"`);
        await apply(cluster, [JSON.parse(format === "bundle" ? bundle : text)]);
        const title = `policy-controller, ${by}${format === "bundle" ? ", `signatureFormat: bundle`" : ""}`;
        const row = { title, by, host, refusal: POLICY_CONTROLLER[format], pins: true };
        await observe(cluster, row);
        await observeRekor2(cluster, row);
        if (by === "key" && format === "legacy") await look(cluster, "policy-controller", row);
      }
    }
    const host = await alias(t, registry);
    await apply(cluster, await exported(t, stage, "cip", host));
    const title = "policy-controller, `policy export --format cip`";
    const refusal = /signature key validation failed for authority .*: no (matching )?signatures/;
    await observe(cluster, { title, by: "key", host, refusal, pins: true });
  });

  await t.test("Kyverno 1.19.1", { skip: skip("kyverno") }, async (t) => {
    const mirror = setting(stage.sandbox, "TUF_MIRROR");
    const root = readFileSync(setting(stage.sandbox, "TUF_ROOT_JSON")).toString("base64");
    const cluster = await startKyverno(t, { mirror, root });
    for (const [kind, prefix, title] of [
      ["ImageValidatingPolicy", "", "Kyverno, ImageValidatingPolicy"],
      ["ClusterPolicy", "cosign-", "Kyverno, ClusterPolicy `Cosign`"],
      ["ClusterPolicy", "bundle-", "Kyverno, ClusterPolicy `SigstoreBundle`"],
    ] as const) {
      for (const by of BY) {
        const host = await alias(t, registry);
        await apply(cluster, [policy(kind, `${prefix}${by}`, host)]);
        const row = { title: `${title}, ${by}`, by, host, refusal: KYVERNO, pins: true };
        await observe(cluster, row);
        if (by === "key") await look(cluster, title, row);
        if (row.title !== "Kyverno, ImageValidatingPolicy, key") continue;
        // As soon as an image has a bundle, only bundles count.
        const legacy = await createPod(cluster, "joined-legacy", `${host}/key-legacy-joined:v1`);
        assert.match(legacy.body.message ?? "", KYVERNO);
        assert.equal((await createPod(cluster, "joined-both", `${host}/key-both-joined:v1`)).status, 201);
      }
    }
    // Last, because an exported policy refuses all other images.
    const host = await alias(t, registry);
    await apply(cluster, await exported(t, stage, "ivp", host));
    const title = "Kyverno, `policy export --format ivp`";
    const row = {
      title,
      by: "key",
      host,
      refusal: /Policy exported failed: expected signers: release/,
      pins: true,
    } as const;
    await observe(cluster, row);
    await look(cluster, title, row);
    const other = await createPod(cluster, "no-rule", `${registry}/key-both-good:v1`);
    assert.match(other.body.message ?? "", /no rule matches/);
  });

  await t.test("Gatekeeper 3.23.1 with tsign as provider", { skip: skip("gatekeeper") }, async (t) => {
    const { cluster, cert } = await startGatekeeper(t);
    const hosts = { key: await alias(t, registry), identity: await alias(t, registry) };
    const { served, ca } = await startTsign(t, stage, hosts, cert);
    const page = documented("admission.md", {
      "https://tsign.tsign-system.svc:443": served.url,
      "LS0tLS1CRUdJTi4uLg==": Buffer.from(ca).toString("base64"),
    });
    const object = (kind: string) => page.find((each) => each.kind === kind) ?? assert.fail(kind);
    await apply(cluster, ["Provider", "ConstraintTemplate", "TsignVerified"].map(object));
    for (const by of BY) {
      const row = { title: `Gatekeeper with tsign, ${by}`, by, host: hosts[by], refusal: TSIGN_PROVIDER };
      await observe(cluster, row);
      await observeRekor2(cluster, row);
      if (by === "key") await look(cluster, "Gatekeeper with tsign", row);
    }
    const good = `${hosts.key}/key-both-good:v1`;
    const byDigest = (name: string) => `${hosts.key}/${name}@${stage.digests[name]}`;

    await t.test("an Assign -> the digest that was verified, once; an unsigned image is refused", async () => {
      await apply(cluster, [object("Assign")]);
      const pinned = byDigest("key-both-good");
      let made: ApiAnswer | undefined;
      for (let tries = 0; tries < 100 && (made === undefined || imageOf(made) === good); tries++) {
        made = await createPod(cluster, `assigned-${tries}`, good);
      }
      assert.equal(made && imageOf(made), pinned, made?.body.message ?? "");
      assert.equal(imageOf(await createPod(cluster, "again", pinned)), pinned);
      const path = `/api/v1/namespaces/${NAMESPACE}/pods/again`;
      const labelled = { metadata: { labels: { x: "y" } } };
      const changed = await cluster.call("PATCH", path, labelled, "application/merge-patch+json");
      assert.equal(imageOf(changed), pinned, changed.body.message ?? "");
      const refused = await createPod(cluster, "unsigned", `${hosts.key}/unsigned:v1`);
      assert.equal(refused.status, 500);
      assert.match(
        refused.body.message ?? "",
        /failed to resolve external data placeholders: .* is refused by rule "key"/,
      );
      await remove(cluster, object("Assign"));
    });

    await t.test("a client without a certificate gets no answer; the provider is gone -> refused", async () => {
      const ask = systemIo().http({
        url: new URL(`${served.url}/gatekeeper`),
        method: "POST",
        headers: {},
        signal: AbortSignal.timeout(5000),
        tls: { ca },
      });
      const status = await ask.then(
        (answer) => answer.status,
        () => "no connection",
      );
      assert.ok(status === 401 || status === 403 || status === "no connection", String(status));
      served.child.kill("SIGKILL");
      // By digest, because Gatekeeper remembers its answer about the tag.
      const image = byDigest("key-legacy-good");
      let refused = await createPod(cluster, "gone", image);
      for (let tries = 0; tries < 100 && /placeholders/.test(refused.body.message ?? ""); tries++) {
        await setTimeout(100);
        refused = await createPod(cluster, "gone", image);
      }
      assert.equal(refused.status, 403);
      assert.match(refused.body.message ?? "", /\[tsign\] tsign: failed to send external data request: Post "https:/);
    });
  });

  await t.test("the webhooks of tsign", async (t) => {
    const hosts = { key: await alias(t, registry), identity: await alias(t, registry) };
    const { served, ca } = await startTsign(t, stage, hosts);
    const cluster = await startWebhook(t, { url: served.url, ca });
    for (const by of BY) {
      const row = { title: `webhooks of tsign, ${by}`, by, host: hosts[by], refusal: TSIGN_WEBHOOK, pins: true };
      await observe(cluster, row);
      await observeRekor2(cluster, row);
      if (by === "key") await look(cluster, "webhooks of tsign", row);
    }
  });

  const lines = tables(outcomes, places, rekor2);
  console.log(lines.join("\n"));
  const page = readFileSync(resolve(import.meta.dirname, "../../docs/controllers.md"), "utf8");
  for (const line of lines) assert.ok(page.includes(`\n${line}\n`), `docs/controllers.md has no line ${line}`);
});
