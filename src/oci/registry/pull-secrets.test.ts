import assert from "node:assert/strict";
import { test } from "node:test";
import { parseReference } from "../ref.ts";
import type { DockerConfig } from "./docker-config.ts";
import { pullCredentials } from "./pull-secrets.ts";

const basic = (username: string) => ({ username, password: "secret" });
const config = (...keys: readonly string[]): DockerConfig => ({
  auths: Object.fromEntries(keys.map((key) => [key, basic(key)])),
});
/** The key whose credentials an image gets. */
function keyFor(image: string, ...configs: readonly DockerConfig[]): string | undefined {
  const found = pullCredentials(configs, parseReference(image));
  if (found === undefined) return undefined;
  assert.ok(found.kind === "password");
  return found.username;
}

test("pull secrets: a key matches its host, port and path, and nothing else", () => {
  const cases: readonly [key: string, yes: readonly string[], no: readonly string[]][] = [
    [
      "r.example",
      ["r.example/app", "R.Example/team/app", "r.example/a/b:v1"],
      ["r.example:5000/app", "x.r.example/app", "r.example.evil/app", "xr.example/app", "evil.example/r.example/app"],
    ],
    ["https://r.example/v1/", ["r.example/app"], ["other.example/app"]],
    ["r.example:5000", ["r.example:5000/app"], ["r.example/app", "r.example:50001/app"]],
    ["r.example/team", ["r.example/team/app", "r.example/team/a/b"], ["r.example/teams/app", "r.example/app/team"]],
    ["*.example", ["eu.example/app"], ["example.evil/app", "a.b.example/app", "xexample:443/app"]],
    ["eu-*.example", ["eu-1.example/app", "eu-.example/app"], ["us-1.example/app", "eu-1.x.example/app"]],
    ["a*b*a.example", ["axbya.example/app", "aba.example/app"], ["aa.example/app", "ab.example/app"]],
    ["docker.io", ["nginx", "docker.io/team/app", "registry-1.docker.io/team/app"], ["xdocker.io/app/app"]],
    ["https://index.docker.io/v1/", ["nginx:1"], ["r.example/app"]],
    ["**********************.example", [], ["a.b.example/app", `${"a".repeat(63)}.evil/app`]],
  ];
  for (const [key, yes, no] of cases) {
    for (const image of yes) assert.equal(keyFor(image, config(key)), key, `${key} ${image}`);
    for (const image of no) assert.equal(keyFor(image, config(key)), undefined, `${key} ${image}`);
  }
});

test("pull secrets: the longest path decides, and empty entries and helpers are passed over", () => {
  const all = config("r.example", "r.example/team", "r.example/team/app", "*.example");
  assert.equal(keyFor("r.example/team/app", all), "r.example/team/app");
  assert.equal(keyFor("r.example/team/x", config("r.example"), config("r.example/team")), "r.example/team");
  assert.equal(keyFor("x.example/team/app", all), "*.example");
  const helper: DockerConfig = { credsStore: "evil", credHelpers: { "r.example": "evil" }, auths: { "r.example": {} } };
  assert.equal(keyFor("r.example/team/app", helper), undefined);
  assert.equal(keyFor("r.example/app1", helper, config("r.example")), "r.example");
  assert.throws(() => keyFor("r.example/app", { auths: { "r.example": { auth: "eA==" } } }), { code: "input" });
});
