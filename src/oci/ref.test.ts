import assert from "node:assert/strict";
import { test } from "node:test";
import { TsignError } from "../errors.ts";
import { formatReference, parseReference, parseRepository, withDigest } from "./ref.ts";

const SHA256 = `sha256:${"a".repeat(64)}`;
const SHA512 = `sha512:${"b".repeat(128)}`;

test("parseReference: same result as go-containerregistry", () => {
  const cases: [string, string][] = [
    ["ubuntu", "index.docker.io/library/ubuntu:latest"],
    ["me/app:v1", "index.docker.io/me/app:v1"],
    ["docker.io/library/ubuntu", "index.docker.io/library/ubuntu:latest"],
    ["docker.io/ubuntu", "index.docker.io/library/ubuntu:latest"],
    ["index.docker.io/ubuntu", "index.docker.io/library/ubuntu:latest"],
    ["docker.io/me/app", "index.docker.io/me/app:latest"],
    ["registry-1.docker.io/app", "registry-1.docker.io/app:latest"],
    [`registry.example/app:${"v".repeat(128)}`, `registry.example/app:${"v".repeat(128)}`],
    ["registry.example/app", "registry.example/app:latest"],
    ["registry.example:5000/a/b:v1.2_3-4", "registry.example:5000/a/b:v1.2_3-4"],
    ["localhost/app:v1", "localhost/app:v1"],
    ["localhost:5000/app", "localhost:5000/app:latest"],
    ["[2001:db8::1]:5000/app:v1", "[2001:db8::1]:5000/app:v1"],
    [`registry.example/app@${SHA256}`, `registry.example/app@${SHA256}`],
    [`registry.example/app:v1@${SHA256}`, `registry.example/app@${SHA256}`],
    [`registry.example/app@${SHA512}`, `registry.example/app@${SHA512}`],
    ["r.example/foo--bar/x", "r.example/foo--bar/x:latest"],
  ];
  for (const [text, name] of cases) assert.equal(formatReference(parseReference(text)), name);
});

test("parseReference: invalid reference -> error that quotes it", () => {
  const wrong = [
    "",
    "not a reference!",
    "registry.example/UPPER",
    "UPPER/Case@sha256:00",
    "registry.example/app:",
    "[:81]:5000/app",
    "registry.example:70000/app",
    "registry.example/app:v 1",
    "registry.example/app@sha256:abc",
    `registry.example/app@${SHA256.toUpperCase()}`,
    `registry.example/app@md5:${"a".repeat(32)}`,
    `a@${SHA256}@${SHA256}`,
    "http://registry.example/app",
    "registry.example/",
    "a",
    "registry.example/a",
    "docker.io/a",
    `registry.example/app:@${SHA256}`,
    `registry.example/app:${"v".repeat(129)}`,
  ];
  for (const text of wrong) {
    assert.throws(
      () => parseReference(text),
      (error) =>
        error instanceof TsignError && error.code === "input" && error.message.includes("could not parse reference"),
      text,
    );
  }
});

test("withDigest, parseRepository: pinned reference, repository without tag", () => {
  const pinned = withDigest(parseReference("registry.example/app:v1"), `sha256:${"c".repeat(64)}`);
  assert.equal(formatReference(pinned), `registry.example/app@sha256:${"c".repeat(64)}`);
  assert.equal(parseRepository("registry.example/sigs").name, "registry.example/sigs");
});

test('parseReference, parseRepository: "." or ".." segment -> refused', () => {
  for (const path of [
    "..",
    ".",
    "a/..",
    "../a",
    "a/../b",
    "a/./b",
    "allowed/../victim/app",
    "a/b/..",
    "./a/b",
    "a/../../b",
  ]) {
    for (const registry of ["registry.example/", "localhost:5000/", "docker.io/", ""]) {
      const text = `${registry}${path}`;
      for (const full of [text, `${text}:v1`, `${text}@sha256:${"0".repeat(64)}`]) {
        assert.throws(() => parseReference(full), { code: "input" }, full);
      }
      assert.throws(() => parseRepository(text), { code: "input" }, text);
    }
  }
  for (const text of [
    "registry.example/a.b/c",
    "registry.example/a..b/c",
    "registry.example/.a/b.",
    "registry.example/.../a",
  ]) {
    assert.ok(parseReference(text), text);
  }
});

