import assert from "node:assert/strict";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { TsignError } from "../src/errors.ts";
import { systemFiles } from "../src/io/files.ts";
import { sayingWorld } from "./support/every-command.ts";
import { assertSchema } from "./support/json-answer.ts";
import { writeKeyPairs } from "./support/key-pairs.ts";
import { assertCodeQuality, assertJunit, assertSarif } from "./support/report-checks.ts";
import { storageWorkshop } from "./support/storage.ts";
import { NO_LOG, OFFLINE, run, temporaryFolder } from "./support/test-io.ts";

const QUALITY = "gl-code-quality-report.json";
const FILES = ["out.html", "out.json", "out.md", "out.sarif", "out.xml", QUALITY] as const;
/** Reference that is markup in every format, and no image. */
const HOSTILE = `registry.example/"'><script>alert(1)</script>|\`x\`[a](b)]]>&\u0001\u202e:v1`;

async function workshop(t: TestContext) {
  const shop = await storageWorkshop(t);
  const { ok, cwd, tsign, registry } = shop;
  const push = async (name: string) => {
    writeFileSync(join(cwd, "content"), name);
    return (await ok("sandbox", "push", `${name}:v1`, "content")).stdout.trim();
  };
  const good = await push("good");
  const unsigned = await push("unsigned");
  await ok("sign", "--key", "a.key", "-y", ...OFFLINE, good);
  const missing = `${registry}/missing:v1`;
  const reports = FILES.flatMap((file) => ["--report", file]);
  const verify = (...argv: string[]) => tsign("verify", "--key", "a.pub", NO_LOG, ...argv);
  const read = (file: string) => readFileSync(join(cwd, file), "utf8");
  return { ...shop, good, unsigned, missing, reports, verify, read };
}

test("reports: every format is written, for failures too, and names every image with its state", async (t) => {
  const { good, unsigned, missing, reports, verify, read } = await workshop(t);
  const { code } = await verify(...reports, good, unsigned, missing, "localhost:9/dead:v1");
  assert.equal(code, 10);
  const json = JSON.parse(read("out.json"));
  assertSchema(json, "images.json#/$defs/result");
  assert.deepEqual(
    json.images.map(({ state }: { state: string }) => state),
    ["verified", "unsigned", "not-found", "unchecked"],
  );
  assertSarif(JSON.parse(read("out.sarif")));
  assertJunit(read("out.xml"));
  const issues = JSON.parse(read(QUALITY));
  assertCodeQuality(issues);
  assert.deepEqual(
    issues.map(({ check_name }: { check_name: string }) => check_name),
    ["image-unsigned", "image-not-found", "image-unchecked"],
  );
  const [run] = JSON.parse(read("out.sarif")).runs;
  assert.deepEqual(
    run.results.map(({ ruleId, level, kind }: Record<string, string>) => [ruleId, kind, level]),
    [
      ["image-verified", "pass", "none"],
      ["image-unsigned", "fail", "error"],
      ["image-not-found", "fail", "error"],
      ["image-unchecked", "fail", "error"],
    ],
  );
  for (const { ruleId, ruleIndex } of run.results) assert.equal(run.tool.driver.rules[ruleIndex].id, ruleId);
  const xml = read("out.xml");
  assert.match(xml, /<testsuites name="tsign" tests="4" failures="2" errors="1">/);
  assert.deepEqual(
    ["testcase", "failure", "error"].map((tag) => xml.split(`<${tag} `).length - 1),
    [4, 2, 1],
  );
  assert.match(read("out.md"), /^## 1 of 4 images verified, 1 unsigned, 1 not found, 1 not checked$/m);
  assert.equal(read("out.md").match(/^\| `/gm)?.length, 4);
  const page = read("out.html");
  assert.equal(page.match(/<article /g)?.length, 4);
  assert.match(page, /✓ <b>signature<\/b> passed/);
  assert.doesNotMatch(page, /(?:src|href)=/, "it loads nothing");
});

test("reports: text of strangers is escaped in every format", async (t) => {
  const { good, reports, verify, read } = await workshop(t);
  await verify(...reports, good, HOSTILE);
  assert.equal(JSON.parse(read("out.json")).images[1].image, HOSTILE);
  const page = read("out.html");
  assert.equal(page.split("<script>").length, 2, "only the page's own");
  assert.ok(page.includes("&#60;script&#62;alert(1)"));
  const xml = read("out.xml");
  assert.ok(!xml.includes("<script") && !xml.includes("]]>") && !xml.includes("\u0001"));
  assertJunit(xml);
  assertSarif(JSON.parse(read("out.sarif")));
  assertCodeQuality(JSON.parse(read(QUALITY)));
  const markdown = read("out.md");
  assert.ok(!markdown.includes("\u0001") && !markdown.includes("\u202e"));
  const items = markdown.split("\n").filter((line) => line.startsWith("- "));
  assert.ok(items.length > 0 && items.every((line) => !/(?<!\\)[<>`[\]|]/.test(line)), items.join("\n"));
  const row = markdown.split("\n").find((line) => line.startsWith("| ") && line.includes("script")) ?? "";
  assert.equal(row.match(/(?<!\\)\|/g)?.length, 6, row);
});

