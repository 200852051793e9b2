import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { ImagesResult } from "../src/cli/reports/record.ts";
import { jsonAnswer } from "./support/json-answer.ts";
import { assertJunit, assertSarif } from "./support/report-checks.ts";
import { testSigstore } from "./support/sandbox.ts";
import { storageWorkshop } from "./support/storage.ts";
import { NO_LOG, OFFLINE, type Outcome, run } from "./support/test-io.ts";

/** Days of a release engineer: images are verified before they are copied to production, and a refusal is explained. */

const PIPELINE = "https://ci.example/acme/release";

/** Three images of a deployment, of which the pipeline signed two. */
async function workshop(t: TestContext) {
  const shop = await storageWorkshop(t);
  const { ok, cwd, env } = shop;
  const push = async (name: string) => {
    writeFileSync(join(cwd, "content"), name);
    return (await ok("sandbox", "push", `staging/${name}:v1`, "content")).stdout.trim().replace(/@.*/, ":v1");
  };
  const images = [await push("web"), await push("api"), await push("worker")];
  const list = ["# deployment", ...images].join("\n");
  writeFileSync(join(cwd, "images.txt"), `${list}\n`);
  const tsign = (...argv: string[]) => run(argv, { cwd, env });
  const read = (file: string) => readFileSync(join(cwd, file), "utf8");
  const sign = (image: string) => ok("sign", "--key=a.key", "-y", ...OFFLINE, image);
  return { ...shop, images, tsign, read, sign };
}

test("verify before promotion: one image is unsigned -> nothing is promoted, reports name it; signed -> the digests that verified are copied", async (t) => {
  const { images, tsign, read, sign, ok, cwd, env, registry } = await workshop(t);
  const [web = "", api = "", worker = ""] = images;
  await sign(web);
  await sign(api);
  env["GITHUB_STEP_SUMMARY"] = join(cwd, "summary");
  writeFileSync(join(cwd, "summary"), "");
  const reports = ["report.html", "report.sarif", "report.xml", join(cwd, "summary")].map((file) => `--report=${file}`);
  const check = () => tsign("verify", "--key=a.pub", NO_LOG, "--json", ...reports, "--from=images.txt");
  const answerOf = (outcome: Outcome) =>
    jsonAnswer(outcome, "verify").document as {
      ok: boolean;
      result: ImagesResult;
      error?: { code: string; hint?: string };
    };

  const refused = await check();
  assert.equal(refused.code, 10);
  const first = answerOf(refused);
  assert.equal(first.error?.code, "no-signatures");
  const bad = first.result.images.filter(({ state }) => state !== "verified");
  assert.deepEqual(
    bad.map(({ image, state, error }) => [image, state, error?.code]),
    [[worker, "unsigned", "no-signatures"]],
  );
  assertJunit(read("report.xml"));
  assertSarif(JSON.parse(read("report.sarif")));
  assert.match(read("report.xml"), /tests="3" failures="1" errors="0"/);
  assert.match(read("summary"), /^## 2 of 3 images verified, 1 unsigned$/m);
  assert.ok(read("report.html").includes("✗ unsigned</span> ".concat(worker)));

  await sign(worker);
  const passed = answerOf(await check());
  assert.ok(passed.ok);
  assert.match(read("summary"), /^## 3 of 3 images verified$/m, "the step's second summary follows the first");
  for (const { image, pinned = "" } of passed.result.images) {
    await ok("copy", pinned, image.replace("/staging/", "/production/"));
  }
  const production = passed.result.images.map(({ pinned = "" }) => pinned.replace("/staging/", "/production/"));
  assert.ok(production.every((image) => image.startsWith(registry)));
  assert.equal((await tsign("verify", "--key=a.pub", NO_LOG, ...production)).code, 0);
  assert.equal((await tsign("verify", "--key=a.pub", NO_LOG, `${registry}/production/other:v1`)).code, 11);
});

test("why was this refused: --explain and --json name the nearest signature, the check, and the command that shows the signers", async (t) => {
  const { cwd, ok, images, env } = await workshop(t);
  const [image = ""] = images;
  const sigstore = await testSigstore();
  writeFileSync(join(cwd, "root.json"), sigstore.trustedRoot);
  writeFileSync(join(cwd, "config.json"), sigstore.signingConfig.rekor2);
  const tsign = (...argv: string[]) => run(argv, { cwd, env, io: sigstore.io });
  await ok("sign", "--key=a.key", "-y", ...OFFLINE, image); // found first, and refused at its first check
  for (const email of ["mallory@example.com", "release@example.com"]) {
    const token = ["--identity-token", sigstore.mint(email)];
    const signed = await tsign(
      "sign",
      "-y",
      ...token,
      "--signing-config=config.json",
      "--trusted-root=root.json",
      image,
    );
    assert.equal(signed.code, 0, signed.stderr);
  }
  const verify = (identity: string, ...more: string[]) =>
    tsign(
      ...["verify", "--trusted-root=root.json", `--certificate-identity=${identity}`],
      ...[`--certificate-oidc-issuer=${sigstore.at.issuer}`, ...more, image],
    );
  const refused = await verify(PIPELINE, "--explain");
  assert.equal(refused.code, 1, refused.stderr);
  const lines = refused.stderr.split("\n");
  const start = lines.findIndex((line) => line.endsWith("3 candidates"));
  assert.ok(start >= 0, refused.stderr);
  const tree = lines.slice(start);
  const at = (text: string) => tree.findIndex((line) => line.includes(text));
  assert.ok(at("identity: certificate identity mismatch") > 0);
  assert.match(tree.join("\n"), /mallory@example\.com/);
  assert.match(tree.join("\n"), /release@example\.com/);
  const last = tree.findLastIndex((line) => line.includes("-- x identity:"));
  assert.ok(at("key: signed with a key, not with a certificate") > last, "the nearest come first");

  const outcome = await verify(PIPELINE, "--json");
  const { document } = jsonAnswer(outcome, "verify");
  assert.equal(document.error?.fields["check"], "identity");
  assert.equal(document.error?.fields["expected"], PIPELINE);
  const [record] = document.result.images;
  assert.equal(record?.state, "refused");
  assert.equal(record?.signatures[0]?.failure?.check, "identity");
  const command = /`tsign ([^`]+)`/.exec(document.error?.hint ?? "")?.[1] ?? assert.fail(document.error?.hint);
  const shown = await tsign(...command.split(" "));
  assert.equal(shown.code, 0, shown.stderr);
  assert.match(shown.stdout, /release@example\.com/);
  assert.equal((await verify("release@example.com")).code, 0);
});
