import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { type TestContext, test } from "node:test";
import { parseAllDocuments } from "yaml";
import { TsignError } from "../src/errors.ts";
import { parseConfig } from "../src/monitor/config.ts";
import { factory, MINUTES } from "./support/monitor-factory.ts";
import { FOUND, WELL } from "./support/monitor-workshop.ts";
import { run } from "./support/test-io.ts";

const ROOT = resolve(import.meta.dirname, "..");
const text = (path: string) => readFileSync(join(ROOT, path), "utf8");
const blocks = (language: string) =>
  [...text("docs/monitor.md").matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, "gms"))].map(
    ([, block = ""]) => block,
  );

/** The sandbox in place of the addresses of an example, and a service that ends after its first look. */
async function surroundings(t: TestContext) {
  const shop = await factory(t);
  const { cwd, sigstore, repository } = shop;
  const adapted = (example: string) => {
    const config = JSON.parse(
      example
        .replaceAll("registry.example.com/acme/app", repository)
        .replaceAll("https://accounts.google.com", sigstore.at.issuer),
    );
    return JSON.stringify({ ...config, trustedRoot: join(cwd, "root.json") });
  };
  const sign = async () => {
    writeFileSync(join(cwd, "file"), "content");
    const argv = ["sign-blob", "--yes", "--identity-token", sigstore.mint("alice@example.com")];
    await shop.ok(...argv, "--signing-config=rekor2.json", "--trusted-root=root.json", "--bundle=b.json", "file");
    shop.clock.now = new Date(shop.clock.now.getTime() + 11 * MINUTES);
  };
  const start = (argv: readonly string[], env: Record<string, string> = {}) => {
    const sleep = async (milliseconds: number, signal?: AbortSignal) => {
      if (milliseconds === 5 * MINUTES) throw new TsignError("cancelled", "interrupted", { exitCode: 130 });
      return shop.io.sleep(milliseconds, signal);
    };
    return run([...argv], { cwd, env, io: { ...shop.io, sleep } });
  };
  return { ...shop, adapted, sign, start };
}

test("docs/monitor.md: configurations -> read", () => {
  const configurations = blocks("json");
  assert.ok(configurations.length >= 2);
  for (const block of configurations) assert.equal(parseConfig(Buffer.from(block), "docs").version, 1);
});

test("docs/monitor.md: the five lines -> a state, a look, a finding acknowledged, a service", async (t) => {
  const { cwd, adapted, sign, start } = await surroundings(t);
  const [block = assert.fail()] = blocks("sh");
  const [echo = "", ...lines] = block.trim().split("\n");
  assert.equal(lines.length, 4, "five lines");
  const [, config = assert.fail(echo), name = ""] = /^echo '(.+)' > (\S+)$/.exec(echo) ?? [];
  writeFileSync(join(cwd, name), adapted(config));
  const words = (line: string) =>
    [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare ?? "");
  const [init = [], once = [], ack = [], service = []] = lines.map((line) => {
    const [program, ...argv] = words(line);
    assert.equal(program, "tsign");
    return argv;
  });
  assert.equal((await start(init)).code, WELL);
  assert.equal((await start(once)).code, WELL);
  await sign();
  assert.equal((await start(once)).code, WELL, "the first look finds it, and waits for its signature");
  const { findings } = JSON.parse(readFileSync(join(cwd, ack[4] ?? ""), "utf8")).state;
  assert.equal(findings.length, 1);
  assert.equal((await start(ack.with(2, findings[0].id))).code, WELL);
  const ended = await start(service);
  assert.deepEqual([ended.code, ended.stderr], [130, "Error: interrupted\n"]);
  assert.match(ended.stdout, /consistent/);
});

interface Manifest {
  readonly kind: string;
  readonly data?: Record<string, string>;
  readonly stringData?: Record<string, string>;
  readonly spec: {
    readonly replicas?: number;
    readonly strategy?: { readonly type: string };
    readonly template: { readonly spec: PodSpec };
  };
}

interface PodSpec {
  readonly containers: readonly [
    {
      readonly args: readonly string[];
      readonly volumeMounts: readonly { name: string; mountPath: string }[];
      readonly securityContext: object;
    },
  ];
  readonly volumes: readonly { name: string }[];
  readonly securityContext: { readonly runAsNonRoot: boolean };
}

