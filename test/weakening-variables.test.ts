import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { TABLE } from "../src/cli/table.ts";
import { loadCommand } from "../src/commands.ts";
import { storageWorkshop } from "./support/storage.ts";
import { NO_LOG, run } from "./support/test-io.ts";

/** Words in flag names that suggest a disabled check. */
const WEAKENING = /insecure|skip|ignore|allow|private-infrastructure|check-claims|tlog|attachment$|base-image-only/;
/** Flags with such names that disable no check. */
const HARMLESS = new Set(["insecureSkipVerify", "skipConfirmation", "skipSigned", "skipAttested"]);

test("every flag that disables a check has a text for the warning about its variable", async () => {
  const silent: string[] = [];
  let told = 0;
  for (const entry of TABLE) {
    const { words } = entry;
    const command = await loadCommand(entry);
    if (command.bindEnvironment === false) continue;
    for (const [key, { weakens }] of Object.entries(command.flags)) {
      const name = key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
      if (weakens) told++;
      else if (WEAKENING.test(name) && !HARMLESS.has(key)) silent.push(`${words.join(" ")} --${name}`);
    }
  }
  assert.deepEqual(silent, []);
  assert.ok(told > 20, `${told} flags`);
});

test("verify: variable disables a check -> warning; leaves it on -> no warning", async (t) => {
  const { cwd, env, sign, image } = await storageWorkshop(t);
  await sign();
  const verify = (more: Record<string, string>, ...flags: string[]) =>
    run(["verify", "--key", "a.pub", ...flags, image], { cwd, env: { ...env, ...more } });
  for (const [variable, value, flags] of [
    ["COSIGN_INSECURE_IGNORE_TLOG", "true", []],
    ["COSIGN_PRIVATE_INFRASTRUCTURE", "1", []],
    ["COSIGN_CHECK_CLAIMS", "false", [NO_LOG]],
    ["COSIGN_INSECURE_IGNORE_SCT", "T", [NO_LOG]],
    ["COSIGN_ALLOW_INSECURE_REGISTRY", "true", [NO_LOG]],
    ["COSIGN_ALLOW_HTTP_REGISTRY", "true", [NO_LOG]],
  ] as const) {
    const weak = await verify({ [variable]: value }, ...flags);
    assert.equal(weak.code, 0, weak.stderr);
    assert.match(weak.stderr, new RegExp(`^WARNING: ${variable}=${value} sets --`, "m"));
    const strict = await verify({ [variable]: value === "false" ? "true" : "false" }, NO_LOG);
    assert.doesNotMatch(strict.stderr, new RegExp(`${variable}=.* sets --`), variable);
  }
  assert.doesNotMatch((await verify({}, NO_LOG, "--check-claims=false")).stderr, /COSIGN_/);
});

test("verify --attachment: output names the attachment and its digest", async (t) => {
  const { cwd, env, ok, image } = await storageWorkshop(t);
  writeFileSync(join(cwd, "sbom.json"), "{}");
  await ok("attach", "sbom", "--sbom", "sbom.json", image);
  const sign = ["sign", "--key", "a.key", "--use-signing-config=false", "--tlog-upload=false", "--attachment", "sbom"];
  const signed = await ok(...sign, image);
  const [, attached = ""] = /(sha256:[0-9a-f]{64}), instead of the image/.exec(signed.stderr) ?? [];
  assert.ok(attached !== "" && !image.endsWith(attached));
  writeFileSync(join(cwd, "Dockerfile"), `FROM ${image}\n`);
  const pod = { apiVersion: "v1", kind: "Pod", spec: { containers: [{ name: "a", image }] } };
  writeFileSync(join(cwd, "pod.json"), JSON.stringify(pod));
  for (const argv of [
    ["verify", "--key", "a.pub", NO_LOG, image],
    ["dockerfile", "verify", "--key", "a.pub", NO_LOG, "Dockerfile"],
    ["manifest", "verify", "--key", "a.pub", NO_LOG, "pod.json"],
  ]) {
    assert.equal((await run(argv, { cwd, env })).code, 10, "the image itself is not signed");
    const verified = await run(argv, { cwd, env: { ...env, COSIGN_ATTACHMENT: "sbom" } });
    assert.equal(verified.code, 0, verified.stderr);
    assert.match(verified.stderr, /^WARNING: COSIGN_ATTACHMENT=sbom sets --attachment: /m);
    assert.match(verified.stderr, new RegExp(`^WARNING: using the sbom attached to ${image}, .*${attached}`, "m"));
    assert.match(verified.stderr, new RegExp(`^Verification for .*${attached} \\(SBOM attached to .*\\) --$`, "m"));
    const [{ critical }] = JSON.parse(verified.stdout);
    assert.equal(critical.image["docker-manifest-digest"], attached);
    assert.ok(critical.identity["docker-reference"].endsWith(`@${attached}`));
  }
  const none = await run(
    ["verify", "--key", "a.pub", NO_LOG, "--attachment", "sbom", image.replace(/app@.*/, "none:v1")],
    {
      cwd,
      env,
    },
  );
  assert.equal(none.code, 11);
});
