import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type Kind, libraries, QUESTIONS, type Question } from "./ecosystem-answers.ts";
import { answers, type SignJob, stackVariables, token, type VerifyJob } from "./ecosystem-kit.ts";
import { COSIGN, folder, must, pushImage, run, TSIGN } from "./support.ts";

/**
 * sigstore-python and npm's JavaScript libraries on the shared stack: they verify bundles of tsign, with
 * the same answers as to cosign's, and tsign verifies theirs.
 */
const ALICE = "alice@example.com";
const MALLORY = "mallory@example.com";
const TYPE = "https://ci.example/type";
const PREDICATE = { tested: true };
const CONFIGS = { "Rekor 2": "SIGNING_CONFIG", "Rekor 1": "SIGNING_CONFIG_REKOR1" };
const BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json";

interface Made {
  readonly kind: Kind;
  readonly name: string;
  /** The file of the bundle, and that of another one of the same kind and log. */
  readonly bundle: string;
  readonly other: string;
  readonly artifact: string;
}

async function workshop(context: TestContext) {
  const cwd = folder(context);
  const stack = await stackVariables();
  const write = (name: string, content: object | string) =>
    writeFileSync(join(cwd, name), typeof content === "string" ? content : JSON.stringify(content));
  const read = (name: string) => JSON.parse(readFileSync(join(cwd, name), "utf8"));
  write("blob", "content");
  write("altered", "contend");
  write("predicate.json", PREDICATE);
  const sha256 = createHash("sha256").update("content").digest("hex");
  const subject = [{ name: "blob", digest: { sha256 } }];
  write("statement.json", {
    _type: "https://in-toto.io/Statement/v1",
    subject,
    predicateType: TYPE,
    predicate: PREDICATE,
  });
  const root = JSON.parse(readFileSync(stack("TRUSTED_ROOT"), "utf8"));
  write("stranger.json", { ...root, certificateAuthorities: root.timestampAuthorities });
  return { cwd, stack, write, read, root: ["--trusted-root", stack("TRUSTED_ROOT")] };
}

type Workshop = Awaited<ReturnType<typeof workshop>>;

/** Returns the job for a question about a bundle; an altered bundle is written first. */
function ask({ stack, write, read }: Workshop, { kind, bundle, other, artifact }: Made, question: Question): VerifyJob {
  const truth = { bundle, artifact, identity: ALICE, issuer: stack("ISSUER"), trustedRoot: stack("TRUSTED_ROOT") };
  if (question === "identity") return { ...truth, identity: MALLORY };
  if (question === "issuer") return { ...truth, issuer: stack("CI_ISSUER") };
  if (question === "artifact") return { ...truth, artifact: "altered" };
  if (question === "authority") return { ...truth, trustedRoot: "stranger.json" };
  if (question === "truth") return truth;
  const [wrong, donor] = [read(bundle), read(other)];
  if (question === "entry") wrong.verificationMaterial.tlogEntries = donor.verificationMaterial.tlogEntries;
  else if (kind === "blob") wrong.messageSignature.signature = donor.messageSignature.signature;
  else wrong.dsseEnvelope.payload = Buffer.from(`${atob(wrong.dsseEnvelope.payload)} `).toString("base64");
  write(`${question}.${bundle}`, wrong);
  return { ...truth, bundle: `${question}.${bundle}` };
}

