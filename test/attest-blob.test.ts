import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { writeKeyPairs } from "./support/key-pairs.ts";
import { LEGACY, NO_LOG, OFFLINE, run, temporaryFolder } from "./support/test-io.ts";

const TYPE = "https://ci.example/type";
const CONTENT = "content\n";
const hexOf = (text: string, algorithm = "sha256") => createHash(algorithm).update(text).digest("hex");

async function workshop(t: TestContext) {
  const cwd = temporaryFolder(t);
  const env = { COSIGN_PASSWORD: "pw" };
  const tsign = (argv: readonly string[], stdin = "") => run([...argv], { cwd, env, stdin });
  const write = (name: string, content: string) => writeFileSync(join(cwd, name), content);
  const read = (name: string) => readFileSync(join(cwd, name), "utf8");
  writeKeyPairs(cwd, "cosign");
  write("file", CONTENT);
  write("other", "other\n");
  write("p", '{"n":1}');
  const attest = (...flags: string[]) =>
    tsign(["attest-blob", "--key", "cosign.key", ...OFFLINE, "--type", TYPE, ...flags]);
  const verify = (...flags: string[]) =>
    tsign(["verify-blob-attestation", "--key", "cosign.pub", NO_LOG, "--type", TYPE, ...flags]);
  /** Attests a file and requires success. */
  const made = async (...flags: string[]) => {
    const outcome = await attest(...flags);
    assert.equal(outcome.code, 0, outcome.stderr);
    return outcome;
  };
  return { cwd, tsign, write, read, attest, verify, made };
}

test("attest-blob: both forms contain the same name, digest, type and predicate", async (t) => {
  const { read, verify, made } = await workshop(t);
  await made("--predicate", "p", "--bundle", "b", "file");
  const legacy = ["--output-signature", "e", "--output-attestation", "s", "--bundle", "lb"];
  const { stdout } = await made(LEGACY, "--predicate", "p", ...legacy, "file");
  assert.equal(stdout, "");
  const printed = await made(LEGACY, "--predicate", "p", "file");
  const payloads = [JSON.parse(read("b")).dsseEnvelope, JSON.parse(read("e")), JSON.parse(printed.stdout)];
  for (const { payload } of payloads) assert.equal(Buffer.from(payload, "base64").toString(), read("s"));
  assert.deepEqual(JSON.parse(read("s")), {
    _type: "https://in-toto.io/Statement/v0.1",
    subject: [{ name: "file", digest: { sha256: hexOf(CONTENT) } }],
    predicateType: TYPE,
    predicate: { n: 1 },
  });
  for (const evidence of [
    ["--bundle", "b"],
    ["--bundle", "lb"],
    ["--signature", "e"],
  ]) {
    const good = await verify(...evidence, "file");
    assert.deepEqual([good.code, good.stdout], [0, ""], good.stderr);
    assert.match(good.stderr, /^Verified OK$/m);
    for (const bad of [
      [...evidence, "other"],
      [...evidence, "--type", "custom", "file"],
    ]) {
      const refused = await verify(...bad);
      assert.equal(refused.code, 1, bad.join(" "));
      assert.doesNotMatch(refused.stderr, /Verified OK/);
    }
  }
});

test("attest-blob: output files have mode 0600; unwritable output -> refused before signing", async (t) => {
  const { cwd, attest, made } = await workshop(t);
  await made("--predicate", "p", "--bundle", "b", "--output-signature", "e", "--output-attestation", "s", "file");
  for (const name of ["b", "e", "s"]) assert.equal(statSync(join(cwd, name)).mode & 0o777, 0o600, name);
  for (const flag of ["--output-certificate", "--rfc3161-timestamp-bundle"]) {
    const refused = await attest(LEGACY, "--predicate", "p", flag, "c", "--output-signature", "e2", "file");
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /write (certificate|timestamp) c: /);
    const warned = await made("--predicate", "p", flag, "c", "--bundle", "b2", "file");
    assert.match(warned.stderr, new RegExp(`WARNING: ${flag} is ignored: `), "a bundle needs no such file");
  }
  assert.deepEqual([existsSync(join(cwd, "e2")), existsSync(join(cwd, "c"))], [false, false]);
});

test("attest-blob --hash: replaces the file, which is not read; not a SHA-256 -> refused", async (t) => {
  const { attest, verify, made } = await workshop(t);
  for (const hash of [hexOf(CONTENT), hexOf(CONTENT).toUpperCase()]) {
    await made("--predicate", "p", "--bundle", "b", "--hash", hash, "missing");
    assert.equal((await verify("--bundle", "b", "file")).code, 0);
    assert.equal((await verify("--bundle", "b", "other")).code, 1);
  }
  for (const hash of ["abc", hexOf(CONTENT, "sha512"), "z".repeat(64)]) {
    const refused = await attest("--predicate", "p", "--bundle", "c", "--hash", hash, "file");
    assert.match(refused.stderr, /--hash is not a SHA-256/);
    assert.equal(refused.code, 1);
  }
});

