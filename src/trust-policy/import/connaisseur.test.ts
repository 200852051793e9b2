import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { stringify } from "yaml";
import { parseReference } from "../../oci/ref.ts";
import { ruleForImage } from "../decide.ts";
import { readTrustPolicy } from "../read.ts";
import type { PolicyFile, Requirement, RuleText } from "../schema.ts";
import { importPolicy } from "./index.ts";

const KEYS = ["one", "two"] as const;
const VALIDATORS = [
  { name: "allow", type: "static", approve: true },
  { name: "deny", type: "static", approve: false },
  ...KEYS.map((key) => ({ name: key, type: "cosign", trustRoots: [{ name: "default", key: `${key}.pub` }] })),
];
type Choice = readonly [pattern: string, validator: string];

async function imported(policy: readonly Choice[]) {
  const rules = policy.map(([pattern, validator]) => ({ pattern, validator }));
  const values = stringify({ application: { validators: VALIDATORS, policy: rules } });
  const read = importPolicy(values, "values.yaml", { anyRepository: false });
  return { ...read, trust: await readTrustPolicy(JSON.stringify(read.policy), "p.json") };
}

/** Whether the imported policy accepts an image that these keys have signed. */
function accepts({ policy, trust }: Awaited<ReturnType<typeof imported>>, image: string, keys: readonly string[]) {
  const rule = ruleForImage(trust, parseReference(image));
  const text = rule && (policy.rules[trust.rules.indexOf(rule)] as RuleText);
  if (!text || text.refuse !== undefined) return false;
  if (text.insecureAcceptAnything) return true;
  return isMet(text.signatures?.signers as Requirement, policy, keys);
}

function isMet(signers: Requirement, policy: PolicyFile, keys: readonly string[]): boolean {
  if (typeof signers === "string")
    return keys.some((key) => (policy.signers?.[signers] as { key?: string })?.key === `${key}.pub`);
  assert.ok("all" in signers, JSON.stringify(signers));
  return signers.all.every((each) => isMet(each, policy, keys));
}

/** What Connaisseur 3 decides (internal/config, MatchingRule; internal/policy, Match.Compare). `undefined` for no rule. */
function decidedBy(policy: readonly Choice[], image: string): string | undefined {
  const { registry, repository, identifier } = parseReference(image);
  const name = `${registry}/${repository}${identifier.startsWith("sha256:") ? "@" : ":"}${identifier}`;
  let best: { measures: number[]; validator: string } | undefined;
  for (const [pattern, validator] of policy) {
    const regexp = pattern.replace(/[.]/g, "\\.").replace(/\*+/g, ".*");
    if (!new RegExp(regexp, "s").test(name)) continue;
    const [parts, images] = [pattern.split("/"), name.split("/")];
    const common = parts.map((part, index) => {
      let length = 0;
      while (length < part.length && part[length] === images[index]?.[length]) length++;
      return length;
    });
    const measures = [parts.length, ...common, ...parts.map((part) => part.length)];
    const at = measures.findIndex((each, index) => each !== best?.measures[index]);
    if (!best || at < 0 || (measures[at] ?? 0) > (best.measures[at] ?? 0)) best = { measures, validator };
  }
  return best?.validator;
}

/** Checks that nothing is accepted that Connaisseur refuses. Returns whether both decide the same on all images. */
async function compare(policy: readonly Choice[], images: readonly string[]): Promise<boolean> {
  const read = await imported(policy);
  let same = true;
  for (const image of images) {
    const validator = decidedBy(policy, image);
    for (const keys of [[], ["one"], ["two"], ["one", "two"]]) {
      const theirs = validator === "allow" || (validator !== undefined && keys.includes(validator));
      const ours = accepts(read, image, keys);
      assert.ok(
        theirs || !ours,
        `${image} signed by [${keys}]: ${validator}\n${JSON.stringify(policy)}\n${stringify(read.policy)}`,
      );
      same &&= ours === theirs;
    }
  }
  return same;
}

