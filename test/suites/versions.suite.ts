import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import {
  COSIGN,
  COSIGN_2,
  folder,
  folderWithKeys,
  LEGACY,
  must,
  NO_LOG,
  OFFLINE,
  pushImage,
  registries,
  run,
  TSIGN,
} from "./support.ts";

/** cosign 2 requires a trusted root for bundles even if it uses nothing from it. */
const EMPTY_ROOT = { mediaType: "application/vnd.dev.sigstore.trustedroot+json;version=0.1" };

test("cosign 2 and tsign accept each other's signatures, with and without the referrers API", async (context) => {
  const cwd = await folderWithKeys(context, "a", "b");
  writeFileSync(join(cwd, "root.json"), JSON.stringify(EMPTY_ROOT));
  const root = ["--trusted-root", "root.json"];
  const forms = {
    legacy: { tsign: [...OFFLINE, LEGACY], cosign: ["--tlog-upload=false", "-y"], verify: [] },
    bundle: { tsign: OFFLINE, cosign: ["--tlog-upload=false", "-y", "--new-bundle-format"], verify: root },
  };
  for (const [name, address] of Object.entries(await registries(context))) {
    for (const [form, { tsign, cosign, verify }] of Object.entries(forms)) {
      await context.test(`${form} form, registry ${name}`, async () => {
        const image = await pushImage(address, `versions/${form}`, cwd);
        await must(TSIGN, ["sign", "--key", "a.key", ...tsign, image], { cwd });
        await must(COSIGN_2, ["sign", "--key", "b.key", ...cosign, image], { cwd });
        for (const key of ["a.pub", "b.pub"]) {
          await must(TSIGN, ["verify", "--key", key, NO_LOG, image], { cwd });
          await must(COSIGN_2, ["verify", "--key", key, NO_LOG, ...verify, image], { cwd });
        }
        await must(TSIGN, ["generate-key-pair", "--output-key-prefix", `${name}${form}`], { cwd });
        const other = await run(TSIGN, ["verify", "--key", `${name}${form}.pub`, NO_LOG, image], { cwd });
        assert.notEqual(other.code, 0);
      });
    }
  }
});

test("cosign 2 and tsign accept each other's blob signatures", async (context) => {
  const cwd = await folderWithKeys(context, "cosign");
  writeFileSync(join(cwd, "blob"), "content");
  const sign = ["sign-blob", "--key", "cosign.key", "--tlog-upload=false", "-y"];
  const verify = ["verify-blob", "--key", "cosign.pub", NO_LOG];
  await must(COSIGN_2, [...sign, "--output-signature", "two.sig", "blob"], { cwd });
  await must(TSIGN, [...verify, "--signature", "two.sig", "blob"], { cwd });
  await must(COSIGN_2, [...sign, "--bundle", "two.json", "blob"], { cwd });
  await must(TSIGN, [...verify, "--bundle", "two.json", "blob"], { cwd });
  await must(COSIGN_2, [...sign, "--new-bundle-format", "--bundle", "two.new.json", "blob"], { cwd });
  await must(TSIGN, [...verify, "--bundle", "two.new.json", "blob"], { cwd });
  await must(TSIGN, [...sign, ...OFFLINE, LEGACY, "--bundle", "ours.json", "--output-signature", "ours.sig", "blob"], {
    cwd,
  });
  await must(COSIGN_2, [...verify, "--signature", "ours.sig", "blob"], { cwd });
  await must(COSIGN_2, [...verify, "--bundle", "ours.json", "blob"], { cwd });
  await must(COSIGN, [...verify, "--bundle", "ours.json", "blob"], { cwd });
  writeFileSync(join(cwd, "blob"), "contend");
  for (const bundle of ["two.json", "two.new.json", "ours.json"]) {
    assert.notEqual((await run(TSIGN, [...verify, "--bundle", bundle, "blob"], { cwd })).code, 0);
  }
});

test("legacy signatures in OCI 1.1 mode: same as cosign's", async (context) => {
  const cwd = folder(context);
  const env = { COSIGN_EXPERIMENTAL: "1" };
  await must(TSIGN, ["generate-key-pair"], { cwd });
  const { ref } = await registries(context);
  for (const [signer, verifier] of [
    [TSIGN, COSIGN],
    [COSIGN, TSIGN],
  ] as const) {
    const image = await pushImage(ref, "versions/oci11", cwd);
    const mode = ["--registry-referrers-mode", "oci-1-1"];
    await must(signer, ["sign", "--key", "cosign.key", ...OFFLINE, LEGACY, ...mode, image], { cwd, env });
    const read = verifier === COSIGN ? [LEGACY, "--experimental-oci11"] : [];
    const verified = await must(verifier, ["verify", "--key", "cosign.pub", NO_LOG, ...read, image], { cwd, env });
    assert.equal(JSON.parse(verified.stdout).length, 1);
  }
});
