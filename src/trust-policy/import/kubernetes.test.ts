import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { stringify } from "yaml";
import { parseReference } from "../../oci/ref.ts";
import { ruleForImage } from "../decide.ts";
import { readTrustPolicy } from "../read.ts";
import type { PolicyFile, Requirement } from "../schema.ts";
import { importPolicy } from "./index.ts";

/** Patterns of a policy, and what it decides: a key that must have signed, or `allow` or `deny`. */
type Choice = readonly [patterns: readonly string[], decision: string];

interface Program {
  /** The policy as the program has it. */
  readonly document: (choice: Choice, name: string) => object;
  readonly matches: (pattern: string, image: string) => boolean;
  /** Whether it admits images that no policy matches. */
  readonly open: boolean;
}

const KEYS = ["one", "two"];
const key = (name: string) => `awskms:///alias/${name}`;
const globbed = (pattern: string, single: string) =>
  new RegExp(`^${pattern.replaceAll(".", "\\.").replace(/\*+/g, (stars) => (stars.length > 1 ? ".*" : single))}$`, "s");
/** With the tag `latest` where there is none, and without a tag beside a digest. */
const fullName = (image: string) => {
  const { registry, repository, identifier } = parseReference(image);
  return `${registry}/${repository}${identifier.startsWith("sha256:") ? "@" : ":"}${identifier}`;
};

const CLUSTER_IMAGE_POLICY: Program = {
  document: ([patterns, decision], name) => {
    const fixed = { allow: "pass", deny: "fail" }[decision];
    return {
      apiVersion: "policy.sigstore.dev/v1beta1",
      kind: "ClusterImagePolicy",
      metadata: { name },
      spec: {
        images: patterns.map((glob) => ({ glob })),
        authorities: [fixed === undefined ? { key: { kms: key(decision) } } : { static: { action: fixed } }],
      },
    };
  },
  matches: (pattern, image) => {
    const glob = { "*": "index.docker.io/library/*", "*/*": "index.docker.io/*/*" }[pattern] ?? pattern;
    return [fullName(image), image].some((name) => globbed(glob, "[^/]*").test(name));
  },
  open: false,
};

const CLUSTER_POLICY: Program = {
  document: ([imageReferences, decision], name) => ({
    apiVersion: "kyverno.io/v1",
    kind: "ClusterPolicy",
    metadata: { name },
    spec: {
      validationFailureAction: "Enforce",
      rules: [
        {
          name,
          match: { any: [{ resources: { kinds: ["Pod"] } }] },
          verifyImages: [{ imageReferences, attestors: [{ entries: [{ keys: { kms: key(decision) } }] }] }],
        },
      ],
    },
  }),
  matches: (pattern, image) => globbed(pattern, ".*").test(/[:@][^/]*$/.test(image) ? image : `${image}:latest`),
  open: true,
};

function isMet(signers: Requirement, policy: PolicyFile, signed: readonly string[]): boolean {
  if (typeof signers === "string") return signed.some((each) => policy.signers?.[signers]?.key === key(each));
  assert.ok("all" in signers, JSON.stringify(signers));
  return signers.all.every((each) => isMet(each, policy, signed));
}

/** Checks that nothing is accepted that the program refuses. Returns how many images are accepted. */
async function compare(program: Program, choices: readonly Choice[], images: readonly string[]): Promise<number> {
  const documents = choices.map((choice, index) => stringify(program.document(choice, `p${index}`)));
  const { policy } = importPolicy(documents.join("---\n"), "f.yaml", { anyRepository: false });
  const trust = await readTrustPolicy(JSON.stringify(policy), "p.json");
  let accepted = 0;
  for (const image of images) {
    const rule = ruleForImage(trust, parseReference(image));
    const text = rule && policy.rules[trust.rules.indexOf(rule)];
    const matching = choices.filter(([patterns]) => patterns.some((pattern) => program.matches(pattern, image)));
    for (const signed of [[], ["one"], ["two"], ["one", "two"]]) {
      const theirs =
        (program.open || matching.length > 0) &&
        matching.every(([, decision]) => decision === "allow" || signed.includes(decision));
      const signers = text?.signatures?.signers;
      const ours = text?.insecureAcceptAnything === true || (signers !== undefined && isMet(signers, policy, signed));
      if (ours) accepted++;
      assert.ok(theirs || !ours, `${image} signed by [${signed}]\n${JSON.stringify(choices)}\n${stringify(policy)}`);
    }
  }
  return accepted;
}

const DIGEST = `sha256:${"0".repeat(64)}`;
const choose = (...values: readonly string[]) => fc.constantFrom(...values);
const HOST = choose("r.example", "r.example:5000", "s.example");
const path = (...parts: readonly string[]) => fc.array(choose(...parts), { minLength: 1, maxLength: 3 });
const joined = ([host, parts, version]: [string, string[], string]) => `${host}/${parts.join("/")}${version}`;
const IMAGE = fc
  .tuple(HOST, path("aa", "aab", "bb"), choose("", ":v1", ":bb", `@${DIGEST}`, `:v1@${DIGEST}`))
  .map(joined);
const PATTERN = fc.oneof(
  choose("*", "**", "*/*", "aa*", "r.example*"),
  fc
    .tuple(HOST, path("aa", "aab", "bb", "*", "aa*", "**", "*b"), choose("", ":*", ":v1", ":v*", ":**", "*", "**"))
    .map(joined),
);

for (const [name, program, decisions] of [
  ["ClusterImagePolicy", CLUSTER_IMAGE_POLICY, ["allow", "deny", ...KEYS]],
  ["ClusterPolicy", CLUSTER_POLICY, KEYS],
] as const) {
  test(`${name}: no image is accepted that the program refuses`, async () => {
    const policies = fc.array(fc.tuple(fc.array(PATTERN, { minLength: 1, maxLength: 2 }), choose(...decisions)), {
      minLength: 1,
      maxLength: 4,
    });
    let accepted = 0;
    await fc.assert(
      fc.asyncProperty(policies, fc.array(IMAGE, { minLength: 5, maxLength: 15 }), async (choices, images) => {
        accepted += await compare(program, choices, images);
      }),
      { numRuns: 150, seed: 19 },
    );
    assert.ok(accepted > 500, `${accepted} images accepted`);
  });
}

test("ClusterPolicy: a pattern that a tag may end, too, decides on all images", async () => {
  const choices: Choice[] = [
    [["r.example/*b"], "one"],
    [["r.example/**"], "two"],
  ];
  assert.equal(await compare(CLUSTER_POLICY, choices, ["r.example/aa:bb"]), 1, "with both keys only");
});

test("ClusterImagePolicy: images with another tag than the one of a policy, which no other policy matches, are refused", async () => {
  const choices: Choice[] = [
    [["r.example/**/app:v*"], "allow"],
    [["r.example/team/*"], "allow"],
  ];
  const images = ["r.example/other/app:x1", "r.example/other/app:v1"];
  assert.equal(await compare(CLUSTER_IMAGE_POLICY, choices, images), 4, "v1 only");
});
