import assert from "node:assert/strict";
import { test } from "node:test";
import { parseReference } from "../oci/ref.ts";
import { isCovered, matchesGlob, parseGlob } from "./glob.ts";
import { matchesFile, matchesImage, parseFilePattern, parseImagePattern } from "./image-names.ts";

const glob = (text: string) => parseGlob(text) ?? assert.fail(text);

function matches(pattern: string, image: string): boolean {
  const parsed = parseImagePattern(pattern);
  if ("wrong" in parsed) assert.fail(`${pattern}: ${parsed.wrong}`);
  return matchesImage(parsed, parseReference(image));
}

const HEX = "a".repeat(64);

test("image pattern: * within one part of a path, ** across parts, at every boundary", () => {
  const cases: [pattern: string, yes: string[], no: string[]][] = [
    [
      "r.example/app",
      ["r.example/app", "r.example/app:v1", `r.example/app@sha256:${HEX}`],
      ["r.example/app2", "r.example/a/app", "r.example/app/x", "r.example:5000/app"],
    ],
    [
      "r.example/team/*",
      ["r.example/team/app"],
      ["r.example/team/a/b", "r.example/teams/app", "r.example/team", "x.r.example/team/app"],
    ],
    [
      "r.example/team/**",
      ["r.example/team/app", "r.example/team/a/b"],
      ["r.example/teams/app", "r.example/team", "r.example/other/team/app"],
    ],
    ["r.example/*/app", ["r.example/a/app"], ["r.example/a/b/app", "r.example/app", "r.example/a/app2"]],
    ["r.example/**/app", ["r.example/a/app", "r.example/a/b/app"], ["r.example/app", "r.example/a/app/x"]],
    ["r.example/app-*", ["r.example/app-1"], ["r.example/app", "r.example/app-1/x", "r.example/xapp-1"]],
    [
      "*.r.example/app",
      ["a.r.example/app", "a.b.r.example/app"],
      ["r.example/app", "ar.example/app", "a.r.example/x/app"],
    ],
    [
      "r.example/app:v*",
      ["r.example/app:v1"],
      ["r.example/app", "r.example/app:1v", `r.example/app@sha256:${HEX}`, `r.example/app:v1@sha256:${HEX}`],
    ],
    ["**", ["r.example/a/b", "nginx", "localhost:5000/x/y"], []],
    ["r.example:5000/*", ["r.example:5000/app", "r.example:05000/app"], ["r.example/app", "r.example:5001/app"]],
  ];
  for (const [pattern, yes, no] of cases) {
    for (const image of yes) assert.ok(matches(pattern, image), `${pattern} ${image}`);
    for (const image of no) assert.ok(!matches(pattern, image), `${pattern} ${image}`);
  }
});

test("image pattern: Docker Hub by any of its names, and other spellings of a host, are the same registry", () => {
  for (const pattern of ["docker.io/nginx", "docker.io/library/nginx", "index.docker.io/library/nginx"]) {
    for (const image of [
      "nginx",
      "docker.io/nginx:1",
      "index.docker.io/library/nginx",
      "registry-1.docker.io/library/nginx",
      "registry.hub.docker.com/library/nginx",
    ]) {
      assert.ok(matches(pattern, image), `${pattern} ${image}`);
    }
    assert.ok(!matches(pattern, "acme/nginx"));
    assert.ok(!matches(pattern, "quay.io/library/nginx"));
  }
  assert.ok(matches("docker.io/*", "nginx") && !matches("docker.io/*", "acme/nginx"));
  for (const pattern of ["docker.io/**", "docker.io/**nginx", "docker.io/acm*/**", "docker.io/acme/**"]) {
    assert.ok(matches(pattern, "acme/nginx"), pattern);
  }
  for (const image of ["R.Example/app", "r.example:443/app", "r.example./app", "R.EXAMPLE.:443/app"]) {
    assert.ok(matches("r.example/app", image), image);
  }
  assert.ok(matches("R.example:443/app", "r.example/app"));
  for (const image of ["10.0.0.5:80/app", "10.0.0.5:080/app", "10.5:80/app"]) {
    assert.ok(matches("10.0.0.5/app", image), image);
  }
  assert.ok(matches("10.0.0.5:80/app", "10.0.0.5/app"));
  assert.ok(!matches("10.0.0.5/app", "10.0.0.5:8080/app") && !matches("[fe80::80]/app", "[fe80::]/app"));
  for (const image of ["127.1:5000/app", "2130706433:5000/app", "0x7f.0.0.1:5000/app", "127.0.0.1.:05000/app"]) {
    assert.ok(matches("127.0.0.1:5000/app", image), image);
  }
  assert.ok(matches("[::1]:5000/app", "[0:0:0:0:0:0:0:1]:5000/app"));
  assert.ok(!matches("127.0.0.1:5000/app", "127.0.0.2:5000/app"));
});