/** A bundle of each kind by cosign or tsign. */
async function makeAll({ cwd, stack, root }: Workshop, program: string, log: keyof typeof CONFIGS): Promise<Made[]> {
  const image = await pushImage(stack("REGISTRY"), "ecosystem", cwd);
  const by = program.replace(/.*\//, "");
  const other = by === "tsign" ? "cosign" : "tsign";
  const commands: Record<Kind, string[]> = {
    blob: ["sign-blob", "blob"],
    statement: ["attest-blob", "--statement", "statement.json", "blob"],
    attestation: ["attest-blob", "--type", TYPE, "--predicate", "predicate.json", "blob"],
    image: ["sign", image],
  };
  const made: Made[] = [];
  for (const [kind, [command = "", ...rest]] of Object.entries(commands) as [Kind, string[]][]) {
    const file = (maker: string) => `${maker}.${kind}.${log.replace(" ", "")}.json`;
    const by_ = [
      "--yes",
      "--identity-token",
      await token(stack("ISSUER"), ALICE),
      "--signing-config",
      stack(CONFIGS[log]),
    ];
    await must(program, [command, ...by_, ...root, "--bundle", file(by), ...rest], { cwd });
    const artifact = kind === "image" ? image.replace(/.*@/, "") : "blob";
    made.push({ kind, name: `${by}, ${kind}, ${log}`, bundle: file(by), other: file(other), artifact });
  }
  return made;
}

test("other libraries accept tsign's signatures like cosign's, and refuse altered ones", async (context) => {
  const shop = await workshop(context);
  const made: Made[] = [];
  for (const log of Object.keys(CONFIGS) as (keyof typeof CONFIGS)[]) {
    for (const program of [TSIGN, COSIGN]) made.push(...(await makeAll(shop, program, log)));
  }
  for (const [name, library] of Object.entries(await libraries())) {
    const jobs = made.flatMap((each) => QUESTIONS.map((question) => ask(shop, each, question)));
    const said = [...(await answers(library.program, jobs, shop.cwd))];
    for (const each of made) {
      const verdicts = said.splice(0, QUESTIONS.length);
      await context.test(`${each.name}, to ${name}`, () => {
        const expected = library[each.kind === "blob" ? "blob" : "statement"];
        QUESTIONS.forEach((question, i) => {
          const readable = question !== "truth" && question !== "artifact";
          const unread = readable ? undefined : library.unread[each.kind];
          const verdict = verdicts[i] ?? "";
          assert.match(verdict, unread ?? expected[question], `${question}: ${verdict}`);
        });
      });
    }
  }
});

/** Why tsign refuses. */
const REASONS: Readonly<Record<Exclude<Question, "truth">, RegExp>> = {
  identity: /identity: certificate identity mismatch: got alice@example\.com .*, want mallory@example\.com/,
  issuer: /identity: certificate OIDC issuer mismatch: got \S+, want \S+\/ci/,
  artifact: /claims: (artifact digest mismatch|no subject of the statement)/,
  authority: /key: certificate has no valid path to a trusted root/,
  entry: /log: log entry is for a different certificate/,
  content: /(log: (signature|digest|DSSE payload hash) mismatch)/,
};

for (const [log, config] of Object.entries(CONFIGS)) {
  for (const name of ["python", "js"] as const) {
    test(`tsign accepts signatures of ${name} with ${log} like cosign, and refuses altered ones`, async (context) => {
      const shop = await workshop(context);
      const { cwd, stack } = shop;
      const { program } = (await libraries())[name];
      const by = {
        token: await token(stack("ISSUER"), ALICE),
        signingConfig: stack(config),
        trustedRoot: stack("TRUSTED_ROOT"),
      };
      const contents = { blob: {}, statement: { predicateType: TYPE, predicate: PREDICATE } };
      for (const [kind, content] of Object.entries(contents) as ["blob" | "statement", object][]) {
        // @sigstore/sign 5.1.0 sends an entry of type dsse, and Rekor 2.3 accepts only hashedrekord.
        if (name === "js" && log === "Rekor 2" && kind === "statement") continue;
        const made = { kind, name, bundle: `${kind}.json`, other: `other.${kind}.json`, artifact: "blob" };
        const job = { ...by, ...content, artifact: "blob" };
        const jobs: SignJob[] = [made.bundle, made.other].map((bundle) => ({ ...job, bundle }));
        assert.deepEqual(await answers(program, jobs, cwd), ["signed", "signed"]);
        await context.test(kind, async () => {
          for (const question of QUESTIONS) {
            const job = ask(shop, made, question);
            const verdict = await verify(TSIGN, kind, job, cwd);
            if (question !== "truth") {
              assert.equal(verdict.code, 1, question);
              assert.match(verdict.stderr, REASONS[question]);
              continue;
            }
            assert.equal(verdict.code, 0, verdict.stderr);
            const control = await verify(COSIGN, kind, job, cwd);
            assert.equal(control.code, 0, control.stderr);
          }
        });
      }
    });
  }
}

function verify(program: string, kind: Kind, job: VerifyJob, cwd: string) {
  const command = kind === "blob" ? ["verify-blob"] : ["verify-blob-attestation", "--type", TYPE];
  const who = ["--certificate-identity", job.identity, "--certificate-oidc-issuer", job.issuer];
  return run(program, [...command, ...who, "--trusted-root", job.trustedRoot, "--bundle", job.bundle, job.artifact], {
    cwd,
  });
}

test("attestation made by the JavaScript libraries -> verifies for its image", async (context) => {
  const { cwd, stack, root } = await workshop(context);
  const images = [
    await pushImage(stack("REGISTRY"), "ecosystem", cwd),
    await pushImage(stack("REGISTRY"), "ecosystem", cwd),
  ];
  const [image = "", stranger = ""] = images;
  const { js } = await libraries();
  const by = {
    token: await token(stack("ISSUER"), ALICE),
    signingConfig: stack(CONFIGS["Rekor 1"]),
    trustedRoot: stack("TRUSTED_ROOT"),
  };
  const about = { artifact: image.replace(/.*@/, ""), predicateType: TYPE, predicate: PREDICATE };
  await answers(js.program, [{ ...by, ...about, bundle: "image.json" }], cwd);
  for (const each of images) {
    await must("oras", ["attach", "--plain-http", "--artifact-type", BUNDLE, each, `image.json:${BUNDLE}`], { cwd });
  }
  for (const verifier of [TSIGN, COSIGN]) {
    const verify = (email: string, subject: string) => {
      const who = ["--certificate-identity", email, "--certificate-oidc-issuer", stack("ISSUER")];
      return run(verifier, ["verify-attestation", "--type", TYPE, ...who, ...root, subject], { cwd });
    };
    const good = await verify(ALICE, image);
    assert.equal(good.code, 0, good.stderr);
    const another = await verify(MALLORY, image);
    assert.equal(another.code, 1);
    assert.match(another.stderr, /no matching attestations: .*mallory@example\.com/);
    const elsewhere = await verify(ALICE, stranger);
    assert.equal(elsewhere.code, 1);
    assert.match(elsewhere.stderr, /no subject of the statement|digest does not match any digest in statement/);
  }
});

test("identity of a CI job, and keys of other algorithms", async (context) => {
  const { cwd, stack, root } = await workshop(context);
  const { python, js } = await libraries();
  const sign = async (bundle: string, identityToken: string, algorithm: string) => {
    const by = ["--yes", "--identity-token", identityToken, "--signing-config", stack(CONFIGS["Rekor 2"]), ...root];
    await must(TSIGN, ["sign-blob", ...by, "--signing-algorithm", algorithm, "--bundle", bundle, "blob"], { cwd });
  };
  const P256 = "ecdsa-sha2-256-nistp256";
  await sign("job.json", await token(stack("CI_ISSUER")), P256);
  await sign("p384.json", await token(stack("ISSUER"), ALICE), "ecdsa-sha2-384-nistp384");
  await sign("rsa.json", await token(stack("ISSUER"), ALICE), "rsa-sign-pkcs1-2048-sha256");

  const asked = { artifact: "blob", trustedRoot: stack("TRUSTED_ROOT") };
  const workflow = "https://github.com/acme/widget/.github/workflows/release.yml@refs/heads/main";
  const job = { ...asked, bundle: "job.json", identity: workflow, issuer: stack("CI_ISSUER") };
  const branch = { ...job, identity: workflow.replace("main", "mine") };
  const alice = { ...asked, identity: ALICE, issuer: stack("ISSUER") };
  const altered = { ...alice, artifact: "altered" };
  const jobs = [job, branch, { ...alice, bundle: "p384.json" }, { ...altered, bundle: "p384.json" }];
  // sigstore-python hashes files with SHA-256 for every key, and fails for RSA keys with an error of its own.
  const [pythonJob, pythonBranch, pythonP384] = await answers(python.program, jobs, cwd);
  assert.equal(pythonJob, "accepted");
  assert.match(pythonBranch ?? "", /^refused: Certificate's SANs do not match .*heads\/mine; /);
  assert.match(pythonP384 ?? "", python.blob.artifact);
  const rsa = [
    { ...alice, bundle: "rsa.json" },
    { ...altered, bundle: "rsa.json" },
  ];
  const [jsJob, jsBranch, ...others] = await answers(js.program, [...jobs, ...rsa], cwd);
  assert.equal(jsJob, "accepted");
  assert.match(jsBranch ?? "", /^refused: certificate identity error - /);
  const failed = "refused: signature verification failed";
  assert.deepEqual(others, ["accepted", failed, "accepted", failed]);
});
