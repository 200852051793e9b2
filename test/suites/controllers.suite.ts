import assert from "node:assert/strict";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { systemIo } from "../../src/io/system.ts";
import { tlsAuthority } from "../support/tls-authorities.ts";
import { type ApiAnswer, type Cluster, serve } from "./admission-kit.ts";
import { type By, FORMS, nameOf, openStage, SIGNERS, STATES, type Stage, type State } from "./controllers-images.ts";
import {
  alias,
  apply,
  built,
  createPod,
  documented,
  imageOf,
  type Manifest,
  NAMESPACE,
  remove,
} from "./controllers-kit.ts";
import { startGatekeeper, startPolicyController } from "./controllers-start.ts";
import { setting } from "./faults-kit.ts";
import { folder } from "./support.ts";

/** What policy-controller says of an image that its policy does not accept, by the policy's signatureFormat. */
const REFUSED = {
  legacy: /validation failed for authority release for .*: no (matching )?signatures/,
  bundle: /the authority must be keyless|bundle support for image signatures is not yet implemented/,
};
const BY = Object.keys(SIGNERS) as By[];

/** The policies of docs/controllers.md for the keys and services of the sandbox; those for a registry, with its host. */
function policies(stage: Stage) {
  const base64 = (name: string) => readFileSync(setting(stage.sandbox, `TSIGN_SANDBOX_${name}`)).toString("base64");
  const json = JSON.stringify(
    documented("controllers.md", {
      "https://issuer.example": setting(stage.sandbox, "TSIGN_SANDBOX_ISSUER"),
      BASE64_OF_FULCIO_CHAIN_PEM: base64("FULCIO_CHAIN"),
      BASE64_OF_CT_LOG_PUB: base64("CT_KEY"),
      BASE64_OF_REKOR_PUB: base64("REKOR_KEY"),
    }),
  );
  const key = JSON.stringify(readFileSync(join(stage.cwd, "a.pub"), "utf8")).slice(1, -1);
  return (kind: string, name: string, host = ""): Manifest => {
    const text = json
      .replaceAll(/-----BEGIN PUBLIC KEY-----[^"]*-----END PUBLIC KEY-----\\n/g, key)
      .replaceAll("registry.example", host);
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

/** Starts tsign as the provider of external data, with a policy for the images of two registries. */
async function provider(t: TestContext, stage: Stage, hosts: Readonly<Record<By, string>>, clientCa: string) {
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
  writeFileSync(join(cwd, "client-ca.crt"), clientCa);
  const authority = tlsAuthority("tsign");
  const served = await serve(t, cwd, authority.issue(["127.0.0.1"]), "--client-ca=client-ca.crt");
  return { served, ca: authority.cert };
}

/** The lines of the table of outcomes: whether a signed image is admitted by its form; for other images, the forms that are. */
function table(outcomes: ReadonlyMap<string, Outcomes>): string[] {
  const lines = [...outcomes].map(([title, each]) => {
    const forms = (state: State) => FORMS.filter((form) => each[`${form} ${state}`] === "yes").join(", ") || "no";
    const signed = FORMS.map((form) => each[`${form} good`]);
    return `| ${[title, ...signed, forms("unsigned"), forms("other"), forms("attested")].join(" | ")} |`;
  });
  return [
    "| policy | legacy | bundle | both | unsigned | other signer | attestation only |",
    "|---|---|---|---|---|---|---|",
    ...lines,
  ];
}

test("controllers: signatures of tsign are accepted by the admission controllers of others", async (t) => {
  const controllers = ["policy-controller", "gatekeeper"];
  assert.ok(controllers.some(built), "no controller is built: run test/suites/controllers-tools.sh");
  const skip = (program: string) => !built(program) && `${program} is not built (test/suites/controllers-tools.sh)`;
  const stage = await openStage(t);
  const registry = setting(stage.sandbox, "TSIGN_SANDBOX");
  const policy = policies(stage);
  const outcomes = new Map<string, Outcomes>();

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
        outcomes.set(
          title,
          await outcomesOf(cluster, stage, { title, by, host, refusal: REFUSED[format], pins: true }),
        );
      }
    }
  });

  await t.test("Gatekeeper 3.23.1 with tsign as provider", { skip: skip("gatekeeper") }, async (t) => {
    const { cluster, cert } = await startGatekeeper(t);
    const hosts = { key: await alias(t, registry), identity: await alias(t, registry) };
    const { served, ca } = await provider(t, stage, hosts, cert);
    const page = documented("admission.md", {
      "https://tsign.tsign-system.svc:443": served.url,
      "LS0tLS1CRUdJTi4uLg==": Buffer.from(ca).toString("base64"),
    });
    const object = (kind: string) => page.find((each) => each.kind === kind) ?? assert.fail(kind);
    await apply(cluster, ["Provider", "ConstraintTemplate", "TsignVerified"].map(object));
    const denied = /denied the request: \[tsign\] image "[^"]*" is refused by rule "[^"]*"[^\n]*$/;
    for (const by of BY) {
      const title = `Gatekeeper with tsign, ${by}`;
      outcomes.set(title, await outcomesOf(cluster, stage, { title, by, host: hosts[by], refusal: denied }));
    }
    const good = `${hosts.key}/key-both-good:v1`;
    const unsigned = `${hosts.key}/unsigned:v1`;
    const byDigest = (name: string) => `${hosts.key}/${name}@${stage.digests[name]}`;

    await t.test("every place of an image is asked about", async () => {
      const container = { name: "x", image: unsigned };
      for (const spec of [
        { initContainers: [container] },
        { volumes: [{ name: "x", image: { reference: unsigned } }] },
        { containers: [{ name: "c", image: good }, container] },
      ]) {
        const { status, body } = await createPod(cluster, "places", good, { spec });
        assert.equal(status, 403, JSON.stringify(spec));
        assert.match(body.message ?? "", denied);
      }
    });

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
      const refused = await createPod(cluster, "unsigned", unsigned);
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

  const lines = table(outcomes);
  console.log(lines.join("\n"));
  const page = readFileSync(resolve(import.meta.dirname, "../../docs/controllers.md"), "utf8");
  for (const line of lines)
    assert.ok(page.includes(`\n${line}\n`), `docs/controllers.md does not have the line ${line}`);
});
