import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { TsignError } from "../errors.ts";
import { readTrustPolicy } from "./read.ts";

const RULE = "rules:\n  - images: r.example/*\n    signatures: {signers: k}\n";
const SIGNER = "signers:\n  k: {key: k.pub}\n";
const HEAD = `version: 1\n${SIGNER}`;

const read = (text: string) => readTrustPolicy(text, "p.yaml");

/** The message and hint of the refusal. */
async function refusal(text: string): Promise<string> {
  try {
    await read(text);
  } catch (error) {
    assert.ok(error instanceof TsignError && ["input", "limit"].includes(error.code), String(error));
    return `${error.message} (${error.hint ?? ""})`;
  }
  return assert.fail(`accepted: ${text}`);
}

test("readTrustPolicy: minimal policy -> strict defaults", async () => {
  const { rules, unmatched, signers } = await read(`${HEAD}${RULE}`);
  const [rule = assert.fail()] = rules;
  assert.deepEqual([rule.effect, unmatched, rule.acceptsAnything, rule.pinned], ["enforce", "enforce", false, false]);
  const [demand = assert.fail()] = rule.demands;
  assert.deepEqual(
    [demand.log, demand.timestamp, demand.form, demand.attestation],
    ["required", "optional", "any", undefined],
  );
  assert.deepEqual(signers.get("k"), {
    name: "k",
    trust: undefined,
    until: undefined,
    kind: "key",
    reference: "k.pub",
  });
  assert.equal(rule.place, "p.yaml:5:5");
});

test("readTrustPolicy: JSON is read like YAML", async () => {
  const json = {
    version: 1,
    signers: { k: { key: "k.pub" } },
    rules: [{ images: ["r.example/*"], signatures: { signers: "k" } }],
  };
  for (const text of [JSON.stringify(json), JSON.stringify(json, undefined, 2)])
    assert.equal((await read(text)).rules.length, 1);
});

test("readTrustPolicy: a literal block is kept line by line", async () => {
  const pem = "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n";
  const block = pem
    .trimEnd()
    .split("\n")
    .map((line) => `      ${line}`)
    .join("\n");
  const { signers } = await read(`version: 1\nsigners:\n  k:\n    key: |\n${block}\n\n${RULE}`);
  const signer = signers.get("k");
  assert.equal(signer?.kind === "key" && signer.reference, pem);
});