test("image pattern: an empty part in the path of an image does not escape from the rule for its repository", () => {
  for (const image of ["r.example//prod/app", "r.example/prod//app:v1", `r.example/prod/app/@sha256:${HEX}`]) {
    for (const pattern of ["r.example/prod/app", "r.example/prod/*", "r.example/prod/**"]) {
      assert.ok(matches(pattern, image), `${pattern} ${image}`);
    }
    assert.ok(!matches("r.example/prod", image) && !matches("r.example/*", image), image);
  }
});

test("image pattern: invalid -> refused with what to write", () => {
  const wrong = (pattern: string) => {
    const parsed = parseImagePattern(pattern);
    return "wrong" in parsed ? parsed.hint : assert.fail(pattern);
  };
  assert.match(wrong("nginx"), /docker\.io\/library\/nginx/);
  assert.match(wrong("acme/app"), /docker\.io\/acme\/app/);
  for (const pattern of [
    "",
    "*",
    "*/app",
    "**/app",
    "r.*/app",
    "*r.example/app",
    "r.example/***",
    "r.example/a?",
    "r.example/{a,b}",
  ])
    wrong(pattern);
  for (const pattern of [
    `r.example/app@sha256:${HEX}`,
    "r.example/",
    "r.example//a",
    "r.example/a:",
    "r.example/a:b:c",
    "r.example/a:b/c",
    "r.example/App",
    "docker.io/acme**",
    "Index.Docker.io/acme**x",
  ])
    wrong(pattern);
  for (const pattern of ["r.example/ app", "r.example/äpp", `r.example/${"a".repeat(600)}`]) wrong(pattern);
});

test("file pattern matches the name without its folder, and nothing else", () => {
  const pattern = parseFilePattern("app-*.tar.gz");
  for (const path of ["app-1.tar.gz", "dist/app-1.tar.gz", "/a/b/app-.tar.gz", "C:\\x\\app-1.tar.gz"])
    assert.ok(matchesFile(pattern, path), path);
  for (const path of ["app-1.tar.gz.sig", "xapp-1.tar.gz", "app-1.tar.gz/x", "app.tar.gz"])
    assert.ok(!matchesFile(pattern, path), path);
  for (const text of ["", "dist/*", "a\\b", "**"]) assert.throws(() => parseFilePattern(text), { code: "input" });
});

test("matchesGlob: many stars and a long text -> no long search", () => {
  const started = performance.now();
  assert.ok(!matchesGlob(glob(`${"**a".repeat(120)}b`), "a".repeat(255)));
  assert.ok(!matchesGlob(glob(`${"*a".repeat(120)}b`), "a".repeat(255)));
  assert.ok(performance.now() - started < 2000);
});

test("isCovered: a glob whose texts are all matched by earlier ones, and its twins that are not", () => {
  const cases: [string, string[], boolean][] = [
    ["r/a", ["r/*"], true],
    ["r/a", ["r/b"], false],
    ["r/*", ["r/**"], true],
    ["r/**", ["r/*"], false],
    ["r/*", ["**"], true],
    ["r/a*", ["r/*"], true],
    ["r/*a", ["r/a*"], false],
    ["r/**/x", ["r/**"], true],
    ["r/**", ["r/**/x"], false],
    ["r/a", ["q/*", "r/a"], true],
    ["r/*", [], false],
    ["**", ["**"], true],
    ["r/*b*", ["r/b*", "r/*b"], false],
  ];
  for (const [pattern, others, covered] of cases) {
    assert.equal(isCovered(glob(pattern), others.map(glob)), covered, `${pattern} by ${others.join(" ")}`);
  }
});
