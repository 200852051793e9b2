import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { stringify } from "yaml";
import { policyWorkshop } from "./support/policy-workshop.ts";

/** A policy of another program, and the images that the program accepted when it was run. */
interface Case {
  readonly policy: object;
  /** Names of images (shop): what policy-controller 0.15.1 or Kyverno 1.19.1 accepts. */
  readonly theirs: string;
  /** What is accepted here and not there, with the reason. */
  readonly more?: readonly [images: string, reason: string];
  /** What is accepted there and not here, with the reason. */
  readonly less?: readonly [images: string, reason: string];
}

const FORMS = "that program reads one form only";
const REFUSES_ALL = "policy-controller refuses every image under such a policy";
const ATTESTED = "Kyverno takes an attestation for a signature";
const DISTRACTED = "Kyverno looks at bundles only as soon as somebody attaches one";

/** Images by what is attached to them. */
async function shop(t: TestContext) {
  const workshop = await policyWorkshop(t);
  const { key, person, push, tsign, write } = workshop;
  const quietly = ["--yes", "--trusted-root", "root.json"];
  const unlogged = ["--yes", "--use-signing-config=false", "--tlog-upload=false"];
  const [rekor1, rekor2] = ["rekor1", "services"].map((name) => [...quietly, "--signing-config", `${name}.json`]);
  const images: Record<string, string> = {};
  const image = async (name: string, ...commands: readonly (readonly string[])[]) => {
    images[name] = await push(`${name}:v1`);
    for (const [command = "", ...flags] of commands) await tsign(command, ...flags, images[name]);
  };
  write("predicate.json", '{"result":"passed"}');
  const attest = (...flags: readonly string[]) => ["attest", "--predicate", "predicate.json", "--type", TYPE, ...flags];
  const form = (name: string) => ["--format", name];
  await image("unsigned");
  for (const each of ["legacy", "both", "bundle"]) await image(each, ["sign", ...key("a"), ...unlogged, ...form(each)]);
  for (const each of ["legacy", "bundle"])
    await image(`other-${each}`, ["sign", ...key("b"), ...unlogged, ...form(each)]);
  await image("attested", attest(...key("a"), ...unlogged));
  await image("other-attested", attest(...key("b"), ...unlogged));
  await image("distracted", ["sign", ...key("a"), ...unlogged, ...form("legacy")], attest(...key("b"), ...unlogged));
  const [dev, mallory] = [DEV, "mallory@example.com"].map(person) as [string[], string[]];
  await image("dev-legacy", ["sign", ...dev, ...(rekor1 ?? []), ...form("legacy")]);
  await image("dev-rekor1", ["sign", ...dev, ...(rekor1 ?? [])]);
  await image("dev-rekor2", ["sign", ...dev, ...(rekor2 ?? [])]);
  await image("mallory", ["sign", ...mallory, ...(rekor1 ?? []), ...form("both")]);
  return { ...workshop, images };
}

const TYPE = "https://example.com/tests";
const DEV = "dev@example.com";

