import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { copyFileSync, cpSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { DEFAULT_LIMITS, runEngine } from "../../src/policy/engine.ts";
import { testIo } from "../support/test-io.ts";
import { COSIGN, folder, must, NO_LOG, OFFLINE, pushImage, registries, run, TSIGN } from "./support.ts";

const OWN = join(import.meta.dirname, "policies");
const SHARED = join(process.env["TSIGN_SHARED"] ?? resolve(import.meta.dirname, "../../../shared"), "policies");
/** cosign converts numbers to doubles before it evaluates the policy, which gets 9007199254740992 in place of …993. */
const COSIGN_SAYS_NO = ["beyond-doubles.pass.cue"];
const TYPE = "https://example.com/t";

/** An image with one attestation of a predicate by a.key, and a function that verifies it. */
async function attested(context: Parameters<typeof folder>[0], predicate: unknown) {
  const cwd = folder(context);
  const { ref } = await registries(context);
  await must(TSIGN, ["generate-key-pair", "--output-key-prefix", "a"], { cwd });
  writeFileSync(join(cwd, "predicate.json"), typeof predicate === "string" ? predicate : JSON.stringify(predicate));
  const image = await pushImage(ref, "app", cwd);
  const about = ["--type", TYPE, "--predicate", "predicate.json"];
  await must(TSIGN, ["attest", "--key", "a.key", ...OFFLINE, ...about, image], { cwd });
  const verify = (program: string, ...policies: string[]) => {
    const flags = policies.flatMap((path) => ["--policy", path]);
    return run(program, ["verify-attestation", "--key", "a.pub", NO_LOG, "--type", TYPE, ...flags, image], { cwd });
  };
  return { cwd, verify };
}

test("own policies: verdict in their names, with tsign and cosign", async (t) => {
  const { cwd, verify } = await attested(t, readFileSync(join(OWN, "predicate.json"), "utf8"));
  const names = readdirSync(OWN).filter((name) => /\.(pass|fail)\.(cue|rego)$/.test(name));
  assert.ok(names.length >= 10);
  for (const name of names) {
    copyFileSync(join(OWN, name), join(cwd, name));
    const passes = name.includes(".pass.");
    for (const program of [TSIGN, COSIGN]) {
      const { code, stdout, stderr } = await verify(program, name);
      const expected = passes && !(program === COSIGN && COSIGN_SAYS_NO.includes(name));
      assert.equal(code === 0, expected, `${program} ${name}: ${stderr}`);
      if (program !== TSIGN) continue;
      assert.equal(stdout !== "", passes, name);
      if (!passes) assert.match(stderr, new RegExp(`- ${name.replaceAll(".", "\\.")}`), "it names the file");
    }
  }
  const pass = names.filter((name) => name.includes(".pass."));
  const [fail = ""] = names.filter((name) => name.includes(".fail."));
  for (const program of [TSIGN, COSIGN]) {
    const both = pass.filter((name) => !COSIGN_SAYS_NO.includes(name));
    assert.equal((await verify(program, ...both)).code, 0);
    assert.notEqual((await verify(program, ...pass, fail)).code, 0, "one that fails among those that pass");
  }
});

test("shared policies: same verdict from tsign and cosign", async (t) => {
  const { predicate } = JSON.parse(readFileSync(join(SHARED, "payload.json"), "utf8"));
  const { cwd, verify } = await attested(t, predicate);
  cpSync(SHARED, cwd, { recursive: true });
  const paths = (readdirSync(SHARED, { recursive: true }) as string[]).filter((name) => /\.(cue|rego)$/.test(name));
  const verdicts = { pass: 0, fail: 0 };
  for (const path of paths) {
    if (/cue\.mod/.test(path)) continue;
    const ours = await verify(TSIGN, path);
    const theirs = await verify(COSIGN, path);
    assert.equal(ours.code, theirs.code, `${path}: tsign: ${ours.stderr}\ncosign: ${theirs.stderr}`);
    verdicts[ours.code === 0 ? "pass" : "fail"]++;
  }
  const together = [TSIGN, COSIGN].map((program) => verify(program, "c-pa.cue", "c-pb.cue", "r-print.rego"));
  const [ours, theirs] = await Promise.all(together);
  assert.equal(ours?.code, theirs?.code, "several at once");
  assert.ok(verdicts.pass >= 5 && verdicts.fail >= 10, JSON.stringify(verdicts));
});

test("policy that loops or is missing -> refused", async (t) => {
  const { cwd, verify } = await attested(t, {});
  writeFileSync(
    join(cwd, "loop.rego"),
    "package signature\n\nallow { count({[a, b, c] | a := numbers.range(1, 3000)[_]; b := numbers.range(1, 3000)[_]; c := numbers.range(1, 3000)[_]}) > 0 }\n",
  );
  const looping = await verify(TSIGN, "loop.rego");
  assert.notEqual(looping.code, 0);
  assert.match(looping.stderr, /loop\.rego/);
  assert.notEqual((await verify(TSIGN, "missing.cue")).code, 0);
});

/** CUE files, and sets of them in which one file requires nothing or is left out by its name. */
const EFFECTS: Readonly<Record<string, string>> = {
  "good.cue": "predicate: a: 1\n",
  "strict_test.cue": "predicate: a: 2\n",
  "strict_tool.cue": "predicate: a: 2\n",
  "excluded.cue": "@if(never)\n\npackage p\n\npredicate: a: 2\n",
  "good_p.cue": "package p\n\npredicate: a: 1\n",
  "empty.cue": "",
  "comment.cue": "// to be written\n",
  "definitions.cue": "#Predicate: a: 2\n",
  "hidden.cue": "_predicate: a: 2\n",
  "anything.cue": "predicate: {#Strict: a: 2}\n",
  "uses_p.cue": "package p\n\npredicate: #Predicate\n",
  "definitions_p.cue": "package p\n\n#Predicate: {a: 1, ...}\n",
  "stricter_p.cue": "package p\n\n#Predicate: {a: 2, ...}\n",
};
const WITHOUT_EFFECT: readonly (readonly string[])[] = [
  ["good.cue", "strict_test.cue"],
  ["good.cue", "strict_tool.cue"],
  ["good_p.cue", "excluded.cue"],
  ["empty.cue"],
  ["comment.cue"],
  ["definitions.cue"],
  ["good.cue", "empty.cue"],
  ["good.cue", "definitions.cue"],
  ["good.cue", "hidden.cue"],
  ["good.cue", "anything.cue"],
  ["good_p.cue", "stricter_p.cue"],
];

test("policy without effect on the verdict -> refused, where cosign accepts", async (t) => {
  const { cwd, verify } = await attested(t, { a: 1 });
  for (const [name, text] of Object.entries(EFFECTS)) writeFileSync(join(cwd, name), text);
  assert.equal((await verify(TSIGN, "good.cue")).code, 0);
  assert.equal((await verify(TSIGN, "uses_p.cue", "definitions_p.cue")).code, 0, "definitions that another file uses");
  assert.notEqual((await verify(TSIGN, "uses_p.cue", "stricter_p.cue")).code, 0, "and that the statement does not fit");
  for (const policies of WITHOUT_EFFECT) {
    const ours = await verify(TSIGN, ...policies);
    assert.notEqual(ours.code, 0, policies.join(", "));
    assert.match(ours.stderr, /leaves this file out|requires nothing/);
    assert.equal((await verify(COSIGN, ...policies)).code, 0, `cosign does otherwise with ${policies.join(", ")}`);
  }
});

/** Rego files, and those that the error names; none if all of them allow. */
const SETS: readonly { files: Readonly<Record<string, string>>; refused?: readonly string[]; cosign: boolean }[] = [
  { files: { "yes.rego": "allow { input.predicate.a == 1 }" }, cosign: true },
  {
    files: { "yes.rego": "allow { input.predicate.a == 1 }", "no.rego": "allow { input.predicate.a == 2 }" },
    refused: ["no.rego"],
    cosign: true,
  },
  {
    files: { "no.rego": "default allow = false\nallow { input.predicate.a == 2 }", "yes.rego": "allow = true" },
    refused: ["no.rego"],
    cosign: true,
  },
  { files: { "default.rego": "default allow = true" }, refused: ["default.rego"], cosign: true },
  {
    files: { "default.rego": "default allow = true", "no.rego": "allow { input.predicate.a == 2 }" },
    refused: ["default.rego"],
    cosign: true,
  },
  {
    files: { "default.rego": "default allow = false", "yes.rego": "allow { input.predicate.a == 1 }" },
    refused: ["default.rego"],
    cosign: true,
  },
  {
    files: { "library.rego": "package library\nok { input.predicate.a == 1 }", "yes.rego": "allow = true" },
    refused: ["library.rego"],
    cosign: true,
  },
  {
    files: {
      "library.rego": "package library\nok { input.predicate.a == 1 }",
      "yes.rego": "import data.library\nallow { library.ok }",
    },
    cosign: true,
  },
  {
    files: {
      "library.rego": "package library\nok { input.predicate.a == 2 }",
      "no.rego": "import data.library\nallow { library.ok }",
    },
    refused: ["no.rego"],
    cosign: false,
  },
  {
    files: {
      "inner.rego": "package inner\nok { input.predicate.a == 1 }",
      "outer.rego": "package outer\nimport data.inner\nok { inner.ok }",
      "yes.rego": "allow { data.outer.ok }",
    },
    cosign: true,
  },
  {
    files: {
      "inner.rego": "package inner\nok { input.predicate.a == 1 }",
      "outer.rego": "package outer\nimport data.inner\nok { inner.ok }",
      "yes.rego": "allow = true",
    },
    refused: ["inner.rego", "outer.rego"],
    cosign: true,
  },
  { files: { "helper.rego": "fits { input.predicate.a == 1 }", "yes.rego": "allow { fits }" }, cosign: true },
  {
    files: { "helper.rego": "fits { input.predicate.a == 2 }", "yes.rego": "allow = true" },
    refused: ["helper.rego"],
    cosign: true,
  },
  {
    files: {
      "helper.rego": "fits { input.predicate.a == 1 }",
      "no.rego": "fits { input.predicate.a == 2 }\nallow { fits }",
    },
    refused: ["helper.rego"],
    cosign: true,
  },
  {
    files: { "one.rego": "fits { input.predicate.a == 1 }\nallow { fits }", "two.rego": "allow { fits }" },
    refused: ["two.rego"],
    cosign: true,
  },
  {
    files: {
      "one.rego": "strict { input.predicate.a == 1 }\nallow = true",
      "two.rego": "allow { not data.signature.strict }",
    },
    refused: ["two.rego"],
    cosign: true,
  },
];

test("Rego: every file of package signature must allow; unused libraries -> refused", async (t) => {
  const { cwd, verify } = await attested(t, { a: 1 });
  for (const { files, refused, cosign } of SETS) {
    const names = Object.keys(files);
    for (const [name, text] of Object.entries(files)) {
      writeFileSync(join(cwd, name), text.startsWith("package ") ? `${text}\n` : `package signature\n${text}\n`);
    }
    for (const order of [names, names.toReversed()]) {
      const ours = await verify(TSIGN, ...order);
      assert.equal(ours.code === 0, refused === undefined, `${JSON.stringify(files)}: ${ours.stderr}`);
      for (const name of refused ?? []) assert.match(ours.stderr, new RegExp(`^- ${name.replace(".", "\\.")}:`, "m"));
    }
    assert.equal((await verify(COSIGN, ...names)).code === 0, cosign, `cosign: ${JSON.stringify(files)}`);
  }
});

test("CUE and Rego policies together: all must allow", async (t) => {
  const { cwd, verify } = await attested(t, { a: 1 });
  for (const value of [1, 2]) {
    writeFileSync(join(cwd, `is${value}.cue`), `predicate: a: ${value}\n`);
    writeFileSync(join(cwd, `is${value}.rego`), `package signature\nallow { input.predicate.a == ${value} }\n`);
  }
  assert.equal((await verify(TSIGN, "is1.rego", "is1.cue")).code, 0);
  assert.match((await verify(TSIGN, "is1.rego", "is2.cue")).stderr, /^- is2\.cue/m);
  assert.match((await verify(TSIGN, "is2.rego", "is1.cue")).stderr, /^- is2\.rego/m);
  assert.notEqual((await verify(TSIGN, "is2.rego", "is1.cue", "is1.rego")).code, 0);
});

interface PolicyCase {
  readonly files: Readonly<Record<string, string>>;
  /** The folder that imports refer to. */
  readonly cwd: string;
  readonly predicates: readonly unknown[];
}

/** Every policy of the folders by itself, and every set of files of this suite. */
function allPolicies(): PolicyCase[] {
  const alone = [
    { cwd: OWN, predicate: JSON.parse(readFileSync(join(OWN, "predicate.json"), "utf8")) },
    { cwd: SHARED, predicate: JSON.parse(readFileSync(join(SHARED, "payload.json"), "utf8")).predicate },
  ].flatMap(({ cwd, predicate }) =>
    (readdirSync(cwd, { recursive: true }) as string[])
      .filter((name) => /\.(cue|rego)$/.test(name))
      .map((name) => ({ files: { [name]: readFileSync(join(cwd, name), "utf8") }, cwd, predicates: [predicate] })),
  );
  const inPackage = (text: string) => (text.startsWith("package ") ? text : `package signature\n${text}`);
  const sets = [
    ...SETS.map(({ files }) => Object.entries(files).map(([name, text]) => [name, inPackage(text)])),
    ...WITHOUT_EFFECT.map((names) => names.map((name) => [name, EFFECTS[name]])),
  ];
  const predicates = [{ a: 1 }, { a: 2 }];
  return [...alone, ...sets.map((files) => ({ files: Object.fromEntries(files), cwd: OWN, predicates }))];
}

test("the native engine and the portable one give the same verdict and reasons for every policy", async () => {
  const verdicts = { yes: 0, no: 0 };
  for (const { files, cwd, predicates } of allPolicies()) {
    const sources = Object.entries(files).map(([path, text]) => ({ path, text }));
    const of = (extension: string) => sources.filter(({ path }) => path.endsWith(extension));
    for (const predicate of predicates) {
      const statement = Buffer.from(JSON.stringify({ predicateType: TYPE, predicate })).toString("base64");
      const request = { statement, cwd, cue: of(".cue"), rego: of(".rego") };
      const [native, portable] = await Promise.all(
        (["native", "portable"] as const).map((form) =>
          runEngine({ ...testIo(), cwd }, request, DEFAULT_LIMITS, [form]),
        ),
      );
      assert.deepEqual(native, portable, `${Object.keys(files).join(", ")}: ${JSON.stringify(predicate)}`);
      verdicts[native?.ok ? "yes" : "no"]++;
    }
  }
  assert.ok(verdicts.yes >= 15 && verdicts.no >= 45, JSON.stringify(verdicts));
});

test("the engine ends at its limits of time and memory", async () => {
  const text = (body: string) => [{ path: "greedy.rego", text: `package signature\n\nallow { ${body} }\n` }];
  const statement = Buffer.from("{}").toString("base64");
  const request = (body: string) => ({ statement, cwd: "/", cue: [], rego: text(body) });
  const numbers = "a := numbers.range(1, 3000)[_]; b := numbers.range(1, 3000)[_]; c := numbers.range(1, 3000)[_]";
  const endless = request(`count({[a, b, c] | ${numbers}}) > 0`);
  const limits = { milliseconds: 2000, mebibytes: 4096 };
  const large = request("count(numbers.range(1, 1000000000)) > 0");
  const small = { milliseconds: 60_000, mebibytes: 256 };
  for (const form of ["native", "portable"] as const) {
    await assert.rejects(runEngine(testIo(), endless, limits, [form]), { code: "limit", message: /seconds/ }, form);
    await assert.rejects(runEngine(testIo(), large, small, [form]), { code: "limit", message: /256 MiB/ }, form);
  }
});

test("the native engine cannot write files or start programs once it has confined itself", async () => {
  const env = { ...process.env, CGO_ENABLED: "0", GOFLAGS: "-mod=readonly", GOWORK: "off" };
  const cwd = join(import.meta.dirname, "../../policy-engine");
  const args = ["test", "-count=1", "-v", "-run", "TestConfine", "."];
  const { stdout } = await promisify(execFile)("go", args, { cwd, env });
  assert.match(stdout, /^--- PASS: TestConfine /m);
});
