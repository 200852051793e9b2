import assert from "node:assert/strict";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, test } from "node:test";
import { TOOLS } from "../../scripts/tools.ts";
import { run } from "./support.ts";

/** The packed library in an empty project: programs are compiled against it and run on every supported Node. */
const ROOT = resolve(import.meta.dirname, "../..");
/** Versions of Node in addition to the bundled one. */
const NODES = { 22: "22.23.5", 24: "24.22.3" };
const DEVELOPMENT = ["typescript@5.9.3", "@types/node@22.20.7"];

const STRICT = {
  target: "es2022",
  lib: ["es2023", "esnext.disposable"],
  types: ["node"],
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  noPropertyAccessFromIndexSignature: true,
  verbatimModuleSyntax: true,
  skipLibCheck: false,
};
const RESOLUTIONS = {
  nodenext: { module: "nodenext", moduleResolution: "nodenext" },
  bundler: { module: "esnext", moduleResolution: "bundler" },
};

const project = mkdtempSync(join(tmpdir(), "tsign-suite-library-"));
after(() => rmSync(project, { recursive: true }));

async function npm(cwd: string, ...args: readonly string[]): Promise<string> {
  const quiet = ["--no-audit", "--no-fund", "--loglevel=error"];
  const given = Object.entries(process.env).filter((each): each is [string, string] => each[1] !== undefined);
  const env = Object.fromEntries(given.filter(([name]) => !name.startsWith("npm_package_"))); // its way to the registry
  const { code, stdout, stderr } = await run("npm", [...args, ...quiet], { cwd, env });
  assert.equal(code, 0, `npm ${args.join(" ")}: ${stderr}`);
  return stdout;
}

/** Returns the path of a version of Node, which is kept with the tools of the suites. */
async function nodeOf(version: string): Promise<string> {
  const name = `node-${process.platform}-${process.arch}`;
  const cwd = join(TOOLS, `node-${version}`);
  const binary = join(cwd, "node_modules", name, "bin/node");
  if (!existsSync(binary)) {
    mkdirSync(cwd, { recursive: true });
    writeFileSync(join(cwd, "package.json"), "{}");
    await npm(cwd, "install", `${name}@${version}`);
  }
  return binary;
}

/** Compiles programs of the project into `out-<resolution>`. */
async function compile(resolution: keyof typeof RESOLUTIONS, ...files: readonly string[]) {
  const compilerOptions = { ...STRICT, ...RESOLUTIONS[resolution], outDir: `out-${resolution}`, noEmitOnError: true };
  writeFileSync(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions, files }));
  return run("node_modules/.bin/tsc", ["-p", "."], { cwd: project });
}

before(async () => {
  assert.ok(existsSync(join(ROOT, "dist/lib/index.mjs")), "the library is not built: node build.ts");
  const [packed] = JSON.parse(await npm(ROOT, "pack", "--ignore-scripts", "--json", "--pack-destination", project));
  writeFileSync(join(project, "package.json"), JSON.stringify({ type: "module", private: true }));
  const tarball = join(project, packed.filename);
  await npm(project, "install", "--ignore-scripts", "--omit=optional", tarball, ...DEVELOPMENT);
  cpSync(join(import.meta.dirname, "library"), project, { recursive: true });
  cpSync(join(ROOT, "examples"), project, { recursive: true });
});

test("package: contains its exports; declarations need no other package", () => {
  const installed = join(project, "node_modules/tsign");
  const { exports } = JSON.parse(readFileSync(join(installed, "package.json"), "utf8"));
  const files = Object.values(exports).flatMap((each) =>
    typeof each === "string" ? each : Object.values(each as object),
  );
  assert.equal(files.length, 15);
  for (const file of files) assert.ok(existsSync(join(installed, String(file))), String(file));
});

for (const resolution of ["nodenext", "bundler"] as const) {
  test(`package: strict program compiles with ${resolution}`, async () => {
    const { code, stdout } = await compile(resolution, "program.ts", "sandbox.test.ts");
    assert.equal(code, 0, stdout);
  });
}

test("package: wrong uses -> compiler errors", async () => {
  const { code, stdout } = await compile("nodenext", "wrong.ts");
  assert.notEqual(code, 0);
  const lines = readFileSync(join(project, "wrong.ts"), "utf8").split("\n");
  const expected = lines.flatMap((line, index) => (/^(const|await|\()/.test(line) ? [index + 1] : []));
  const found = new Set([...stdout.matchAll(/^wrong\.ts\((\d+),/gm)].map(([, line]) => Number(line)));
  assert.equal(expected.length, 10);
  assert.deepEqual([...found], expected, stdout);
});

for (const [major, version] of [["26", ""], ...Object.entries(NODES)] as const) {
  test(`package: verifies, signs and refuses on Node ${major}`, async () => {
    const node = version === "" ? join(ROOT, "node_modules/.bin/node") : await nodeOf(version);
    const ran = await run(node, ["out-nodenext/program.js"], { cwd: project });
    assert.equal(ran.code, 0, ran.stderr);
    assert.match(ran.stdout, new RegExp(`^verified on v${major}\\.`));
    assert.equal(ran.stderr, "", "it warns");
    const example = await run(node, ["--test", "out-nodenext/sandbox.test.js"], { cwd: project });
    assert.equal(example.code, 0, example.stdout);
  });
}
