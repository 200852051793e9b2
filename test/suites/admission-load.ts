import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { get } from "node:https";
import net, { type AddressInfo, type Socket } from "node:net";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { systemIo } from "../../src/io/system.ts";
import type { tlsAuthority } from "../support/tls-authorities.ts";
import { type ApiAnswer, type Case, type Cluster, portOf, type Served, type Shop, serve } from "./admission-kit.ts";

const real = systemIo();

/** What Pods that were created had for an answer, and how long it took, in milliseconds. */
export interface Load {
  readonly answers: readonly { readonly answer: ApiAnswer; readonly milliseconds: number }[];
  /** Of the whole load. */
  readonly milliseconds: number;
}

/** Creates Pods (dry runs), some at a time: so many, or as long as `goesOn` says. */
export async function createPods(
  cluster: Cluster,
  of: { namespace: string; images: readonly string[]; atOnce: number; goesOn: (created: number) => boolean },
): Promise<Load> {
  const { namespace, images, atOnce, goesOn } = of;
  const answers: { answer: ApiAnswer; milliseconds: number }[] = [];
  let begun = 0;
  const started = performance.now();
  const worker = async () => {
    while (goesOn(begun)) {
      const number = begun++;
      const image = images[number % images.length] ?? "";
      const pod = {
        apiVersion: "v1",
        kind: "Pod",
        metadata: { name: `load-${number}` },
        spec: { containers: [{ name: "c", image }] },
      };
      const from = performance.now();
      const answer = await cluster.call("POST", `/api/v1/namespaces/${namespace}/pods?dryRun=All`, pod);
      answers.push({ answer, milliseconds: performance.now() - from });
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return { answers, milliseconds: performance.now() - started };
}

/** Passes connections on to replicas in turn, as a Service does. One that is gone is left out. */
export interface Balancer {
  readonly url: string;
  /** Ports of the replicas that get new connections. */
  readonly ports: Set<number>;
}

export async function openBalancer(t: TestContext, ports: readonly number[]): Promise<Balancer> {
  const alive = new Set(ports);
  let turn = 0;
  const sockets = new Set<Socket>();
  const server = net.createServer((client) => {
    const connect = (tries: number) => {
      const port = [...alive][turn++ % Math.max(1, alive.size)];
      if (port === undefined || tries === 0) return client.destroy();
      const replica = net.connect(port, "127.0.0.1");
      replica.once("connect", () => {
        for (const each of [client, replica]) sockets.add(each);
        client.pipe(replica).pipe(client);
        client.on("close", () => replica.destroy());
        // After an orderly end the last answer may still be on its way to the client.
        replica.on("close", (failed) => (failed ? client.destroy() : client.end()));
      });
      replica.on("error", () => {
        if (!sockets.has(replica)) connect(tries - 1);
      });
    };
    client.on("error", () => {});
    connect(5);
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  t.after(() => {
    for (const each of sockets) each.destroy();
    server.close();
  });
  return { url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`, ports: alive };
}

/** Makes a namespace whose Pods are validated by a URL, and waits until they are. */
export async function enforce(
  cluster: Cluster,
  {
    label,
    url,
    ca,
    unsigned,
    timeout = 10,
  }: { label: string; url: string; ca: string; unsigned: string; timeout?: number },
): Promise<void> {
  const webhook = {
    name: `${label}.tsign.dev`,
    clientConfig: { url: `${url}/validate`, caBundle: Buffer.from(ca).toString("base64") },
    rules: [{ apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["pods"] }],
    ...{ failurePolicy: "Fail", sideEffects: "None", timeoutSeconds: timeout, admissionReviewVersions: ["v1"] },
    namespaceSelector: { matchLabels: { tsign: label } },
  };
  const made = await cluster.call("POST", "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations", {
    ...{ apiVersion: "admissionregistration.k8s.io/v1", kind: "ValidatingWebhookConfiguration" },
    ...{ metadata: { name: `tsign-${label}` }, webhooks: [webhook] },
  });
  assert.equal(made.status, 201);
  const namespace = { apiVersion: "v1", kind: "Namespace", metadata: { name: label, labels: { tsign: label } } };
  assert.equal((await cluster.call("POST", "/api/v1/namespaces", namespace)).status, 201);
  for (let tries = 0; ; tries++) {
    const { answers } = await createPods(cluster, {
      namespace: label,
      images: [unsigned],
      atOnce: 1,
      goesOn: (done) => done < 1,
    });
    if (answers[0]?.answer.status === 403) return;
    assert.ok(tries < 100, `the webhook of ${label} takes effect`);
    await real.sleep(100);
  }
}

/** How many reviews a replica has answered. */
export async function reviewsOf(served: Served, ca: string): Promise<number> {
  const response = await real.http({
    ...{ url: new URL(`${served.url}/metrics`), method: "GET", headers: {}, tls: { ca } },
    signal: AbortSignal.timeout(10_000),
  });
  const pieces: Uint8Array[] = [];
  for await (const piece of response.body) pieces.push(piece);
  const text = Buffer.concat(pieces).toString("utf8");
  return Number(/requests_total\{path="\/validate",status="200"\} (\d+)/.exec(text)?.[1] ?? 0);
}

/** Replicas under load on a real API server: rotation, reload, an orderly end and a sudden one. */
export async function loadCases(
  t: TestContext,
  of: {
    cwd: string;
    cluster: Cluster;
    shop: Shop;
    authority: ReturnType<typeof tlsAuthority>;
    rules: string;
    write: (rules: string) => void;
  },
): Promise<Case[]> {
  const cases: Case[] = [];
  const { cwd, cluster, shop, authority, rules, write } = of;
  const [good, unsigned] = [`${shop.registry}/good:1`, `${shop.registry}/unsigned:1`];
  const ca = authority.cert;
  const issue = () => authority.issue(["127.0.0.1"]);
  let one = await serve(t, cwd, issue());
  const two = await serve(t, cwd, issue());
  const balancer = await openBalancer(t, [portOf(one), portOf(two)]);
  await enforce(cluster, { label: "loaded", url: balancer.url, ca, unsigned });
  /** Creates Pods of a signed image, and every tenth time of an unsigned one, until something is done; `more` waits for so many. */
  const during = async (work: (more: (count: number) => Promise<void>) => Promise<void>) => {
    let isDone = false;
    let begun = 0;
    const goesOn = (count: number) => {
      begun = count;
      return !isDone;
    };
    const more = async (count: number) => {
      const until = begun + count;
      for (let tries = 0; begun < until; tries++) {
        assert.ok(tries < 6000, "Pods are created");
        await real.sleep(10);
      }
    };
    const images = [...Array.from({ length: 9 }, () => good), unsigned];
    const load = createPods(cluster, { namespace: "loaded", images, atOnce: 10, goesOn });
    try {
      await work(more);
    } finally {
      isDone = true;
    }
    const { answers } = await load;
    const of = (status: number) => answers.filter(({ answer }) => answer.status === status).length;
    const others = answers.filter(({ answer: { status } }) => status !== 201 && status !== 403);
    return { created: of(201), refused: of(403), others: others.map(({ answer }) => answer.body.message ?? "") };
  };
  const isTenth = ({ created, refused }: { created: number; refused: number }) =>
    assert.ok(Math.abs(refused - (created + refused) / 10) <= 20, `${created} created, ${refused} refused`);

  cases.push([
    "load: the certificate is rotated and the policy reloaded again and again -> no request is lost",
    async () => {
      const anew = [one, two].map((each) => connectAgain(each, ca));
      const outcome = await during(async (more) => {
        await more(20);
        for (let round = 1; round <= 5; round++) {
          const { cert, key } = issue();
          writeFileSync(join(cwd, "tls.key"), key);
          writeFileSync(join(cwd, "tls.crt"), cert);
          write(`${rules}# ${round}\n`);
          const rounds = (text: string) => new RegExp(Array.from({ length: round }, () => text).join("[\\s\\S]*"));
          for (const each of [one, two]) {
            await each.logged(rounds("policy reloaded"));
            await each.logged(rounds("certificate reloaded"));
          }
        }
        await more(400);
      });
      for (const stop of anew) {
        const { answered, failed } = await stop();
        assert.deepEqual(failed, [], `${failed.length} connections failed, ${answered} did not`);
        assert.ok(answered > 50, String(answered));
      }
      assert.deepEqual(outcome.others, []);
      isTenth(outcome);
    },
  ]);

  cases.push([
    "load: thousands of reviews of changing images -> as many answers, and no growing memory",
    async () => {
      const imageOf = (number: number) =>
        number % 10 === 0 ? `r.example/app-${number}:1` : number % 3 === 0 ? unsigned : good;
      const send = (count: number) => sendReviews(one, { ca, count, atOnce: 10, imageOf });
      await send(1500);
      const before = memoryOf(one);
      const { allowed, refused } = await send(1500);
      assert.deepEqual([allowed, refused], [900, 600]);
      assert.ok(memoryOf(one) < before + 40, `${before} MiB before, ${memoryOf(one)} after`);
    },
  ]);

  cases.push([
    "load: both replicas answer; one ends in order -> no request is lost",
    async () => {
      const counted = () => Promise.all([one, two].map((each) => reviewsOf(each, ca)));
      const before = await counted();
      isTenth(await during((more) => more(200)));
      const shares = (await counted()).map((count, index) => count - (before[index] ?? 0));
      assert.ok(Math.min(...shares) > 0.1 * Math.max(...shares), `shares: ${shares}`);
      const outcome = await during(async (more) => {
        await more(50);
        // The endpoint is taken out of the Service when the Pod is to end.
        balancer.ports.delete(portOf(one));
        one.child.kill("SIGTERM");
        await new Promise((done) => one.child.once("exit", done));
        await more(50);
      });
      assert.equal(one.child.exitCode, 0, one.log());
      assert.deepEqual(outcome.others, []);
      isTenth(outcome);
    },
  ]);

  cases.push([
    "load: one is killed -> requests in flight fail closed, and are admitted when they are tried again",
    async () => {
      one = await serve(t, cwd, issue());
      balancer.ports.add(portOf(one));
      const outcome = await during(async (more) => {
        await more(100);
        two.child.kill("SIGKILL");
        await more(100);
      });
      for (const message of outcome.others) assert.match(message, /failed calling webhook/, "nothing else goes wrong");
      assert.ok(outcome.others.length < 40, `${outcome.others.length} in flight`);
      isTenth(outcome);
      const again = await during((more) => more(20));
      assert.deepEqual(again.others, [], "a second try finds the other replica");
    },
  ]);
  return cases;
}

