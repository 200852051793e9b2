import assert from "node:assert/strict";
import { Ajv2020 } from "ajv/dist/2020.js";

/** Elements of JUnit reports as Jenkins's schema of them (junit-10.xsd) has them: attributes, a star for required ones, and children. */
const JUNIT: Readonly<Record<string, { attributes: string; children: string; text?: true }>> = {
  testsuites: { attributes: "name time tests failures errors", children: "testsuite" },
  testsuite: {
    attributes: "name* tests* failures* errors* group time skipped timestamp hostname id package file log url",
    children: "testsuite properties testcase system-out system-err",
  },
  testcase: { attributes: "name* time classname group", children: "skipped error failure system-out system-err" },
  failure: { attributes: "type message", children: "", text: true },
  error: { attributes: "type message", children: "", text: true },
  "system-out": { attributes: "", children: "", text: true },
};

/** Fails unless a text is a well-formed JUnit report that follows the schema. Only the XML that tsign writes is understood. */
export function assertJunit(xml: string): void {
  assert.match(xml, /^<\?xml version="1\.0" encoding="UTF-8"\?>\n<testsuites/);
  const open: string[] = [];
  let end = 0;
  const body = xml.replace(/^<\?.*?\?>/, "");
  for (const found of body.matchAll(/<(\/?)([\w-]+)((?: [\w-]+="[^"<]*")*)(\/?)>/g)) {
    assertText(body.slice(end, found.index), open.at(-1));
    end = found.index + found[0].length;
    const [, close, name = "", attributes = "", empty] = found;
    if (close) {
      assert.equal(open.pop(), name);
      continue;
    }
    assertElement(name, attributes, open.at(-1));
    if (!empty) open.push(name);
  }
  assertText(body.slice(end), undefined);
  assert.deepEqual(open, []);
  const counted = { tests: "testcase", failures: "failure", errors: "error" };
  for (const [, start = ""] of body.matchAll(/<(testsuites? [^>]*)>/g)) {
    for (const [attribute, element] of Object.entries(counted)) {
      const stated = new RegExp(` ${attribute}="(\\d+)"`).exec(start)?.[1];
      assert.equal(
        Number(stated),
        body.match(new RegExp(`<${element}[ >]`, "g"))?.length ?? 0,
        `${attribute} in ${start}`,
      );
    }
  }
}

function assertElement(name: string, attributes: string, parent: string | undefined): void {
  const { attributes: known } = JUNIT[name] ?? assert.fail(`unknown element ${name}`);
  if (parent === undefined) assert.equal(name, "testsuites");
  else assert.ok(JUNIT[parent]?.children.split(" ").includes(name), `${name} in ${parent}`);
  const given = [...attributes.matchAll(/ ([\w-]+)="([^"]*)"/g)].map(([, key = "", value = ""]) => {
    assertText(value, "failure");
    return key;
  });
  assert.equal(new Set(given).size, given.length, `${name}: an attribute twice`);
  const names = known.split(" ");
  for (const key of given)
    assert.ok(
      names.some((each) => each.replace("*", "") === key),
      `${name}: ${key}`,
    );
  for (const key of names.filter((each) => each.endsWith("*")))
    assert.ok(given.includes(key.slice(0, -1)), `${name}: ${key}`);
}

/** Checks character data: no markup, no stray ampersand, only the characters of XML 1.0 (§2.2). */
function assertText(text: string, element: string | undefined): void {
  assert.doesNotMatch(text, /<|&(?!#\d+;)|]]>/);
  assert.doesNotMatch(text, /[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u);
  if (element === undefined || !JUNIT[element]?.text) assert.match(text, /^\s*$/, `text in ${element}`);
}

const text = { type: "string", minLength: 1 };
const message = {
  type: "object",
  required: ["text"],
  additionalProperties: false,
  // Links and placeholders would need a target and arguments (SARIF 2.1.0 §3.11.5, §3.11.6).
  properties: { text: { type: "string", pattern: "^(?:[^\\\\\\[\\]{}]|\\\\[\\\\\\[\\]]|\\{\\{|\\}\\})+$" } },
};
const properties = { type: "object" };
const object = (required: readonly string[], members: Readonly<Record<string, object>>) => ({
  type: "object",
  required,
  additionalProperties: false,
  properties: members,
});
/** The members of SARIF 2.1.0 that tsign writes, with the constraints of the specification (§3.13, §3.14, §3.18, §3.27). */
const SARIF = object(["version", "runs"], {
  $schema: { type: "string", pattern: "^https://" },
  version: { const: "2.1.0" },
  runs: {
    type: "array",
    items: object(["tool"], {
      tool: object(["driver"], {
        driver: object(["name"], {
          name: text,
          rules: {
            type: "array",
            uniqueItems: true,
            items: object(["id"], {
              id: text,
              name: { type: "string", pattern: "^[A-Za-z]+$" },
              shortDescription: message,
            }),
          },
        }),
      }),
      results: {
        type: "array",
        items: {
          ...object(["message"], {
            ruleId: text,
            ruleIndex: { type: "integer", minimum: 0 },
            kind: { enum: ["pass", "fail"] },
            level: { enum: ["none", "error"] },
            message,
            locations: {
              type: "array",
              items: object([], {
                physicalLocation: object(["artifactLocation"], {
                  // A URI reference (RFC 3986 §4.1) without a scheme.
                  artifactLocation: object(["uri"], {
                    uri: { type: "string", pattern: "^(?:[A-Za-z0-9\\-._~!$&'()*+,;=@/]|%[0-9A-F]{2})+$" },
                  }),
                  region: object(["startLine"], { startLine: { type: "integer", minimum: 1 } }),
                }),
                logicalLocations: {
                  type: "array",
                  items: object([], { name: text, fullyQualifiedName: text, kind: text }),
                },
              }),
            },
            partialFingerprints: { type: "object", additionalProperties: { type: "string" } },
            properties,
          }),
          // A result that is not a failure has no level (§3.27.10).
          anyOf: [
            { not: { required: ["kind"], properties: { kind: { const: "pass" } } } },
            { properties: { level: { const: "none" } } },
          ],
        },
      },
    }),
  },
});

const CODE_QUALITY = {
  type: "array",
  items: object(["description", "check_name", "fingerprint", "severity", "location"], {
    description: text,
    check_name: text,
    fingerprint: { type: "string", pattern: "^[0-9a-f]{64}$" },
    severity: { enum: ["info", "minor", "major", "critical", "blocker"] },
    location: object(["path", "lines"], {
      path: text,
      lines: object(["begin"], { begin: { type: "integer", minimum: 1 } }),
    }),
  }),
};

const ajv = new Ajv2020({ allErrors: true, strict: false });
const isSarif = ajv.compile(SARIF);
const isCodeQuality = ajv.compile(CODE_QUALITY);

/** Fails unless a document is a SARIF 2.1.0 log of the members that tsign writes. */
export function assertSarif(document: unknown): void {
  assert.ok(isSarif(document), ajv.errorsText(isSarif.errors));
}

/** Fails unless a document is what GitLab reads as a Code Quality report, with unique fingerprints. */
export function assertCodeQuality(document: unknown): void {
  assert.ok(isCodeQuality(document), ajv.errorsText(isCodeQuality.errors));
  const prints = (document as { fingerprint: string }[]).map(({ fingerprint }) => fingerprint);
  assert.equal(new Set(prints).size, prints.length);
}