test("readTrustPolicy: fault in the schema -> file, line, column and what to write", async () => {
  const cases: [text: string, expected: RegExp][] = [
    ["", /p.yaml: empty policy/],
    [`${SIGNER}${RULE}`, /p\.yaml:1:1: version: missing \(write 1\)/],
    [`version: 2\n${SIGNER}${RULE}`, /p\.yaml:1:1: version: got 2, want 1/],
    [HEAD, /rules: missing/],
    [`${HEAD}rules: []\n`, /p\.yaml:4:1: rules: empty/],
    [`${HEAD}${RULE}sigers: {}\n`, /p\.yaml:7:1: sigers: unknown field \(did you mean signers/],
    [`${HEAD}${RULE}    efect: warn\n`, /p\.yaml:7:5: rules\[0\]\.efect: unknown field \(did you mean effect/],
    [`${HEAD}${RULE}    effect: Enforce\n`, /p\.yaml:7:5: .*got "Enforce", want enforce, warn, audit/],
    [
      `${HEAD}rules:\n  - images: r.example/*\n    signatures: {signers: 7}\n`,
      /p\.yaml:6:18: .*signers: got 7, want a signer's name/,
    ],
    [
      `${HEAD}rules:\n  - images: r.example/*\n    signatures: {signers: {any: [k, {atLeast: 0, of: [k]}]}}\n`,
      /atLeast: got 0, want at least 1/,
    ],
    [
      `${HEAD}rules:\n  - images: r.example/*\n    signatures: {signers: {atLeast: "1", of: [k]}}\n`,
      /p\.yaml:6:28: .*signers\.atLeast: got "1", want an integer/,
    ],
    [`${HEAD}rules:\n  - images: r.example/*\n    signatures: {signers: {any: [k], all: [k]}}\n`, /: unknown field/],
    [
      `${HEAD}rules:\n  - images: r.example/*\n    signatures: {signers: k, maxAge: 90}\n`,
      /maxAge: got 90, want .*90d/,
    ],
    [`${HEAD}rules:\n  - images: r.example/*\n    signatures: {signers: k, maxAge: 0d}\n`, /maxAge: got "0d"/],
    [`version: 1\nsigners: {k: {identity: {globb: a}, issuer: b}}\n${RULE}`, /globb: unknown field/],
    ["- a\n", /got a list, want a mapping/],
    ["text\n", /got "text", want a mapping/],
  ];
  for (const [text, expected] of cases) assert.match(await refusal(text), expected);
});

test("readTrustPolicy: YAML that parsers read differently -> refused with the place", async () => {
  const cases: [text: string, expected: RegExp][] = [
    [`${HEAD}version: 1\n${RULE}`, /p\.yaml:4:1: duplicate key "version"/],
    [
      `version: 1\nsigners:\n  k: {key: yes}\n${RULE}`,
      /p\.yaml:3:12: yes is a number or a boolean .*\(write "yes" in quotes\)/,
    ],
    [`version: 1\nsigners:\n  no: {key: a}\n${RULE}`, /p\.yaml:3:3: no is a number or a boolean/],
    [`version: 1\nsigners:\n  k: {key: 0x10}\n${RULE}`, /0x10 is a number/],
    [`version: 1\nsigners:\n  k: {key: 12:30:45}\n${RULE}`, /12:30:45 is a number/],
    [`version: 1\nsigners:\n  k: {key: 1.5}\n${RULE}`, /1.5 is a number/],
    [`version: 1\nsigners:\n  k: {key: }\n${RULE}`, /missing value/],
    [`version: 1\nsigners:\n  k: {key: null}\n${RULE}`, /missing value/],
    [`version: 1\nsigners:\n  k: {key: !!str a}\n${RULE}`, /tag !!str/],
    [`version: 1\nsigners:\n  k:\n    key: a\n      b\n${RULE}`, /p\.yaml:4:10: text spans several lines/],
    [`version: 1\nsigners:\n  k:\n    key: >\n      a\n      b\n${RULE}`, /text spans several lines/],
    [`version: 1\nsigners:\n  a: &a {key: a}\n  k:\n    <<: *a\n    key: b\n${RULE}`, /<< is not supported/],
    [`version: 1\nsigners:\n  __proto__: {key: a}\n${RULE}`, /__proto__/],
    [`${HEAD}${RULE}---\n${HEAD}${RULE}`, /p\.yaml:8:1: expected one YAML document, found 2/],
    [`${HEAD}${RULE}# a\u0085b\n`, /p\.yaml:7:1: U\+0085/],
  ];
  for (const [text, expected] of cases) assert.match(await refusal(text), expected);
});

test("readTrustPolicy: fields that do not fit together -> refused with the place", async () => {
  const rule = (body: string) => `${HEAD}rules:\n  - images: r.example/*\n${body}`;
  const cases: [text: string, expected: RegExp][] = [
    [rule(""), /p\.yaml:5:5: rules\[0\]: demands no signature/],
    [`${HEAD}rules:\n  - signatures: {signers: k}\n`, /missing images or files/],
    [
      `${HEAD}rules:\n  - images: [r.example/a, nginx]\n    signatures: {signers: k}\n`,
      /p\.yaml:5:27: rules\[0\]\.images\[1\]: pattern "nginx": missing registry host/,
    ],
    [`${HEAD}rules:\n  - files: dist/*\n    signatures: {signers: k}\n`, /invalid pattern for a file/],
    [`${HEAD}rules:\n  - files: a\n    digest: required\n    signatures: {signers: k}\n`, /digest requires images/],
    [rule("    signatures: {signers: kk}\n"), /p\.yaml:6:18: .*no signer "kk" is defined \(did you mean k\?/],
    [rule("    signatures: {signers: {atLeast: 2, of: [k]}}\n"), /got 2, want at most 1/],
    [rule("    signatures: {signers: {atLeast: 2, of: k}}\n"), /"k" is one key, and counts once/],
    [rule("    insecureAcceptAnything: true\n    signatures: {signers: k}\n"), /cannot be used with signatures/],
    [
      rule("    signatures: {signers: k, log: insecure-skip, logs: [a]}\n"),
      /logs cannot be used with log: insecure-skip/,
    ],
    [rule("    signatures: {signers: k, trust: t}\n"), /no trust "t" is defined/],
    [rule("    attestations: [{type: nonsense, signers: k}]\n"), /type: invalid predicate type: nonsense/],
    [rule("    attestations: [{type: vuln, signers: k, slsa: {builder: b}}]\n"), /slsa requires a provenance type/],
    [rule("    attestations: [{type: slsaprovenance1, signers: k, slsa: {}}]\n"), /demands nothing/],
    [rule("    attestations: [{type: slsaprovenance1, signers: k, slsa: {level: 3}}]\n"), /level requires builders/],
    [
      rule("    attestations: [{type: spdxjson, signers: k, vulnerabilities: {worst: low}}]\n"),
      /vulnerabilities requires type vuln/,
    ],
    [rule("    attestations: [{type: vuln, signers: k, vulnerabilities: {}}]\n"), /demands nothing/],
    [
      rule("    attestations: [{type: vuln, signers: k, policy: [{file: a.txt}]}]\n"),
      /expected a \.cue or \.rego file/,
    ],
    [`version: 1\nsigners: {k: {}}\n${RULE}`, /missing key or identity/],
    [`version: 1\nsigners: {k: {identity: a}}\n${RULE}`, /missing issuer/],
    [`version: 1\nsigners: {k: {key: a, issuer: b}}\n${RULE}`, /key cannot be used with identity/],
    [
      `version: 1\nsigners: {k: {identity: a, issuer: b, extensions: {sourceRepositoryUri: c}}}\n${RULE}`,
      /unknown extension \(did you mean sourceRepositoryURI/,
    ],
    [`version: 1\nsigners: {k: {identity: {regexp: "a)|(b"}, issuer: b}}\n${RULE}`, /error parsing regexp/],
    [`version: 1\nsigners: {k: {identity: {glob: "a***"}, issuer: b}}\n${RULE}`, /invalid glob/],
    [`version: 1\nsigners: {k: {key: a, until: 2026-02-31}}\n${RULE}`, /"2026-02-31" is not a time/],
    [`version: 1\nsigners: {k: {key: a, until: tomorrow}}\n${RULE}`, /until: got "tomorrow", want a time/],
    [`${HEAD}groups: {g: {any: [h]}, h: {any: [g]}}\n${RULE}`, /contains itself/],
    [`${HEAD}groups: {k: {any: [k]}}\n${RULE}`, /a signer is named "k" too/],
    [
      `${HEAD}rules:\n  - files: a\n    attestations: [{type: "https://slsa.dev/verification_summary/v1", signers: k, vsa: {verifier: v, resource: {own: true}}}]\n`,
      /files cannot be used with resource: \{own: true\}/,
    ],
    [`${HEAD}trust: {t: {}}\n${RULE}`, /names no trusted material/],
    [`${HEAD}denied: {digests: [{digest: "sha256:12"}]}\n${RULE}`, /is not a digest/],
    [`${HEAD}denied: {logEntries: [{log: AB, index: 1}]}\n${RULE}`, /is not a log id/],
  ];
  for (const [text, expected] of cases) assert.match(await refusal(text), expected);
});

test("readTrustPolicy: names of signers like those of JavaScript's objects are only names", async () => {
  const text = `version: 1\nsigners:\n  k: {key: a}\nrules:\n  - images: r.example/*\n    signatures: {signers: constructor}\n`;
  assert.match(await refusal(text), /no signer "constructor" is defined/);
});

test("readTrustPolicy: groups that stand for billions of signers -> refused at once; for 64 signers -> read", async () => {
  const names = (count: number, name: string) => `{any: [${Array(count).fill(name).join(", ")}]}`;
  const groups = (counts: readonly number[]) =>
    `groups:\n${counts.map((count, index) => `  g${index}: ${names(count, index === counts.length - 1 ? "k" : `g${index + 1}`)}\n`).join("")}`;
  const rule = "rules:\n  - images: r.example/*\n    signatures: {signers: g0}\n";
  assert.match(
    await refusal(`${HEAD}${groups([200, 200, 200, 200])}${rule}`),
    /^p\.yaml:5:3: groups\.g0: names more than 64 signers/,
  );
  assert.match(await refusal(`${HEAD}${groups([65])}${rule}`), /names more than 64 signers/);
  assert.equal((await read(`${HEAD}${groups([4, 4, 4])}${rule}`)).rules.length, 1);
  const different = Array(65).fill("{atLeast: 1, of: k}").join(", ");
  assert.match(await refusal(`${HEAD}groups: {g0: {all: [${different}]}}\n${rule}`), /names more than 64 signers/);
});

test("patterns: exact, glob and regular expression match the whole text", async () => {
  const pattern = async (text: string) => {
    const { signers } = await read(`version: 1\nsigners: {k: {identity: ${text}, issuer: i}}\n${RULE}`);
    const signer = signers.get("k");
    return signer?.kind === "identity" ? signer.identity : assert.fail();
  };
  const yes: [string, string][] = [
    ["a@r.example", "a@r.example"],
    ["{glob: 'https://github.com/acme/*/x@**'}", "https://github.com/acme/app/x@refs/tags/v1"],
    ["{regexp: 'a|b'}", "b"],
    ["{regexp: '(?i)A+'}", "aaa"],
  ];
  for (const [text, value] of yes) assert.ok((await pattern(text)).matches(value), text);
  const no: [string, string][] = [
    ["a@r.example", "a@r.example.com"],
    ["a.r.example", "aXr.example"],
    ["{glob: 'https://github.com/acme/*/x@**'}", "https://github.com/acme/a/b/x@refs/tags/v1"],
    ["{glob: 'https://github.com/acme/*'}", "https://github.com/acme-evil/app"],
    ["{regexp: 'a|b'}", "ab"],
    ["{regexp: 'a|b'}", "xb"],
    ["{regexp: 'a'}", "a\n"],
    ["{regexp: '(?m)^a$'}", "a\nb"],
  ];
  for (const [text, value] of no) assert.ok(!(await pattern(text)).matches(value), text);
  assert.match((await pattern("{glob: 'https://github.com/*/app'}")).loose ?? "", /owner/);
  assert.match((await pattern("{glob: '*@r.*'}")).loose ?? "", /domain/);
  assert.match((await pattern("{regexp: '.*'}")).loose ?? "", /unrelated/);
  assert.equal((await pattern("{glob: '*@r.example'}")).loose, undefined);
});

test("readTrustPolicy: mutated policies -> read or refused with a place, never another exception", async () => {
  const whole = `${HEAD}trust: {t: {trustedRoot: r.json}}\ngroups: {g: {atLeast: 1, of: [k]}}\n${RULE}    attestations:\n      - {type: slsaprovenance1, signers: g, slsa: {builder: {glob: "b/*"}}}\n`;
  const bits = ["[", "{", "}", ":", "- ", "\n", "null", "~", "&a ", "*a", '"', "|\n", "1", "\t", "__proto__", "any: "];
  await fc.assert(
    fc.asyncProperty(fc.nat(whole.length), fc.nat(20), fc.constantFrom(...bits), async (at, cut, bit) => {
      try {
        await read(whole.slice(0, at) + bit + whole.slice(at + cut));
      } catch (error) {
        assert.ok(error instanceof TsignError && error.code === "input", String(error));
        assert.match(error.message, /^p\.yaml/);
      }
    }),
    { numRuns: 1500 },
  );
});