test("imported policies decide as policy-controller and Kyverno did when they were run", async (t) => {
  const { attempt, at, images, read, registry, tsign, write } = await shop(t);
  const data = read("a.pub");
  const cip = (authority: object) => ({
    apiVersion: "policy.sigstore.dev/v1beta1",
    kind: "ClusterImagePolicy",
    metadata: { name: "p" },
    spec: { images: [{ glob: `${registry}/**` }], authorities: [{ name: "a", ...authority }] },
  });
  const kyverno = (type: string, entry: object) => ({
    apiVersion: "kyverno.io/v1",
    kind: "ClusterPolicy",
    metadata: { name: "p" },
    spec: {
      validationFailureAction: "Enforce",
      rules: [
        {
          name: "r",
          match: { any: [{ resources: { kinds: ["Pod"] } }] },
          verifyImages: [{ type, imageReferences: [`${registry}/*`], attestors: [{ entries: [entry] }] }],
        },
      ],
    },
  });
  const ivp = (cosign: object) => ({
    apiVersion: "policies.kyverno.io/v1",
    kind: "ImageValidatingPolicy",
    metadata: { name: "p" },
    spec: {
      matchConstraints: {
        resourceRules: [{ apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["pods"] }],
      },
      matchImageReferences: [{ glob: `${registry}/*` }],
      attestors: [{ name: "a", cosign }],
      validations: [
        {
          message: "not signed",
          expression: "images.containers.map(image, verifyImageSignatures(image, [attestors.a])).all(e, e > 0)",
        },
      ],
    },
  });
  const identities = [{ issuer: at.issuer, subject: DEV }];
  const keys = { publicKeys: data, rekor: { ignoreTlog: true }, ctlog: { ignoreSCT: true } };
  const keyless = {
    ...identities[0],
    roots: data, // its text is not read: the certificates have to be written into a trusted root
    rekor: { pubkey: data },
    ctlog: { pubkey: data },
  };
  const rooted = { keyless: { identities, trustRootRef: "own" }, ctlog: { trustRootRef: "own" } };
  const attestations = [{ name: "t", predicateType: TYPE }];
  const cases: Record<string, Case> = {
    "CIP, key": { policy: cip({ key: { data } }), theirs: "legacy both distracted", more: ["bundle", FORMS] },
    "CIP, key, bundle": {
      policy: cip({ key: { data }, signatureFormat: "bundle" }),
      theirs: "",
      more: ["both bundle", REFUSES_ALL],
    },
    "CIP, key, attestation, bundle": {
      policy: cip({ key: { data }, signatureFormat: "bundle", attestations }),
      theirs: "",
      more: ["attested", REFUSES_ALL],
    },
    "CIP, keyless": { policy: cip(rooted), theirs: "dev-legacy", more: ["dev-rekor1 dev-rekor2", FORMS] },
    "CIP, keyless, bundle": {
      policy: cip({ ...rooted, signatureFormat: "bundle" }),
      theirs: "",
      more: ["dev-rekor1 dev-rekor2", REFUSES_ALL],
    },
    "Cosign, key": { policy: kyverno("Cosign", { keys }), theirs: "legacy both distracted", more: ["bundle", FORMS] },
    "SigstoreBundle, key": {
      policy: kyverno("SigstoreBundle", { keys }),
      theirs: "bundle both attested",
      less: ["attested", ATTESTED],
    },
    "Cosign, keyless": {
      policy: kyverno("Cosign", { keyless }),
      theirs: "dev-legacy",
      more: ["dev-rekor1 dev-rekor2", FORMS],
    },
    "SigstoreBundle, keyless": {
      policy: kyverno("SigstoreBundle", { keyless }),
      theirs: "",
      more: ["dev-rekor1 dev-rekor2", "Kyverno uses a TUF repository in place of the roots that are given"],
    },
    "IVP, key": {
      policy: ivp({ key: { data }, ctlog: { insecureIgnoreTlog: true } }),
      theirs: "legacy bundle both attested",
      more: ["distracted", DISTRACTED],
      less: ["attested", ATTESTED],
    },
    "IVP, keyless": {
      policy: ivp({ keyless: { identities }, tuf: { mirror: "http://tuf.example", root: { data: "e30=" } } }),
      theirs: "dev-legacy dev-rekor1 dev-rekor2",
    },
  };
  const words = (text = "") => text.split(" ").filter((each) => each !== "");
  for (const [name, { policy, theirs, more, less }] of Object.entries(cases)) {
    write("theirs.yaml", stringify(policy));
    const { stderr } = await tsign("policy", "import", "--output-file", "ours.yaml", "theirs.yaml");
    for (const [, file = ""] of stderr.matchAll(/write the trusted root (\S+):/g)) write(file, read("root.json"));
    const accepted: string[] = [];
    const command = name.includes("attestation") ? "verify-attestation" : "verify";
    for (const [image, reference] of Object.entries(images)) {
      const { code } = await attempt(command, "--trust-policy", "ours.yaml", reference);
      if (code === 0) accepted.push(image);
    }
    const expected = [...words(theirs), ...words(more?.[0])].filter((each) => !words(less?.[0]).includes(each));
    assert.deepEqual(accepted.sort(), expected.sort(), name);
    if (more?.[1] === FORMS) assert.match(stderr, /^forms: /m, name);
  }
});
