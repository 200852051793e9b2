import assert from "node:assert/strict";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { systemFiles } from "../src/io/files.ts";
import type { Files } from "../src/io/io.ts";
import { testSigstore } from "./support/sandbox.ts";
import { storageWorkshop } from "./support/storage.ts";
import { NO_LOG, OFFLINE, run, temporaryFolder } from "./support/test-io.ts";

/** A file system that records every write and creation. */
function watchedFiles(cwd: string): { files: Files; written: string[] } {
  const written: string[] = [];
  const real = systemFiles(cwd);
  const files: Files = {
    ...real,
    makeDirectory: (path, options) => {
      written.push(path);
      return path.startsWith(cwd) ? real.makeDirectory(path, options) : Promise.resolve();
    },
    replace: (path, data, options) => {
      written.push(path);
      return path.startsWith(cwd) ? real.replace(path, data, options) : Promise.resolve();
    },
  };
  return { files, written };
}

test("HOME unset -> nothing written to /; HOME missing -> not created", async (t) => {
  const sigstore = await testSigstore();
  const cwd = temporaryFolder(t);
  writeFileSync(join(cwd, "blob"), "content");
  for (const [name, text] of Object.entries(sigstore.files)) writeFileSync(join(cwd, name), text);
  const absent = join(cwd, "no/such/home");
  const homes: [string | undefined, RegExp][] = [
    [undefined, /HOME is not set/],
    ["", /HOME is not set/],
    [absent, /HOME is not a folder: \S+/],
    [join(cwd, "blob"), /HOME is not a folder: \S+/],
  ];
  for (const [home, reason] of homes) {
    const { files, written } = watchedFiles(cwd);
    const env = { HOME: home, TUF_MIRROR: sigstore.at.tuf, TUF_ROOT_JSON: "tuf_root.json" };
    const io = { ...sigstore.io, files };
    const line = [
      "sign-blob",
      "--yes",
      "--identity-token",
      sigstore.mint("me@example.com"),
      "--bundle",
      "out.json",
      "blob",
    ];
    const signed = await run(line, { cwd, env, io });
    const warning = new RegExp(`^WARNING: cannot cache trust material: ${reason.source}`, "gm");
    assert.equal(signed.stderr.match(warning)?.length, 1, "once, whatever is fetched");
    const initialized = await run(["initialize", "--mirror", sigstore.at.tuf, "--root", "tuf_root.json"], {
      cwd,
      env,
      io,
    });
    assert.equal(initialized.code, 1);
    assert.match(initialized.stderr, reason);
    assert.match(initialized.stderr, /^hint: .*TUF_ROOT/m);
    assert.deepEqual(
      written.filter((path) => !path.startsWith(cwd) || path.startsWith(absent)),
      [],
    );
    assert.equal(existsSync(absent), false);
    const named = { ...env, TUF_ROOT: join(cwd, "tuf") };
    const kept = await run(["initialize", "--mirror", sigstore.at.tuf, "--root", "tuf_root.json"], {
      cwd,
      env: named,
      io,
    });
    assert.equal(kept.code, 0, kept.stderr);
  }
  const http = () => Promise.resolve({ status: 200, headers: {}, body: (async function* () {})(), discard() {} });
  const login = await run(["login", "r.example", "-u", "a", "-p", "b"], {
    cwd,
    env: { HOME: undefined },
    io: { http },
  });
  assert.equal(login.code, 1);
  assert.match(login.stderr, /store login: HOME is not set\nhint: .*DOCKER_CONFIG/);
});

test("prompt without a terminal -> error names the flag that answers it", async (t) => {
  const { cwd, env, image, tsign, sign } = await storageWorkshop(t);
  await sign();
  const refused = await tsign("clean", image);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /^Error: ask for confirmation: stdin is not a terminal\nhint: pass --force/m);
  const declined = await run(["clean", image], { cwd, env, stdin: "n\n" });
  assert.match(declined.stderr, /Error: user declined the prompt/);
  assert.equal((await tsign("verify", "--key", "a.pub", NO_LOG, image)).code, 0, "it is still signed");
  const again = await tsign("generate-key-pair", "--output-key-prefix", "a");
  assert.match(again.stderr, /stdin is not a terminal\nhint: pass --output-key-prefix/);
  const key = ["--key", "a.key", ...OFFLINE];
  assert.equal((await run(["sign", ...key, image], { cwd, env })).code, 0, "nothing is asked without a log");
});

test("initialize: mirror without metadata -> hint names --mirror, not --trusted-root", async (t) => {
  const sigstore = await testSigstore();
  const cwd = temporaryFolder(t);
  for (const [name, text] of Object.entries(sigstore.files)) writeFileSync(join(cwd, name), text);
  const initialize = (mirror: string) =>
    run(["initialize", "--mirror", mirror, "--root", "tuf_root.json"], {
      cwd,
      env: { TUF_ROOT: join(cwd, "tuf") },
      io: sigstore.io,
    });
  const refused = await initialize(`${sigstore.at.tuf}/absent`);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /^hint: check that timestamp\.json is in the folder of --mirror/m);
  assert.doesNotMatch(refused.stderr, /--trusted-root/);
  const done = await initialize(sigstore.at.tuf);
  assert.equal(done.code, 0, done.stderr);
});
