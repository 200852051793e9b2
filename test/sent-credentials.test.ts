import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { storageWorkshop } from "./support/storage.ts";
import { NO_LOG, OFFLINE } from "./support/test-io.ts";

const FLAGS = [
  ["--registry-token", "s3cr3t-4711"],
  ["--registry-username=bob", "--registry-password=s3cr3t-4711"],
] as const;

/** A signed image, and files that name it together with an image of another registry. */
async function workshop(...from: Parameters<typeof storageWorkshop>) {
  const shop = await storageWorkshop(...from);
  const { cwd, registry, sign } = shop;
  const image = `${registry}/app:v1`;
  await sign();
  const pod = (...images: string[]) =>
    `apiVersion: v1\nkind: Pod\nspec:\n  containers:\n${images.map((each) => `  - image: ${each}\n`).join("")}`;
  const write = (name: string, text: string) => writeFileSync(join(cwd, name), text);
  write("one.yaml", pod(image));
  write("two.yaml", pod(image, "other.invalid/app:v1"));
  write("Dockerfile", `FROM ${image} AS base\nCOPY --from=other.invalid/app:v1 . .\n`);
  write("predicate.json", "{}");
  const rule = "{name: all, images: '**', signatures: {signers: team, log: insecure-skip}}";
  write("policy.yaml", `version: 1\nsigners: {team: {key: a.pub}}\nrules:\n  - ${rule}\n`);
  return { ...shop, image };
}

const VERIFY = ["--key", "a.pub", NO_LOG];
const SIGN = ["--key", "a.key", "-y", ...OFFLINE];

test("credentials of flags: a file that names several registries -> refused before a request, without the secret", async (t) => {
  const { tsign, image, registry } = await workshop(t);
  const commands = [
    ["verify", ...VERIFY, "--from", "two.yaml"],
    ["verify", ...VERIFY, "--from", "one.yaml", "other.invalid/app:v1"],
    ["verify", "--trust-policy", "policy.yaml", "--from", "two.yaml"],
    ["verify-attestation", ...VERIFY, "--from", "two.yaml"],
    ["manifest", "verify", ...VERIFY, "two.yaml"],
    ["dockerfile", "verify", ...VERIFY, "Dockerfile"],
    ["admission", "test", "--trust-policy", "policy.yaml", "two.yaml"],
    ["sign", ...SIGN, "--from", "two.yaml"],
    ["attest", ...SIGN, "--predicate", "predicate.json", "--from", "two.yaml"],
    ["tree", "--from", "two.yaml"],
    ["clean", "--force", "--from", "two.yaml"],
    ["save", "--dir", "all.tar", "--from", "two.yaml"],
    ["copy", "--from", "two.yaml", "--to", registry],
    ["copy", "--from", "one.yaml", "--to", "other.invalid"],
  ];
  for (const flags of FLAGS) {
    for (const command of commands) {
      const { code, stdout, stderr } = await tsign(...command, ...flags);
      assert.equal(code, 1, command.join(" "));
      assert.match(stderr, /--registry-(token|password) requires images of one registry, found \S+, other\.invalid$/m);
      assert.match(stderr, /^hint: .*`tsign login REGISTRY`/m);
      assert.ok(!`${stdout}${stderr}`.includes("s3cr3t"), stderr);
    }
  }
  const { stderr } = await tsign("verify", ...VERIFY, image, "other.invalid/app:v1", ...FLAGS[0]);
  assert.doesNotMatch(
    stderr,
    /requires images of one registry/,
    "the command line names the registries, as for cosign",
  );
});

test("credentials of flags: a file that names one registry, or no credentials -> as without the rule", async (t) => {
  const { ok, tsign, image, registry } = await workshop(t);
  for (const flags of [...FLAGS, []]) {
    await ok("verify", ...VERIFY, "--from", "one.yaml", ...flags);
    await ok("verify", ...VERIFY, "--from", "one.yaml", image, ...flags);
    await ok("manifest", "verify", ...VERIFY, "one.yaml", ...flags);
    await ok("admission", "test", "--trust-policy", "policy.yaml", "one.yaml", ...flags);
    await ok("copy", "--from", "one.yaml", "--to", `${registry}/mirror`, ...flags);
  }
  const { stderr } = await tsign("verify", ...VERIFY, "--from", "two.yaml");
  assert.doesNotMatch(stderr, /requires images of one registry/);
});