test("reports: a password that a registry quotes is in none of them", async (t) => {
  const cwd = temporaryFolder(t);
  writeKeyPairs(cwd, "a");
  const policy =
    "version: 1\nsigners: {a: {key: a.pub}}\nrules: [{images: r.example/**, signatures: {signers: a, log: insecure-skip}}]\n";
  writeFileSync(join(cwd, "policy.yaml"), policy);
  const login = ["--registry-username=bob", "--registry-password=pass-4711"];
  const errors = JSON.stringify({ errors: [{ code: "DENIED", message: "not with pass-4711" }] });
  const io = sayingWorld(cwd, () => ({ text: errors, status: 403 }));
  for (const how of [["--key=a.pub", NO_LOG], ["--trust-policy=policy.yaml"]]) {
    const reports = FILES.flatMap((file) => ["--report", file]);
    const { code } = await run(["verify", ...how, ...login, ...reports, "r.example/app:v1"], { cwd, io });
    assert.notEqual(code, 0);
    for (const file of FILES) {
      const text = readFileSync(join(cwd, file), "utf8");
      assert.ok(text.includes("not with ***") || text.includes("not with \\*\\*\\*"), text);
      assert.ok(!/pass\\?-4711/.test(text), file);
      rmSync(join(cwd, file));
    }
  }
});

test("reports: one that cannot be written is an error, or a warning after an image failed", async (t) => {
  const { good, unsigned, cwd, env, registry } = await workshop(t);
  writeFileSync(
    join(cwd, "policy.yaml"),
    `version: 1\nsigners: {a: {key: a.pub}}\nrules: [{images: "${registry}/**", signatures: {signers: a, log: insecure-skip}}]\n`,
  );
  const files = systemFiles(cwd);
  const full: typeof files = Object.create(files, {
    write: { value: () => Promise.reject(new TsignError("input", "write out.html: no space left on the device")) },
  });
  for (const how of [["--key=a.pub", NO_LOG], ["--trust-policy=policy.yaml"]]) {
    const verify = (image: string, report: string) =>
      run(["verify", ...how, "--report", report, image], { cwd, env, io: { files: full } });
    const passed = await verify(good, "out.html");
    assert.equal(passed.code, 1);
    assert.match(passed.stderr, /^Error: write out\.html: no space left on the device$/m);
    const failed = await verify(unsigned, "out.html");
    assert.match(failed.stderr, /^WARNING: write out\.html: no space left on the device$/m);
    assert.match(failed.stderr, /^Error: (?!write)/m);
    const wrong = await verify(good, "report.pdf");
    assert.equal(wrong.code, 1);
    assert.equal(wrong.stdout, "", wrong.stderr);
  }
});

test("reports: wrong names are refused before anything is verified; GitHub's summary is appended to", async (t) => {
  const { good, verify, cwd, env, read } = await workshop(t);
  for (const name of ["report.pdf", "report", "no-folder/report.html"]) {
    const { code, stdout } = await verify("--report", name, good);
    assert.equal(code, 1);
    assert.equal(stdout, "");
    assert.ok(!existsSync(join(cwd, name)));
  }
  const summary = join(cwd, "step_summary_1");
  writeFileSync(summary, "earlier\n");
  env["GITHUB_STEP_SUMMARY"] = summary;
  assert.equal((await verify("--report", summary, good)).code, 0);
  assert.match(read("step_summary_1"), /^earlier\n## 1 of 1 image verified\n/);
});

test("report checks: refuse what the schemas refuse", () => {
  const head =
    '<?xml version="1.0" encoding="UTF-8"?>\n<testsuites><testsuite name="a" tests="1" failures="0" errors="0">';
  const foot = "</testsuite></testsuites>";
  assertJunit(`${head}<testcase name="a"></testcase>${foot}`);
  for (const bad of [
    "<testcase></testcase>",
    "<image></image>",
    '<testcase name="a" digest="b"></testcase>',
    "a",
    "<testcase>",
    '<testcase name="a"></testcase><testcase name="b"></testcase>',
    '<testcase name="a"><failure message="x">y</failure></testcase>',
  ]) {
    assert.throws(() => assertJunit(`${head}${bad}${foot}`), bad);
  }
  const log = (result: object) => ({
    version: "2.1.0",
    runs: [{ tool: { driver: { name: "a" } }, results: [result] }],
  });
  assertSarif(log({ message: { text: "a" }, kind: "pass", level: "none" }));
  const wrong = [
    {},
    { message: { text: "[a](b)" } },
    { message: { text: "{0}" } },
    { message: { text: "a" }, kind: "pass", level: "error" },
  ];
  for (const bad of [...wrong, { message: { text: "a" }, image: "b" }]) assert.throws(() => assertSarif(log(bad)));
  assert.throws(() => assertSarif({ version: "2.0.0", runs: [] }));
  assert.throws(() => assertCodeQuality([{ description: "a" }]));
});
