import assert from "node:assert/strict";
import { copyFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { stringify } from "yaml";
import { TOOLS } from "../../scripts/tools.ts";
import { type Sandbox, setting, startSandbox } from "./faults-kit.ts";
import { folderWithKeys, must, OFFLINE, run, TSIGN } from "./support.ts";

const PROGRAMS = { cip: join(TOOLS, "exported-policies/policy-tester"), ivp: join(TOOLS, "exported-policies/kyverno") };
type Format = keyof typeof PROGRAMS;
const TYPE = "https://example.com/tests";
const DEV = "dev@example.com";
const MALLORY = "mallory@example.com";

/** A rule for the images of `app`, and what tsign accepts under it. */
interface Case {
  readonly demand: object;
  readonly accepted: string;
  /** Which formats can demand it. */
  readonly formats: readonly Format[];
  readonly command?: string;
}

const unlogged = (signers: unknown) => ({ signatures: { signers, log: "insecure-skip" } });
const CASES: Readonly<Record<string, Case>> = {
  key: { demand: unlogged("a"), accepted: "legacy both bundle twice", formats: ["cip", "ivp"] },
  "any of two keys": {
    demand: unlogged({ any: ["a", "b"] }),
    accepted: "legacy both bundle twice other-legacy other-bundle",
    formats: ["cip", "ivp"],
  },
  "both keys": { demand: unlogged({ all: ["a", "b"] }), accepted: "twice", formats: ["cip", "ivp"] },
  "legacy form": {
    demand: { signatures: { signers: "a", log: "insecure-skip", form: "legacy" } },
    accepted: "legacy both twice",
    formats: ["cip"],
  },
  attestation: {
    demand: { attestations: [{ type: TYPE, signers: "a", log: "insecure-skip" }] },
    accepted: "attested",
    formats: ["cip", "ivp"],
    command: "verify-attestation",
  },
  identity: { demand: { signatures: { signers: "dev" } }, accepted: "dev", formats: ["cip"] },
  "whatever is signed": { demand: { insecureAcceptAnything: true }, accepted: "*", formats: ["cip", "ivp"] },
  nothing: { demand: { refuse: "not now" }, accepted: "", formats: ["cip", "ivp"] },
};

/** policy-controller reads image signatures in the legacy form only, which the export says; Kyverno takes an attestation for one. */
const DIFFERENT: Readonly<Record<string, string>> = {
  "key, cip": "bundle",
  "key, ivp": "attested",
  "any of two keys, cip": "bundle other-bundle",
  "any of two keys, ivp": "attested other-attested",
};

/** Images by what is attached to them, and one that no rule matches. */
async function images(cwd: string, sandbox: Sandbox): Promise<Record<string, string>> {
  const pushed: Record<string, string> = {};
  const image = async (name: string, ...commands: readonly (readonly string[])[]) => {
    writeFileSync(join(cwd, "content"), `${name} ${Math.random()}`);
    const repository = name === "unmatched" ? name : `app/${name}`;
    const { stdout } = await must(TSIGN, ["sandbox", "push", `${repository}:v1`, "content"], { cwd, env: sandbox });
    pushed[name] = stdout.trim();
    for (const command of commands) await must(TSIGN, [...command, pushed[name]], { cwd });
  };
  const sign = (key: string, form: string) => ["sign", "--key", `${key}.key`, ...OFFLINE, "--format", form];
  const attest = (key: string) => [
    ...["attest", "--key", `${key}.key`, ...OFFLINE, "--format", "both"],
    ...["--type", TYPE, "--predicate", "predicate.json"],
  ];
  const person = async (email: string) => {
    const printed = await must(TSIGN, ["sandbox", "token", "--email", email], { cwd, env: sandbox });
    const services = ["--signing-config", setting(sandbox, "TSIGN_SANDBOX_SIGNING_CONFIG_REKOR1")];
    const identity = ["--identity-token", printed.stdout.trim(), "--trusted-root", "root.json"];
    return ["sign", "--yes", ...identity, ...services, "--format", "legacy"];
  };
  writeFileSync(join(cwd, "predicate.json"), '{"result":"passed"}');
  await image("unsigned");
  for (const form of ["legacy", "both", "bundle"]) await image(form, sign("a", form));
  for (const form of ["legacy", "bundle"]) await image(`other-${form}`, sign("b", form));
  await image("twice", sign("a", "both"), sign("b", "both"));
  await image("attested", attest("a"));
  await image("other-attested", attest("b"));
  await image("dev", await person(DEV));
  await image("mallory", await person(MALLORY));
  await image("unmatched", sign("a", "both"));
  return pushed;
}

interface TrustedRoot {
  readonly tlogs: readonly Log[];
  readonly ctlogs: readonly Log[];
  readonly certificateAuthorities: readonly {
    uri: string;
    certChain: { certificates: readonly { rawBytes: string }[] };
  }[];
}
interface Log {
  readonly baseUrl: string;
  readonly publicKey: { rawBytes: string; keyDetails: string };
}

/** policy-controller's TrustRoot with the content of a trusted root; it supports no Ed25519 log. */
function trustRoot(name: string, { tlogs, ctlogs, certificateAuthorities }: TrustedRoot): object {
  const pem = (kind: string, raw: string) => `-----BEGIN ${kind}-----\n${raw}\n-----END ${kind}-----\n`;
  const base64 = (text: string) => Buffer.from(text).toString("base64");
  const log = ({ baseUrl, publicKey }: Log) => ({
    baseURL: baseUrl,
    hashAlgorithm: "sha-256",
    publicKey: base64(pem("PUBLIC KEY", publicKey.rawBytes)),
  });
  return {
    apiVersion: "policy.sigstore.dev/v1alpha1",
    kind: "TrustRoot",
    metadata: { name },
    spec: {
      sigstoreKeys: {
        certificateAuthorities: certificateAuthorities.map(({ uri, certChain }) => ({
          subject: { organization: "sandbox", commonName: "sandbox" },
          uri,
          certChain: base64(certChain.certificates.map(({ rawBytes }) => pem("CERTIFICATE", rawBytes)).join("")),
        })),
        ctLogs: ctlogs.map(log),
        tLogs: tlogs.filter(({ publicKey }) => publicKey.keyDetails.includes("ECDSA")).map(log),
      },
    },
  };
}

/** Whether a program accepts an image under the exported policy. */
async function accepts(format: Format, image: string, cwd: string): Promise<boolean> {
  if (format === "cip") {
    const args = [
      "--policy",
      "exported.yaml",
      "--image",
      image,
      "--trustroot",
      "trust-root.yaml",
      "--log-level",
      "error",
    ];
    const { code, stdout, stderr } = await run(PROGRAMS.cip, args, { cwd });
    if (code !== 0) assert.match(stdout, /^\{"errors":\[/, `${image}: ${stderr}`);
    return code === 0;
  }
  const pod = { apiVersion: "v1", kind: "Pod", metadata: { name: "p" }, spec: { containers: [{ name: "c", image }] } };
  writeFileSync(join(cwd, "pod.yaml"), stringify(pod));
  const { code, stdout, stderr } = await run(
    PROGRAMS.ivp,
    ["apply", "exported.yaml", "--resource", "pod.yaml", "--registry"],
    { cwd },
  );
  assert.match(stdout, /pass: \d+, fail: \d+/, `${image}: ${stderr}`);
  return code === 0;
}

async function stage(t: TestContext) {
  const sandbox = await startSandbox(t);
  const cwd = await folderWithKeys(t, "a", "b");
  copyFileSync(setting(sandbox, "TSIGN_SANDBOX_TRUSTED_ROOT"), join(cwd, "root.json"));
  const root = JSON.parse(readFileSync(join(cwd, "root.json"), "utf8")) as TrustedRoot;
  writeFileSync(join(cwd, "trust-root.yaml"), stringify(trustRoot("root", root)));
  return { sandbox, cwd, pushed: await images(cwd, sandbox) };
}

const words = (text: string) => text.split(" ").filter((each) => each !== "");

test("exported policies decide as tsign does", async (t) => {
  const built = (Object.keys(PROGRAMS) as Format[]).filter((format) => existsSync(PROGRAMS[format]));
  assert.ok(built.length > 0, "neither policy-tester nor kyverno is built: run test/suites/exported-policies-tools.sh");
  const { sandbox, cwd, pushed } = await stage(t);
  const registry = setting(sandbox, "TSIGN_SANDBOX");
  const signers = {
    a: { key: "a.pub" },
    b: { key: "b.pub" },
    dev: { identity: DEV, issuer: setting(sandbox, "TSIGN_SANDBOX_ISSUER"), trust: "own" },
  };
  const trust = { own: { trustedRoot: "root.json" } };
  for (const [name, { demand, accepted, formats, command = "verify" }] of Object.entries(CASES)) {
    const rules = [{ name: "app", images: `${registry}/app/*`, ...demand }];
    writeFileSync(join(cwd, "policy.yaml"), stringify({ version: 1, trust, signers, rules }));
    const all = Object.keys(pushed).filter((image) => image !== "unmatched");
    const expected = accepted === "*" ? all : words(accepted);
    for (const [image, reference] of Object.entries(pushed)) {
      const { code, stderr } = await run(TSIGN, [command, "--trust-policy", "policy.yaml", reference], { cwd });
      assert.equal(code === 0, expected.includes(image), `tsign, ${name}, ${image}: ${stderr}`);
    }
    for (const format of Object.keys(PROGRAMS) as Format[]) {
      const title = `${name}, ${format}`;
      const reason = built.includes(format)
        ? undefined
        : `${PROGRAMS[format]} is not built (test/suites/exported-policies-tools.sh)`;
      if (!formats.includes(format)) continue;
      await t.test(title, { skip: reason }, async () => {
        await must(TSIGN, ["policy", "export", "--format", format, "--output-file", "exported.yaml", "policy.yaml"], {
          cwd,
        });
        const different = words(DIFFERENT[title] ?? "");
        for (const [image, reference] of Object.entries(pushed)) {
          const verdict = await accepts(format, reference, cwd);
          assert.equal(verdict, expected.includes(image) !== different.includes(image), `${title}, ${image}`);
        }
      });
    }
  }
});
