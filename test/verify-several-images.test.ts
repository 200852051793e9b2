import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { storageWorkshop } from "./support/storage.ts";
import { LEGACY, NO_LOG, OFFLINE } from "./support/test-io.ts";

const INDEX = "application/vnd.oci.image.index.v1+json";
const TYPE = ["--type", "https://ci.example/type"];

/** Two commands with the command that creates what they verify, and the noun for it. */
const COMMANDS = [
  { name: "verify", make: ["sign"], flags: [], noun: "signatures" },
  { name: "verify-attestation", make: ["attest", ...TYPE, "--predicate", "p"], flags: TYPE, noun: "attestations" },
] as const;
type Command = (typeof COMMANDS)[number];

async function workshop(t: TestContext, command: Command) {
  const shop = await storageWorkshop(t);
  writeFileSync(join(shop.cwd, "p"), "{}");
  writeFileSync(join(shop.cwd, "content"), "other");
  const other = (await shop.ok("sandbox", "push", "other:v1", "content")).stdout.trim();
  const [verb, ...rest] = command.make;
  const make = (image: string, ...flags: string[]) =>
    shop.ok(verb, "--key", "a.key", "-y", ...OFFLINE, ...rest, ...flags, image);
  const verify = (...argv: string[]) => shop.tsign(command.name, "--key", "a.pub", NO_LOG, ...command.flags, ...argv);
  return { ...shop, other, make, verify };
}

for (const command of COMMANDS) {
  test(`${command.name}: several images in any order -> all verified; one failure fails the command`, async (t) => {
    const { image, other, make, verify } = await workshop(t, command);
    await make(image);
    const only = await verify(image);
    assert.equal(only.code, 0, only.stderr);
    for (const images of [
      [image, other],
      [other, image],
    ]) {
      const both = await verify(...images);
      assert.equal(both.code, command.name === "verify" ? 10 : 1, both.stderr);
      assert.equal(both.stdout, only.stdout, "what is good of the good one is printed");
      assert.equal(both.stderr.match(new RegExp(`^Verification for ${image} --$`, "gm"))?.length, 1);
    }
    await make(other);
    assert.equal((await verify(other, image)).code, 0);
  });

  test(`${command.name}: nothing found -> names where ${command.noun} exist`, async (t) => {
    const { ok, image, other, ref, store, digest, env, make, verify } = await workshop(t, command);
    const child = {
      ...((await store.resolve(digest)) ?? assert.fail()),
      platform: { os: "linux", architecture: "arm" },
    };
    const index = await store.putManifest(
      Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests: [child] })),
      { mediaType: INDEX },
    );
    const hint = async (...argv: string[]) => {
      const { code, stderr } = await verify(...argv);
      assert.equal(code === 0, false);
      return /^hint: (.*)$/m.exec(stderr)?.[1];
    };
    const bare = (await hint(`${ref.name}@${index.digest}`)) ?? "";
    assert.ok(bare.includes(`\`tsign tree ${ref.name}@${index.digest}\``) && !bare.includes("COSIGN_REPOSITORY"), bare);
    await ok("save", "--dir", "bare", image);
    assert.match((await hint("--local-image", "bare")) ?? "", /in its registry, and save it again with `tsign save`$/);
    await make(image);
    assert.match((await hint(`${ref.name}@${index.digest}`)) ?? "", new RegExp(`^verify ${image}: .* for linux/arm`));
    await ok("save", "--dir", "multi", `${ref.name}@${index.digest}`);
    assert.match(
      (await hint("--local-image", "multi")) ?? "",
      new RegExp(`\`tsign load\`, and verify ${digest}: .* for linux/arm`),
    );
    assert.match((await hint(LEGACY, image)) ?? "", /^leave out --new-bundle-format=false/);
    assert.match((await hint(LEGACY, other)) ?? "", /`tsign tree /);
    await ok("save", "--dir", "saved", image);
    assert.match((await hint("--local-image", LEGACY, "saved")) ?? "", /leave out --new-bundle-format=false/);
    assert.equal((await verify("--local-image", "saved")).code, 0);
    env["COSIGN_REPOSITORY"] = `${ref.name}-elsewhere`;
    assert.match((await hint(image)) ?? "", /^check COSIGN_REPOSITORY: .*-elsewhere$/);
  });
}
