import assert from "node:assert/strict";
import { test } from "node:test";
import { keepProvider } from "./gatekeeper-provider.ts";

const PATH = "/apis/externaldata.gatekeeper.sh/v1beta1/providers/tsign";
const service = { namespace: "ns", name: "tsign" };
const encoded = (text: string) => Buffer.from(text).toString("base64");

/** A Provider of a cluster, and the patches that it received. */
function cluster(spec: Record<string, unknown> | undefined) {
  const patches: unknown[][] = [];
  const api = {
    get: async (path: string) => {
      assert.equal(path, PATH);
      return spec && { metadata: { name: "tsign" }, spec };
    },
    patch: async (path: string, operations: readonly unknown[]) => {
      assert.equal(path, PATH);
      patches.push([...operations]);
      const [check, add] = operations as { path: string; value: unknown }[];
      if (spec?.["url"] !== check?.value) return false;
      Object.assign(spec ?? {}, { caBundle: add?.value });
      return true;
    },
  };
  const keep = (trusted: string) => keepProvider(api, { name: "tsign", service, trusted });
  return { keep, patches, spec };
}

test("keepProvider: other certificates -> caBundle is written once, and nothing else", async () => {
  const url = "https://tsign.ns.svc:443/gatekeeper";
  const { keep, patches, spec } = cluster({ url, timeout: 2, caBundle: encoded("old") });
  assert.equal(await keep("one"), true);
  assert.equal(await keep("one"), false);
  assert.deepEqual(patches, [
    [
      { op: "test", path: "/spec/url", value: url },
      { op: "add", path: "/spec/caBundle", value: encoded("one") },
    ],
  ]);
  assert.equal(await keep("one two"), true);
  assert.deepEqual(spec, { url, timeout: 2, caBundle: encoded("one two") });
  assert.equal(await keep(""), false, "no certificate yet");
  assert.equal(patches.length, 2);
});

test("keepProvider: another service's Provider, or none -> nothing is written", async () => {
  for (const url of ["https://other.ns.svc:443/x", "https://tsign.ns.svc.evil.example/", "", undefined]) {
    const { keep, patches } = cluster({ url, caBundle: encoded("theirs") });
    await assert.rejects(keep("one"), /providers\/tsign of Kubernetes: its URL is not of tsign\.ns\.svc/);
    assert.deepEqual(patches, []);
  }
  const { keep, patches } = cluster(undefined);
  assert.equal(await keep("one"), false);
  assert.deepEqual(patches, []);
});
