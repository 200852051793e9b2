import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { digestOf } from "../src/format/digest.ts";
import type { Handler } from "../src/io/io.ts";
import { createRegistryHandler } from "../src/sandbox/registry/registry.ts";
import { writeKeyPairs } from "./support/key-pairs.ts";
import { NO_LOG, OFFLINE, run, temporaryFolder, testIo } from "./support/test-io.ts";

const MANIFEST = "application/vnd.oci.image.manifest.v1+json";

/**
 * A registry with a signed image `good`, an unsigned one `evil`, and a tag `t` for which GET returns one and HEAD the
 * other, like a stale cache or a malicious registry.
 */
async function workshop(context: TestContext) {
  const cwd = temporaryFolder(context);
  const inner = createRegistryHandler({ referrers: true });
  const forHead: { answer: "evil" | "good" | 404 } = { answer: 404 };
  const known: Record<string, string> = {};
  const requests: string[] = [];
  const handler: Handler = async (request) => {
    requests.push(`${request.method} ${request.url}`);
    const isHead = request.method === "HEAD" && /\/manifests\//.test(request.url);
    if (!isHead || !/\/manifests\/t$/.test(request.url)) {
      return isHead && forHead.answer === 404 ? { status: 404 } : inner(request);
    }
    if (forHead.answer === 404) return { status: 404 };
    return inner({ ...request, url: request.url.replace(/t$/, known[forHead.answer] ?? "") });
  };
  const { port, close } = await testIo().listen({ host: "127.0.0.1", port: 0 }, handler);
  context.after(close);
  const host = `localhost:${port}`;
  const env = { COSIGN_PASSWORD: "pw", TSIGN_SANDBOX: host };
  const tsign = (...argv: string[]) => run(argv, { cwd, env });
  const ok = async (...argv: string[]) => {
    const outcome = await tsign(...argv);
    assert.equal(outcome.code, 0, `${argv.join(" ")}: ${outcome.stderr}`);
    return outcome;
  };
  writeKeyPairs(cwd, "a");
  known["good"] = (await ok("sandbox", "push", "app:good")).stdout.trim().split("@")[1] ?? "";
  const io = testIo({ cwd });
  const manifestOf = async (tag: string, from: string, change: (text: string) => string) => {
    const url = new URL(`http://${host}/v2/app/manifests/${from}`);
    const original = change(await (await fetch(url)).text());
    const put = { method: "PUT", headers: { "content-type": MANIFEST }, body: original };
    assert.equal((await fetch(`http://${host}/v2/app/manifests/${tag}`, put)).status, 201);
    return digestOf(Buffer.from(original));
  };
  known["evil"] = await manifestOf("evil", "good", (text) => text.replace("{", '{"annotations":{"is":"evil"},'));
  await ok("sign", "--key", "a.key", ...OFFLINE, "--format", "both", `${host}/app@${known["good"]}`);
  const tagged = `${host}/app:t`;
  /** The image that GET of `t` returns, and that of HEAD, which may be missing. */
  const answer = async (get: "good" | "evil", head: "good" | "evil" | 404) => {
    await manifestOf("t", known[get] ?? "", (text) => text);
    forHead.answer = head;
  };
  return { cwd, io, ok, tsign, host, tagged, answer, requests, good: known["good"] ?? "", evil: known["evil"] ?? "" };
}

const VERIFY = ["--key", "a.pub", NO_LOG];

test("verify, dockerfile verify, manifest verify: use the image that GET returns for a tag", async (t) => {
  const { cwd, tsign, ok, tagged, answer } = await workshop(t);
  writeFileSync(join(cwd, "Dockerfile"), `FROM ${tagged}\n`);
  const pod = { apiVersion: "v1", kind: "Pod", spec: { containers: [{ name: "a", image: tagged }] } };
  writeFileSync(join(cwd, "pod.json"), JSON.stringify(pod));
  const commands = [
    ["verify", ...VERIFY, tagged],
    ["dockerfile", "verify", ...VERIFY, "Dockerfile"],
    ["manifest", "verify", ...VERIFY, "pod.json"],
  ];
  await answer("evil", "good");
  for (const argv of commands) assert.equal((await tsign(...argv)).code, 10, argv.join(" "));
  for (const head of ["evil", "good", 404] as const) {
    await answer("good", head);
    for (const argv of commands) await ok(...argv);
  }
});