/** Sends reviews of Pods to a webhook, some at a time. @returns the answers that allowed, and that refused */
export async function sendReviews(
  served: Served,
  of: { ca: string; count: number; atOnce: number; imageOf: (number: number) => string },
): Promise<{ allowed: number; refused: number; milliseconds: number[] }> {
  const { ca, count, atOnce, imageOf } = of;
  const kind = { group: "", version: "v1", kind: "Pod" };
  const outcome = { allowed: 0, refused: 0, milliseconds: [] as number[] };
  let begun = 0;
  const worker = async () => {
    for (let number = begun++; number < count; number = begun++) {
      const object = { apiVersion: "v1", kind: "Pod", spec: { containers: [{ name: "c", image: imageOf(number) }] } };
      const request = {
        uid: `u-${number}`,
        operation: "CREATE",
        kind,
        resource: { ...kind, resource: "pods" },
        object,
      };
      const review = { apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview", request };
      const from = performance.now();
      const response = await real.http({
        ...{ url: new URL(`${served.url}/validate?timeout=10s`), method: "POST", tls: { ca } },
        headers: { "content-type": "application/json" },
        body: Buffer.from(JSON.stringify(review)),
        signal: AbortSignal.timeout(30_000),
      });
      const pieces: Uint8Array[] = [];
      for await (const piece of response.body) pieces.push(piece);
      outcome.milliseconds.push(performance.now() - from);
      const isAllowed = JSON.parse(Buffer.concat(pieces).toString("utf8")).response.allowed === true;
      outcome[isAllowed ? "allowed" : "refused"]++;
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return outcome;
}

/** Asks a replica over a new connection each time until it is stopped. Returns how often it answered, and every failure. */
function connectAgain(served: Served, ca: string): () => Promise<{ answered: number; failed: string[] }> {
  let isOn = true;
  const outcome = { answered: 0, failed: [] as string[] };
  const ask = () =>
    new Promise<void>((done, fail) => {
      const request = get(`${served.url}/readyz`, { agent: false, ca }, (answer) => {
        answer.resume().once("end", done).once("error", fail);
      });
      request.once("error", fail);
    });
  const running = (async () => {
    while (isOn) {
      await ask().then(
        () => outcome.answered++,
        (error: Error) => outcome.failed.push(error.message),
      );
    }
  })();
  return async () => {
    isOn = false;
    await running;
    return outcome;
  };
}

/** Memory of a replica, in MiB. Linux only. */
export function memoryOf({ child }: Served): number {
  const [, kilobytes = "0"] = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${child.pid}/status`, "utf8")) ?? [];
  return Number(kilobytes) / 1024;
}
