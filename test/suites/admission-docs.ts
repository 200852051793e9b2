import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join, resolve } from "node:path";
import process from "node:process";
import { setTimeout } from "node:timers/promises";
import type { Case, Cluster, Shop } from "./admission-kit.ts";
import { type Result, run, TSIGN } from "./support.ts";

/** The commands with kubectl in docs/admission.md, as they are written there. */
function documentedCommands(): { apply: string; label: string; remove: string } {
  const page = readFileSync(resolve(import.meta.dirname, "../../docs/admission.md"), "utf8");
  const found = (pattern: RegExp) => pattern.exec(page)?.[1] ?? assert.fail(String(pattern));
  return {
    apply: found(/^ {4}(tsign admission manifests .*\| kubectl apply -f -)$/m),
    label: found(/`(kubectl label namespace shop [^`]*)`/),
    remove: found(/`(kubectl delete [^`]*)`/),
  };
}

/** Whether kubectl is on this machine. */
export const hasKubectl = (cwd: string): Promise<boolean> =>
  run("kubectl", ["version", "--client"], { cwd }).then(
    ({ code }) => code === 0,
    () => false,
  );

/** The documented commands: nobody answers for the Service in this cluster, so that what is asked about is refused. */
export function documentedCase(of: { cwd: string; cluster: Cluster; shop: Shop }): Case {
  const { cluster, shop } = of;
  const cwd = join(of.cwd, "docs");
  const shell = (command: string): Promise<Result> => {
    const PATH = [dirname(TSIGN), process.env["PATH"]].join(delimiter);
    return run("bash", ["-o", "pipefail", "-c", command], { cwd, env: { PATH, KUBECONFIG: cluster.kubeconfig } });
  };
  const must = async (command: string, printed: RegExp) => {
    const { code, stdout, stderr } = await shell(command);
    assert.equal(code, 0, `${command}: ${stderr}`);
    assert.match(stdout, printed, command);
  };
  const spec = { containers: [{ name: "c", image: `${shop.registry}/unsigned:1` }] };
  const create = () =>
    cluster.call("POST", "/api/v1/namespaces/shop/pods?dryRun=All", { metadata: { name: "docs" }, spec });
  const until = async (status: number, message: RegExp, what: string) => {
    let answer = await create();
    for (let tries = 0; tries < 100 && answer.status !== status; tries++) {
      await setTimeout(100);
      answer = await create();
    }
    assert.equal(answer.status, status, `${what}: ${answer.body.message}`);
    assert.match(answer.body.message ?? "", message, what);
  };
  const name =
    "the documented commands with kubectl -> installed, a namespace is protected, and the way out of a deadlock";
  return [
    name,
    async () => {
      mkdirSync(cwd);
      copyFileSync(join(of.cwd, "a.pub"), join(cwd, "a.pub"));
      writeFileSync(
        join(cwd, "tsign.policy.yaml"),
        `version: 1\nsigners: {a: {key: a.pub}}\nrules: [{name: all, images: "${shop.registry}/**", signatures: {signers: a, log: insecure-skip}}]\n`,
      );
      const unlabelled = { metadata: { labels: { "policy.sigstore.dev/include": null } } };
      await cluster.call("PATCH", "/api/v1/namespaces/shop", unlabelled, "application/merge-patch+json");
      const { apply, label, remove } = documentedCommands();
      await must(apply, /^deployment\.apps\/tsign (created|configured|unchanged)$/m);
      await until(201, /^$/, "before the label");
      await must(label, /^namespace\/shop labeled$/m);
      await until(500, /failed calling webhook "mutate\.tsign\.dev"/, "with the label");
      await must(remove, /^mutatingwebhookconfiguration\S* "tsign" deleted$/m);
      await until(201, /^$/, "after the deletion");
    },
  ];
}