test("parseReference: URL, transport prefix, image ID or path -> refused, and the hint says what to type", () => {
  const id = "0123456789ab".padEnd(64, "0");
  const refused: [string, RegExp, RegExp][] = [
    ["oci://ghcr.io/a/b:1", /prefix "oci:\/\/"/, /^remove oci:\/\/ and type ghcr\.io\/a\/b:1$/],
    ["docker://alpine", /prefix "docker:\/\/"/, /^remove docker:\/\/ and type alpine$/],
    ["https://ghcr.io/a/b:1", /prefix "https:\/\/"/, /type ghcr\.io\/a\/b:1$/],
    ["http://ghcr.io/v2/a/b", /prefix "http:\/\/"/, /type ghcr\.io\/a\/b$/],
    [
      "https://bob:canary@ghcr.io/a/b:1",
      /parse reference: https:\/\/ghcr\.io\/a\/b:1: the prefix "https:/,
      /type ghcr\.io\/a\/b:1$/,
    ],
    ["docker-daemon:app:1", /prefix "docker-daemon:"/, /--local-image/],
    ["containers-storage:[x]app", /prefix "containers-storage:"/, /--local-image/],
    ["oci:./folder:tag", /prefix "oci:"/, /--local-image/],
    ["oci:folder/image:tag", /prefix "oci:"/, /--local-image/],
    ["dir:/saved", /prefix "dir:"/, /--local-image/],
    ["oci-archive:/x.tar", /prefix "oci-archive:"/, /--local-image/],
    [id, /it is a digest or an image ID/, new RegExp(`registry/repository@sha256:${id}$`)],
    [`sha256:${id}`, /it is a digest or an image ID/, new RegExp(`registry/repository@sha256:${id}$`)],
    ["sha256:0123456789ab", /it is a digest or an image ID/, /registry/],
    ["0123456789ab", /looks like the ID of a local image/, /library\/0123456789ab/],
    ["./saved", /it is a path/, /--local-image/],
    ["../saved:1", /it is a path/, /--local-image/],
    ["/srv/saved", /it is a path/, /--local-image/],
    ["localhost:5000/x:1", /"x" is too short: expected 2 to 255 characters/, /two characters/],
    ["x", /"x" is too short/, /two characters/],
  ];
  for (const [text, message, hint] of refused) {
    assert.throws(
      () => parseReference(text),
      (error: TsignError) => {
        assert.match(error.message, message, text);
        assert.match(error.hint ?? "", hint, text);
        assert.doesNotMatch(`${error.message}${error.hint}`, /canary/);
        return true;
      },
    );
  }
  const taken: [string, string][] = [
    ["docker:latest", "index.docker.io/library/docker"],
    ["oci:latest", "index.docker.io/library/oci"],
    ["oci:5000/app", "oci:5000/app"],
    ["registry:5000/app:1", "registry:5000/app"],
    ["library/0123456789ab", "index.docker.io/library/0123456789ab"],
    ["deadbeefcafe", "index.docker.io/library/deadbeefcafe"],
    ["0123456789ab:v1", "index.docker.io/library/0123456789ab"],
    [`sha256@sha256:${id}`, "index.docker.io/library/sha256"],
    ["localhost:5000/x/y", "localhost:5000/x/y"],
  ];
  for (const [text, name] of taken) assert.equal(parseReference(text).name, name, text);
  assert.throws(() => parseRepository("https://ghcr.io/a/b"), /prefix "https:\/\/"/);
});