const HOSTS = ["r.example", "mirror.r.example", "docker.io", "index.docker.io", "ex.docker.io"];
const PARTS = ["r.example", "docker.io", "aa", "aab", "bb", "library"];
const DIGEST = `sha256:${"0".repeat(64)}`;

test("Connaisseur: no image is accepted that Connaisseur refuses", async () => {
  const choose = (...values: readonly string[]) => fc.constantFrom(...values);
  const path = (parts: readonly string[]) => fc.array(choose(...parts), { minLength: 1, maxLength: 4 });
  const image = fc
    .tuple(choose(...HOSTS), path(PARTS), choose(":v1", ":b", `@${DIGEST}`))
    .map(([host, parts, version]) => `${host}/${parts.join("/")}${version}`);
  const pattern = fc.oneof(
    choose("*:*", "*", "aa/*", `docker.io/library/aa@${DIGEST}`),
    fc
      .tuple(choose(...HOSTS), path([...PARTS, "*", "aa*", "*b"]), choose("", ":*", ":v1", ":v*", "*"))
      .map(([host, parts, version]) => `${host}/${parts.join("/")}${version}`),
  );
  const policy = fc.array(fc.tuple(pattern, choose("allow", "deny", ...KEYS)), { minLength: 1, maxLength: 4 });
  await fc.assert(
    fc.asyncProperty(policy, fc.array(image, { minLength: 10, maxLength: 30 }), async (rules, images) => {
      await compare(rules, images);
    }),
    { numRuns: 150, seed: 19 },
  );
});

test("Connaisseur: a pattern that is found within a name, or in another part of it, decides there, too", async () => {
  const cases: [Choice[], string[]][] = [
    [
      [
        ["docker.io/team/*:*", "deny"],
        ["mirror.r.example/*:*", "allow"],
        ["*:*", "one"],
      ],
      ["mirror.r.example/docker.io/team/app:v1", "s.example/docker.io/team/app:v1", "mirror.r.example/app:v1"],
    ],
    [
      [
        ["r.example/app/*:*", "deny"],
        ["mirror.r.example/*:*", "allow"],
      ],
      ["mirror.r.example/app/web:v1"],
    ],
    [
      [
        ["r.example/*/*/*:*", "deny"],
        ["mirror.r.example/team/*:*", "allow"],
      ],
      ["mirror.r.example/team/aa/bb:v1"],
    ],
    [
      [
        ["r.example/aa*/xx*/c:*", "deny"],
        ["r.example/aa*/yyy/c:*", "allow"],
      ],
      ["r.example/aa/xx/yyy/c:v1"],
    ],
    [
      [
        ["*:*", "allow"],
        ["*:*", "deny"],
      ],
      ["r.example/app:v1"],
    ],
    [
      [
        ["docker.io/team*", "allow"],
        ["*:*", "deny"],
      ],
      ["docker.io/library/team:v1", "docker.io/team/app:v1"],
    ],
  ];
  for (const [policy, images] of cases) await compare(policy, images);
  const { rules } = (await imported(cases[0]?.[0] ?? [])).policy;
  assert.deepEqual(
    rules.map(({ images }) => images),
    ["docker.io/team/**", "mirror.r.example/**docker.io/team/**", "mirror.r.example/**", "**"],
  );
  assert.deepEqual(
    rules.map(({ refuse, insecureAcceptAnything }) => refuse ?? insecureAcceptAnything),
    [
      "denied by the validator deny",
      "a more specific imported pattern matches, too",
      true,
      "denied by the validator deny",
    ],
  );
});

test("Connaisseur: the policy that its chart has as an example decides the same", async () => {
  const chart: Choice[] = [
    ["*:*", "deny"],
    [`docker.io/library/redis@${DIGEST}`, "allow"],
    ["docker.io/securesystemsengineering/*:*", "one"],
    ["registry.k8s.io/*:*", "allow"],
  ];
  const images = ["nginx", "docker.io/securesystemsengineering/c:v1", "registry.k8s.io/pause:3.9", "r.example/app"];
  assert.equal(await compare(chart, images), true);
  assert.equal(await compare(chart, [`redis@${DIGEST}`]), false, "refused, since no pattern contains a digest");
});