test("examples/monitor/kubernetes.yaml: the Job creates the state, the Deployment looks, with the files of its volumes", async (t) => {
  const { cwd, adapted, sign, start } = await surroundings(t);
  const documents = parseAllDocuments(text("examples/monitor/kubernetes.yaml"), { strict: true });
  const manifests = documents.map((document) => {
    assert.deepEqual(document.errors, []);
    return document.toJS() as Manifest;
  });
  const of = (kind: string) => manifests.find((each) => each.kind === kind) ?? assert.fail(kind);
  const env = of("Secret").stringData ?? assert.fail("no secret");
  for (const folder of ["state", "config"]) mkdirSync(join(cwd, folder));
  for (const [name, content] of Object.entries(of("ConfigMap").data ?? {})) {
    assert.equal(parseConfig(Buffer.from(content), name).reports?.webhooks?.length, 1);
    writeFileSync(join(cwd, "config", name), adapted(content));
  }
  const { replicas, strategy } = of("Deployment").spec;
  assert.deepEqual([replicas, strategy?.type], [1, "Recreate"], "one monitor uses the state");
  const commands = [of("Job"), of("Deployment")].map(({ spec }) => {
    const { containers, volumes, securityContext } = spec.template.spec;
    const [{ args, volumeMounts, securityContext: locked }] = containers;
    assert.ok(securityContext.runAsNonRoot);
    assert.deepEqual(locked, {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
    });
    assert.deepEqual(
      volumeMounts.map(({ name }) => name),
      volumes.map(({ name }) => name),
    );
    for (const { mountPath } of volumeMounts)
      assert.ok(
        args.some((arg) => arg.includes(`=${mountPath}/`)),
        mountPath,
      );
    return args.map((arg) => arg.replace(/=\/(state|config)\//, `=${cwd}/$1/`));
  });
  const [init = [], service = []] = commands;
  assert.equal((await start(service, env)).code, 1, "without a state");
  assert.equal((await start(init, env)).code, 0);
  assert.equal((await start(init, env)).code, 1, "a second Job replaces nothing");
  const ended = await start(service, env);
  assert.equal(ended.code, 130, ended.stderr);
  await sign();
  assert.match((await start(service, env)).stdout, /"type":"log".*"outcome":"consistent"/);
});

test("examples/monitor/github.yml: the step looks, and the state is kept also after a finding", async (t) => {
  const { cwd, adapted, sign, start, clock } = await surroundings(t);
  const [document = assert.fail()] = parseAllDocuments(text("examples/monitor/github.yml"), { strict: true });
  assert.deepEqual(document.errors, []);
  const workflow = document.toJS() as {
    permissions: object;
    jobs: { look: { steps: { uses?: string; name?: string; run?: string; if?: string }[] } };
  };
  assert.deepEqual(workflow.permissions, { contents: "write" });
  const { steps } = workflow.jobs.look;
  for (const { uses } of steps) if (uses !== undefined) assert.match(uses, /@([0-9a-f]{40}|COMMIT)$/);
  const look = steps.find(({ name }) => name === "Look")?.run ?? assert.fail("no look");
  const summary = join(cwd, "summary.md");
  const argv = look
    .replace(/^tsign /, "")
    .split(" ")
    .map((word) => word.replace('"$GITHUB_STEP_SUMMARY"', summary));
  writeFileSync(
    join(cwd, "monitor-config.json"),
    adapted('{"version":1,"identities":[{"identity":"alice@example.com","issuer":"https://accounts.google.com"}]}'),
  );
  assert.equal((await start(["monitor", "init", "--state=monitor.json", "--config=monitor-config.json"])).code, 0);
  const env = { GITHUB_STEP_SUMMARY: summary };
  assert.equal((await start(argv, env)).code, WELL);
  await sign();
  clock.now = new Date(clock.now.getTime() + 11 * MINUTES);
  assert.equal((await start(argv, env)).code, FOUND);
  assert.match(readFileSync(summary, "utf8"), /0 findings[\s\S]+1 finding and 0 alarms/, "the summaries of both looks");
  const keep = steps.find(({ name }) => name === "Keep the state") ?? assert.fail("the state is not kept");
  assert.equal(keep.if, "always()");
  const git = (...args: string[]) => execFileSync("git", ["-C", cwd, ...args], { encoding: "utf8" });
  git("init", "--quiet", "--bare", "origin.git");
  git("init", "--quiet", "--initial-branch=main");
  git("remote", "add", "origin", join(cwd, "origin.git"));
  git("config", "push.autoSetupRemote", "true");
  for (let each = 0; each < 2; each++) execFileSync("sh", ["-e", "-c", keep.run ?? ""], { cwd });
  assert.equal(git("ls-tree", "--name-only", "origin/main"), "monitor.json\n");
  assert.equal(git("rev-list", "--count", "origin/main"), "1\n", "an unchanged state is not committed");
});
