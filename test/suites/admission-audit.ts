import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runProgram } from "../support/program.ts";
import type { Case, Cluster, Shop } from "./admission-kit.ts";

/** Where the audited Pods are: a namespace without webhooks, as before admission was installed. */
const NAMESPACE = "/api/v1/namespaces/old";

/** `tsign admission audit` on a real API server. There is no kubelet: what it would report is written into the status. */
export async function auditCases({
  cwd,
  cluster,
  shop,
}: {
  cwd: string;
  cluster: Cluster;
  shop: Shop;
}): Promise<Case[]> {
  const cases: Case[] = [];
  const make = async (path: string, object: object): Promise<Record<string, unknown>> => {
    const made = await cluster.call("POST", path, object);
    assert.equal(made.status, 201, `${path}: ${made.body.message}`);
    return made.body;
  };
  const image = (name: string) => `${shop.registry}/${name}:1`;
  await make("/api/v1/namespaces", { apiVersion: "v1", kind: "Namespace", metadata: { name: "old" } });
  /** Creates a Pod whose container runs a digest. */
  const runs = async (name: string, of: string, digest: string) => {
    const spec = { containers: [{ name: "c", image: image(of) }] };
    await make(`${NAMESPACE}/pods`, { apiVersion: "v1", kind: "Pod", metadata: { name, labels: { app: of } }, spec });
    const state = { running: { startedAt: "2026-01-01T00:00:00Z" } };
    const reported = { ready: true, restartCount: 0, image: image(of), imageID: `${shop.registry}/${of}@${digest}` };
    const status = { phase: "Running", containerStatuses: [{ name: "c", state, ...reported }] };
    const path = `${NAMESPACE}/pods/${name}/status`;
    const patched = await cluster.call("PATCH", path, { status }, "application/merge-patch+json");
    assert.equal(patched.status, 200, `${path}: ${patched.body.message}`);
  };
  const audit = (kubeconfig: string, ...flags: string[]) =>
    runProgram(["admission", "audit", "--trust-policy=audit.yaml", `--kubeconfig=${kubeconfig}`, ...flags], {
      cwd,
      env: { PATH: process.env["PATH"], HOME: cwd },
      stdin: "",
    });
  writeFileSync(
    join(cwd, "audit.yaml"),
    `version: 1\nsigners: {a: {key: a.pub}}\nrules:\n  - {name: all, images: "${shop.registry}/**", signatures: {signers: a, log: insecure-skip}}\n`,
  );

  cases.push([
    "audit: signed images run -> 0; one unsigned, and a tag that moved after the start -> 1, each named",
    async () => {
      const signed = await shop.push("run-good");
      await shop.sign(image("run-good"), "a");
      for (const name of ["one", "two"]) await runs(name, "run-good", signed);
      const good = await audit(cluster.kubeconfig, "-n", "old");
      assert.equal(good.code, 0, good.stderr);
      assert.match(good.stdout, new RegExp(`^accepted +\\S+run-good:1@${signed} \\(old/one/c, old/two/c\\)$`, "m"));
      await runs("bad", "run-bad", await shop.push("run-bad"));
      const earlier = await shop.push("run-moved", "earlier");
      await runs("moved", "run-moved", earlier);
      await shop.push("run-moved", "later");
      await shop.sign(image("run-moved"), "a");
      const found = await audit(cluster.kubeconfig, "--json", "--report=audit.sarif", "-n", "old");
      assert.equal(found.code, 1);
      const { images, pods } = JSON.parse(found.stdout).result;
      assert.equal(pods, 4);
      const reasons = images.map((each: { places: string[]; reason: string }) => [each.places[0], each.reason]);
      assert.deepEqual(Object.fromEntries(reasons), {
        "old/bad/c": "unsigned",
        "old/moved/c": "unsigned",
        "old/one/c": "accepted",
      });
      assert.match(readFileSync(join(cwd, "audit.sarif"), "utf8"), /run-bad/);
      assert.equal((await audit(cluster.kubeconfig, "-n", "old", "-l", "app=run-good")).code, 0);
      assert.match((await audit(cluster.kubeconfig, "-n", "old", "-l", "app in")).stderr, /unable to parse|found/);
    },
  ]);

  cases.push([
    "audit: RBAC refuses -> could not look, and never a success; with a Role for the namespace -> judged",
    async () => {
      await make(`${NAMESPACE}/serviceaccounts`, { metadata: { name: "auditor" } });
      const { status } = await make(`${NAMESPACE}/serviceaccounts/auditor/token`, { spec: { expirationSeconds: 600 } });
      const { token } = status as { token: string };
      const config = readFileSync(cluster.kubeconfig, "utf8").replace(/token: \S+ }/, `token: ${token} }`);
      writeFileSync(join(cwd, "auditor.yaml"), config);
      const refused = await audit("auditor.yaml", "-n", "old", "--exit-codes=strict");
      assert.equal(refused.code, 13, refused.stderr);
      assert.match(refused.stderr, /list Pods in namespace "old": permission denied \(403\): pods is forbidden/);
      const rbac = "/apis/rbac.authorization.k8s.io/v1/namespaces/old";
      await make(`${rbac}/roles`, {
        metadata: { name: "r" },
        rules: [{ apiGroups: [""], resources: ["pods"], verbs: ["list"] }],
      });
      await make(`${rbac}/rolebindings`, {
        metadata: { name: "r" },
        roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "r" },
        subjects: [{ kind: "ServiceAccount", name: "auditor", namespace: "old" }],
      });
      let allowed = await audit("auditor.yaml", "-n", "old", "-l", "app=run-good");
      for (let tries = 0; tries < 50 && allowed.code !== 0; tries++) {
        allowed = await audit("auditor.yaml", "-n", "old", "-l", "app=run-good");
      }
      assert.equal(allowed.code, 0, allowed.stderr);
      const partly = await audit("auditor.yaml", "-n", "old", "-n", "kube-system", "-l", "app=run-good");
      assert.equal(partly.code, 1, "one namespace may not be listed");
      assert.equal((await audit("auditor.yaml")).code, 1, "the whole cluster may not be listed");
      assert.doesNotMatch(refused.stderr + partly.stderr, new RegExp(token.slice(-40)));
    },
  ]);
  return cases;
}