test("sign, attest, attach: use the image that GET returns for a tag", async (t) => {
  const { cwd, ok, tsign, tagged, host, answer, good, evil } = await workshop(t);
  writeFileSync(join(cwd, "p.json"), "{}");
  writeFileSync(join(cwd, "sbom.json"), "{}");
  await answer("evil", "good");
  await ok("sign", "--key", "a.key", ...OFFLINE, "-a", "by=tag", tagged);
  await ok("verify", ...VERIFY, `${host}/app@${evil}`);
  assert.equal((await tsign("verify", ...VERIFY, "-a", "by=tag", `${host}/app@${good}`)).code, 12);
  await ok("attest", "--key", "a.key", ...OFFLINE, "--predicate", "p.json", tagged);
  await ok("verify-attestation", ...VERIFY, `${host}/app@${evil}`);
  assert.notEqual((await tsign("verify-attestation", ...VERIFY, `${host}/app@${good}`)).code, 0);
  await ok("attach", "sbom", "--sbom", "sbom.json", tagged);
  await ok("download", "sbom", `${host}/app@${evil}`);
  assert.notEqual((await tsign("download", "sbom", `${host}/app@${good}`)).code, 0);
});

test("triangulate, tree, copy, download, clean: use the image that GET returns for a tag", async (t) => {
  const { ok, tsign, tagged, host, answer, good, evil } = await workshop(t);
  await answer("evil", "good");
  assert.match((await ok("triangulate", tagged)).stdout, new RegExp(evil.slice(7)));
  assert.match((await ok("tree", tagged)).stdout + (await tsign("tree", tagged)).stderr, /No Supply Chain|evil/i);
  assert.notEqual((await tsign("download", "signature", tagged)).code, 0);
  await ok("clean", "--force", tagged);
  await ok("verify", ...VERIFY, `${host}/app@${good}`);
  await ok("copy", tagged, `${host}/copied:t`);
  assert.notEqual((await tsign("verify", ...VERIFY, `${host}/copied:t`)).code, 0);
  await answer("good", 404);
  assert.match((await ok("triangulate", tagged)).stdout, new RegExp(good.slice(7)));
  await ok("download", "signature", tagged);
  await ok("copy", tagged, `${host}/whole:t`);
  await ok("clean", "--force", tagged);
  assert.equal((await tsign("verify", ...VERIFY, `${host}/app@${good}`)).code, 10);
});

test("sign, attest: HEAD of a digest -> 404, GET -> image: accepted", async (t) => {
  const { cwd, ok, host, answer, evil } = await workshop(t);
  writeFileSync(join(cwd, "p.json"), "{}");
  await answer("evil", 404);
  const image = `${host}/app@${evil}`;
  await ok("sign", "--key", "a.key", ...OFFLINE, image);
  await ok("attest", "--key", "a.key", ...OFFLINE, "--predicate", "p.json", image);
  await ok("verify", ...VERIFY, image);
  await ok("verify-attestation", ...VERIFY, image);
});

test("verify, sign: few requests for a tag", async (t) => {
  const { ok, tagged, answer, requests } = await workshop(t);
  await answer("good", 404);
  const count = async (...argv: string[]) => {
    requests.length = 0;
    await ok(...argv);
    return requests.filter((each) => !/ \/v2\/$/.test(each));
  };
  const verifying = await count("verify", ...VERIFY, "--new-bundle-format=true", tagged);
  assert.ok(verifying.length <= 6, verifying.join("\n")); // one more than usual, because two formats are stored
  const signing = await count("sign", "--key", "a.key", ...OFFLINE, tagged);
  assert.ok(signing.length <= 7, signing.join("\n")); // the last one checks that the signature is listed
  assert.equal(
    [...verifying, ...signing].filter((each) => each.startsWith("HEAD") && each.includes("/manifests/")).length,
    0,
  );
});
