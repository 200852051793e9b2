import assert from "node:assert/strict";
import { test } from "node:test";
import { TsignError } from "../errors.ts";
import { parseReference } from "../oci/ref.ts";
import { mirrorsOf } from "./mirrors.ts";
import { readTrustPolicy } from "./read.ts";

const read = (mirrors: string) =>
  readTrustPolicy(
    `version: 1\nmirrors: ${mirrors}\nsigners: {k: {key: k.pub}}\nrules: [{images: "**", signatures: {signers: k}}]\n`,
    "p.yaml",
  );

test("mirrorsOf: names below the longest source, in any spelling -> its mirrors in order, and no others", async () => {
  const policy = await read(
    "[{source: docker.io/library, mirror: m.example/library}, {source: docker.io, mirror: m.example:5000/hub, tags: false}, " +
      "{source: r.example/team, mirror: one.example}, {source: R.example:443/team, mirror: two.example/t, only: true}, " +
      "{source: r.example/app, mirror: three.example}]",
  );
  const places = (image: string) => {
    const found = mirrorsOf(policy, parseReference(image));
    return (
      found && [...found.places.map(({ repository }) => repository.name), ...(found.only ? ["only"] : [])].join(" ")
    );
  };
  const cases: [image: string, expected: string | undefined][] = [
    ["nginx:1", "m.example/library/nginx"],
    [`docker.io/library/nginx@sha256:${"0".repeat(64)}`, "m.example/library/nginx"],
    ["registry-1.docker.io/nginx", "m.example/library/nginx"],
    ["acme/app", "m.example:5000/hub/acme/app"],
    ["r.example/team/a/b", "one.example/a/b two.example/t/a/b only"],
    ["r.example:443/team//a", "one.example/a two.example/t/a only"],
    ["r.example:80/team/a", "one.example/a two.example/t/a only"],
    ["r.example/teams/a", undefined],
    ["r.example/other", undefined],
    ["r.example:5000/team/a", undefined],
    ["m.example/library/nginx", undefined],
  ];
  for (const [image, expected] of cases) assert.equal(places(image), expected, image);
  const [place = assert.fail()] = mirrorsOf(policy, parseReference("acme/app"))?.places ?? [];
  const { registry, repository } = place.repository;
  assert.deepEqual([registry, repository, place.tags], ["m.example:5000", "hub/acme/app", false]);
});

test("readTrustPolicy: a mirror that cannot be meant -> refused, with its place", async () => {
  const cases: [mirrors: string, expected: RegExp][] = [
    ["[]", /mirrors: empty/],
    ["[{source: r.example}]", /mirrors\[0\]\.mirror: missing/],
    ["[{source: library, mirror: m.example}]", /mirrors\[0\]\.source: "library" is not a registry/],
    ["[{source: r.example/App, mirror: m.example}]", /"r\.example\/App" is not a registry/],
    ['[{source: "r.example/*", mirror: m.example}]', /is not a registry/],
    ["[{source: r.example/, mirror: m.example}]", /is not a registry/],
    ["[{source: r.example/../x, mirror: m.example}]", /is not a registry/],
    ['[{source: r.example, mirror: "https://m.example"}]', /mirrors\[0\]\.mirror: "https:/],
    ['[{source: r.example, mirror: "user:pw@m.example"}]', /mirrors\[0\]\.mirror: /],
    ["[{source: docker.io, mirror: index.docker.io}]", /mirror is the source/],
    ["[{source: r.example, mirror: m.example, only: true, tags: false}]", /tags: false cannot be used with only: true/],
    ["[{source: r.example, mirror: m.example, only: false}]", /only: got "?false"?, want true/],
    ["[{source: r.example, mirrors: [m.example]}]", /mirrors: unknown field|mirror: missing/],
  ];
  for (const [mirrors, expected] of cases) {
    await assert.rejects(read(mirrors), (error: unknown) => {
      assert.ok(error instanceof TsignError && error.code === "input", String(error));
      assert.match(error.message, /^p\.yaml:2:/);
      assert.match(error.message, expected, mirrors);
      return true;
    });
  }
});
