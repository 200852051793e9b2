import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import type { TestContext } from "node:test";
import { parseArgs } from "node:util";
import { Decider } from "../../src/admission/decider.ts";
import { LivePolicy } from "../../src/admission/live-policy.ts";
import { AdmissionService } from "../../src/admission/service.ts";
import { PLAIN_REGISTRY } from "../../src/oci/open.ts";
import { openShop, portOf, serve, startCluster } from "../suites/admission-kit.ts";
import {
  createPods,
  enforce,
  type Load,
  memoryOf,
  openBalancer,
  reviewsOf,
  sendReviews,
} from "../suites/admission-load.ts";
import { testIo } from "../support/test-io.ts";
import { tlsAuthority } from "../support/tls-authorities.ts";

/**
 * Measures admission on a real API server: Pods a second and what the webhook adds to a Pod, cold and warm; a decision that is kept, in
 * the process; registry requests; memory over many reviews; and two replicas of which one is killed.
 *
 *     node build.ts && TSIGN_SHARED=… npm run bench:admission -- --pods 500 --reviews 100000
 */
const { values } = parseArgs({
  options: { pods: { type: "string", default: "500" }, reviews: { type: "string", default: "100000" } },
});
const [podCount, reviewCount] = [Number(values.pods), Number(values.reviews)];
const AT_ONCE = 10;
const ends: (() => unknown)[] = [];
const t = { after: (end: () => unknown) => void ends.unshift(end) } as unknown as TestContext;
const cwd = mkdtempSync(join(tmpdir(), "tsign-admission-"));
ends.push(() => rmSync(cwd, { recursive: true, force: true }));

const row = (name: string, value: string) => process.stdout.write(`| ${name} | ${value} |\n`);
const at = (sorted: readonly number[], part: number) =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0;
const sortedOf = (numbers: readonly number[]) => numbers.toSorted((a, b) => a - b);

function rowOf(name: string, load: Load, requests: number | undefined): { p50: number; p99: number } {
  const bad = load.answers.filter(({ answer }) => answer.status !== 201);
  if (bad.length > 0) throw new Error(`${name}: ${bad.length} not created: ${bad[0]?.answer.body.message}`);
  const sorted = sortedOf(load.answers.map(({ milliseconds }) => milliseconds));
  const [p50, p99] = [at(sorted, 0.5), at(sorted, 0.99)];
  const rate = Math.round((1000 * load.answers.length) / load.milliseconds);
  const asked = requests === undefined ? "" : `; ${requests} registry requests`;
  row(name, `${rate} Pods/s; p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms${asked}`);
  return { p50, p99 };
}

