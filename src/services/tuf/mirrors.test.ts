import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { CARRIED_TRUST } from "../../version.ts";
import { DEFAULT_MIRROR, STAGING_MIRROR } from "./addresses.ts";
import { embeddedRoot, parseMirror } from "./mirrors.ts";

test("the versions of the built-in roots are those that `tsign version` prints", () => {
  const manifest = new URL("../../../node_modules/@sigstore/tuf/package.json", import.meta.url);
  const { name, version } = JSON.parse(readFileSync(manifest, "utf8"));
  assert.equal(CARRIED_TRUST.package, `${name} ${version}`);
  const { signed } = JSON.parse(Buffer.from(embeddedRoot(new URL(DEFAULT_MIRROR)) ?? "").toString("utf8"));
  assert.equal(CARRIED_TRUST.rootVersion, signed.version);
  assert.equal(CARRIED_TRUST.rootExpires, signed.expires);
});

test("embeddedRoot: returns the roots of the public and staging instance only", () => {
  assert.ok(embeddedRoot(new URL(`${STAGING_MIRROR}/`)));
  assert.equal(embeddedRoot(new URL("https://tuf-repo-cdn.sigstore.dev.evil.example")), undefined);
});

test("parseMirror: accepts http(s) URLs and file URLs of this machine", () => {
  for (const good of ["https://tuf.example/repo", "http://127.0.0.1:8080", "file:///media/usb/repository"]) {
    assert.equal(parseMirror(good, "--mirror").href.replace(/\/$/, ""), good);
  }
  for (const bad of ["ftp://tuf.example", "file://tuf.example/repo", "file:///", "repository", ""]) {
    assert.throws(() => parseMirror(bad, "--mirror"), {
      code: "input",
      message: /--mirror is not the URL of a TUF mirror/,
    });
  }
});