test("attest-blob: file or predicate from stdin, not both; no file -> refused", async (t) => {
  const { tsign, attest, verify } = await workshop(t);
  const base = ["attest-blob", "--key", "cosign.key", ...OFFLINE, "--type", TYPE, "--bundle", "b"];
  assert.equal((await tsign([...base, "--predicate", "p", "-"], CONTENT)).code, 0);
  assert.equal((await verify("--bundle", "b", "file")).code, 0);
  assert.equal((await tsign([...base, "--predicate", "-", "file"], '{"from":"stdin"}')).code, 0);
  assert.equal((await verify("--bundle", "b", "file")).code, 0);
  assert.match((await verify("--bundle", "b", "-")).stderr, /^Error: b does not verify standard input: claims: /m);
  for (const bad of [
    ["--predicate", "-", "-"],
    ["--predicate", "p"],
    ["file"],
    ["--predicate", "p", "file", "other"],
  ]) {
    assert.equal((await tsign([...base, ...bad], "{}")).code, 1, bad.join(" "));
  }
  assert.match((await attest("--predicate", "p", "file")).stderr, /--bundle is required/);
});

for (const [algorithm, form] of [
  ["sha256", []],
  ["sha384", []],
  ["sha512", [LEGACY]],
] as const) {
  test(`a whole statement is signed byte for byte, and a file known by ${algorithm} is found in it`, async (t) => {
    const { write, read, verify, made, attest } = await workshop(t);
    const statement = `{"_type":"https://in-toto.io/Statement/v1",\n "subject":[{"name":"x","digest":{"${algorithm}":"${hexOf(CONTENT, algorithm)}"}}],"predicateType":"${TYPE}","predicate":{"n":1e400}}\n`;
    write("s", statement);
    await made(...form, "--statement", "s", "--bundle", "b");
    const { dsseEnvelope, base64Signature } = JSON.parse(read("b"));
    const { payload } = dsseEnvelope ?? JSON.parse(Buffer.from(base64Signature, "base64").toString());
    assert.equal(Buffer.from(payload, "base64").toString(), statement);
    const digest = (content: string) => ["--digest", hexOf(content, algorithm), "--digestAlg", algorithm];
    assert.equal((await verify("--bundle", "b", "file")).code, 0);
    assert.equal((await verify("--bundle", "b", ...digest(CONTENT))).code, 0);
    assert.equal((await verify("--bundle", "b", "other")).code, 1);
    assert.equal((await verify("--bundle", "b", ...digest("other\n"))).code, 1);
    write("none", '{"_type":"x"}');
    assert.match((await attest("--statement", "none", "--bundle", "c")).stderr, /not an in-toto statement/);
  });
}

test("verify-blob-attestation: file and --digest must match; no subject -> refused", async (t) => {
  const { verify, made } = await workshop(t);
  await made("--predicate", "p", "--bundle", "b", "file");
  const digest = (content: string) => ["--digest", hexOf(content), "--digestAlg", "sha256"];
  assert.equal((await verify("--bundle", "b", ...digest(CONTENT), "file")).code, 0);
  const other = await verify("--bundle", "b", ...digest("other\n"), "file");
  assert.equal(other.code, 1);
  assert.match(other.stderr, /digest mismatch for file/);
  assert.equal((await verify("--bundle", "b", ...digest(CONTENT), "other")).code, 1);
  assert.equal((await verify("--bundle", "b", ...digest("other\n"), "other")).code, 1, "it is another file's");
  for (const none of [
    [],
    ["--digest", hexOf(CONTENT)],
    ["--digestAlg", "sha256"],
    ["--digest", "ab", "--digestAlg", "sha1"],
  ]) {
    assert.equal((await verify("--bundle", "b", ...none)).code, 1, none.join(" "));
  }
  assert.equal((await verify("--bundle", "b", "--check-claims=false")).code, 0);
});

test("verify-blob-attestation: bundle and envelope with different signatures -> refused; the log entry and timestamps are the bundle's", async (t) => {
  const { verify, made } = await workshop(t);
  await made("--format", "both", "--predicate", "p", "--bundle", "b", "--output-signature", "e", "file");
  await made(LEGACY, "--predicate", "p", "--output-signature", "e2", "file");
  assert.equal((await verify("--bundle", "b", "--signature", "e", "file")).code, 0);
  const other = await verify("--bundle", "b", "--signature", "e2", "file");
  assert.equal(other.code, 1);
  assert.match(other.stderr, /e2 and b contain different signatures/);
  for (const flag of ["--certificate", "--sct", "--rfc3161-timestamp"]) {
    const refused = await verify("--bundle", "b", flag, "p", "file");
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, new RegExp(`Error: (${flag} cannot be used|.*holds no|.*certificate)`));
  }
});

test("verify-blob: bundle with an attestation -> verified with a warning that names the type; with a signature -> no warning", async (t) => {
  const { tsign, made } = await workshop(t);
  await made("--predicate", "p", "--bundle", "attestation", "file");
  const signed = await tsign(["sign-blob", "--key", "cosign.key", ...OFFLINE, "--bundle", "signature", "file"]);
  assert.equal(signed.code, 0, signed.stderr);
  const verify = (bundle: string, file: string) =>
    tsign(["verify-blob", "--key", "cosign.pub", NO_LOG, "--bundle", bundle, file]);
  const attestation = await verify("attestation", "file");
  assert.equal(attestation.code, 0, attestation.stderr);
  assert.match(attestation.stderr, new RegExp(`^WARNING: attestation is an attestation of type ${TYPE}, `, "m"));
  assert.match(attestation.stderr, /^Verified OK$/m);
  assert.equal((await verify("attestation", "other")).code, 1);
  const { code, stderr } = await verify("signature", "file");
  assert.deepEqual([code, /an attestation/.test(stderr)], [0, false], stderr);
});