async function measure(): Promise<void> {
  const cluster = await startCluster(t, cwd);
  const shop = await openShop(t, cwd);
  const names = Array.from({ length: 10 }, (_, index) => `app${index}`);
  const digests: string[] = [];
  for (const name of names) {
    digests.push(await shop.push(name));
    await shop.sign(`${shop.registry}/${name}:1`, "a");
  }
  await shop.push("unsigned");
  const unsigned = `${shop.registry}/unsigned:1`;
  writeFileSync(
    join(cwd, "policy.yaml"),
    `version: 1\nsigners: {a: {key: a.pub}}\nrules:\n  - {name: all, images: "${shop.registry}/**", signatures: {signers: a, log: insecure-skip}}\n`,
  );
  const authority = tlsAuthority("webhooks");
  const ca = authority.cert;
  const issue = () => authority.issue(["127.0.0.1"]);
  const byTag = names.map((name) => `${shop.registry}/${name}:1`);
  const byDigest = names.map((name, index) => `${shop.registry}/${name}@${digests[index]}`);

  const one = await serve(t, cwd, issue());
  await cluster.call("POST", "/api/v1/namespaces", {
    apiVersion: "v1",
    kind: "Namespace",
    metadata: { name: "plain" },
  });
  const pods = (namespace: string, images: readonly string[]) =>
    createPods(cluster, { namespace, images, atOnce: AT_ONCE, goesOn: (begun) => begun < podCount });
  await pods("plain", byTag); // warms up the API server and this client
  const alone = rowOf("API server alone", await pods("plain", byTag), undefined);
  await enforce(cluster, { label: "measured", url: one.url, ca, unsigned });
  const added = async (name: string, images: readonly string[]) => {
    const before = shop.requests;
    const load = await pods("measured", images);
    const { p50, p99 } = rowOf(name, load, shop.requests - before);
    row(`${name}, added`, `p50 ${(p50 - alone.p50).toFixed(1)} ms, p99 ${(p99 - alone.p99).toFixed(1)} ms`);
  };
  await added("cold, 10 images by tag", byTag);
  await added("warm, 10 images by tag", byTag);
  await added("warm, 10 images by digest", byDigest);

  await inProcess(byDigest);

  const imageOf = (number: number) =>
    number % 10 === 0 ? `r.example/app-${number}:1` : number % 3 === 0 ? unsigned : (byDigest[number % 10] ?? "");
  const steps: string[] = [];
  const times: number[] = [];
  for (let step = 0; step < 5; step++) {
    const { milliseconds } = await sendReviews(one, { ca, count: reviewCount / 5, atOnce: AT_ONCE, imageOf });
    times.push(...milliseconds);
    steps.push(`${Math.round(memoryOf(one))}`);
  }
  row(`memory after each fifth of ${reviewCount} reviews`, `${steps.join(", ")} MiB`);
  const sorted = sortedOf(times);
  row(
    "a review over TLS, without an API server",
    `p50 ${at(sorted, 0.5).toFixed(2)} ms, p99 ${at(sorted, 0.99).toFixed(2)} ms`,
  );

  const [two, three] = [await serve(t, cwd, issue()), await serve(t, cwd, issue())];
  const balancer = await openBalancer(t, [portOf(two), portOf(three)]);
  await enforce(cluster, { label: "shared", url: balancer.url, ca, unsigned });
  rowOf("two replicas, by digest", await pods("shared", byDigest), undefined);
  row("reviews of each replica", (await Promise.all([two, three].map((each) => reviewsOf(each, ca)))).join(", "));
  const killing = pods("shared", byDigest);
  setTimeout(() => three.child.kill("SIGKILL"), 300);
  const { answers } = await killing;
  const failed = answers.filter(({ answer }) => answer.status !== 201);
  if (failed.some(({ answer }) => answer.status !== 500)) throw new Error("a Pod was refused for another reason");
  const again = await createPods(cluster, {
    namespace: "shared",
    images: byDigest,
    atOnce: 1,
    goesOn: (begun) => begun < Math.max(1, failed.length),
  });
  const admitted = again.answers.filter(({ answer }) => answer.status === 201).length;
  row(
    "one replica killed",
    `${failed.length} of ${answers.length} Pods refused; ${admitted} of ${again.answers.length} admitted when tried again`,
  );
}

/** How long a decision takes that is kept, from the request's bytes to the answer's, without a socket. */
async function inProcess(images: readonly string[]): Promise<void> {
  const io = testIo({ cwd });
  const path = join(cwd, "policy.yaml");
  const read = async () => ({ content: await io.files.read(path, { maxBytes: 1e6 }), path });
  const policy = await LivePolicy.open(io, { read, registry: PLAIN_REGISTRY, warn: () => {} });
  const options = { maxBytes: 1e7, workers: 10, tagPrefix: "", rekorUrl: undefined };
  const decider = new Decider(io, { current: () => policy.current, options });
  const mask = (text: string) => text;
  const service = new AdmissionService(io, {
    ...{ policy, decider, pullSecrets: undefined, mask, providerTimeout: 900, needsClient: false, log: () => {} },
  });
  const kind = { group: "", version: "v1", kind: "Pod" };
  const bodies = images.map((image) => {
    const object = { apiVersion: "v1", kind: "Pod", spec: { containers: [{ name: "c", image }] } };
    const request = { uid: "u", operation: "CREATE", kind, resource: { ...kind, resource: "pods" }, object };
    return Buffer.from(JSON.stringify({ apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview", request }));
  });
  const ask = async (number: number) => {
    const body = bodies[number % bodies.length] ?? Buffer.alloc(0);
    const { body: answer } = await service.handle({
      ...{ method: "POST", url: "/validate?timeout=10s", headers: {} },
      body: (async function* () {
        yield body;
      })(),
    });
    if (!String(answer).includes('"allowed":true')) throw new Error(String(answer));
  };
  for (let number = 0; number < 2000; number++) await ask(number);
  const times: number[] = [];
  for (let number = 0; number < 10_000; number++) {
    const from = performance.now();
    await ask(number);
    times.push(performance.now() - from);
  }
  const sorted = sortedOf(times);
  const [p50, p99] = [at(sorted, 0.5), at(sorted, 0.99)];
  row("kept decision, in the process", `p50 ${p50.toFixed(3)} ms, p99 ${p99.toFixed(3)} ms`);
  if (p50 >= 1) throw new Error("a kept decision takes a millisecond or more");
}

try {
  await measure();
} finally {
  for (const end of ends) await end();
}
