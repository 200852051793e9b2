import assert from "node:assert/strict";
import { createHash, generateKeyPairSync, sign, X509Certificate } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { preAuthEncoding } from "../src/format/dsse.ts";
import { explicit, readAll, readOne, sequence, tlv } from "../src/sandbox/pki/der.ts";
import { readTrustedRoot } from "../src/trust/trusted-root.ts";
import { CheckFailed } from "../src/verify/model.ts";
import { verifyTimestamp } from "../src/verify/timestamp.ts";
import type { Json } from "./support/document-mutations.ts";
import { some } from "./support/mutation-share.ts";
import { testSigstore } from "./support/sandbox.ts";
import { timestamp } from "./support/sandbox-client.ts";
import { NO_LOG, OFFLINE, run, temporaryFolder } from "./support/test-io.ts";

const b64 = (content: string | Uint8Array) => Buffer.from(content).toString("base64");
const IN_TOTO = "application/vnd.in-toto+json";
const TYPE = "https://example.com/t";

/** A folder with a key and a file, and a function that verifies an envelope about it, in a bundle or alone. */
function workshop(t: TestContext) {
  const cwd = temporaryFolder(t);
  const pair = generateKeyPairSync("ec", { namedCurve: "P-256" });
  writeFileSync(join(cwd, "k.pub"), pair.publicKey.export({ type: "spki", format: "pem" }));
  writeFileSync(join(cwd, "blob"), "content");
  const sha256 = createHash("sha256").update("content").digest("hex");
  const statement = {
    _type: "https://in-toto.io/Statement/v1",
    predicateType: TYPE,
    predicate: {},
    subject: [{ digest: { sha256 } }],
  };
  const signed = (payload: string | Uint8Array, payloadType = IN_TOTO) => {
    const bytes = Buffer.from(payload);
    const sig = b64(sign("sha256", preAuthEncoding(payloadType, bytes), pair.privateKey));
    return { payload: b64(bytes), payloadType, signatures: [{ sig }] };
  };
  const verify = async (envelope: Json, ...more: string[]) => {
    const bundle = {
      mediaType: "application/vnd.dev.sigstore.bundle.v0.3+json",
      verificationMaterial: { publicKey: {} },
      dsseEnvelope: envelope,
    };
    writeFileSync(join(cwd, "b.json"), JSON.stringify(bundle));
    writeFileSync(join(cwd, "e.json"), JSON.stringify(envelope));
    const flags = ["verify-blob-attestation", "--key", "k.pub", NO_LOG, "--type", TYPE];
    const outcomes = await Promise.all(
      [
        ["--bundle", "b.json"],
        ["--signature", "e.json"],
      ].map((form) => run([...flags, ...form, ...more, "blob"], { cwd })),
    );
    for (const { stderr } of outcomes) assert.doesNotMatch(stderr, /unexpected|\n {4}at /);
    const [bundled, bare] = outcomes.map(({ code }) => code === 0);
    assert.equal(bundled, bare, "both forms have one verdict");
    return bundled;
  };
  return { cwd, statement, signed, verify };
}

test("CVE-2026-39395, CVE-2022-35929: payload other than a statement of the expected type -> refused, with and without --check-claims", async (t) => {
  const { statement, signed, verify } = workshop(t);
  const good = JSON.stringify(statement);
  const wrong: Record<string, Json> = {
    "not JSON": signed("{"),
    empty: signed(" "),
    null: signed("null"),
    "another type of payload": signed(good, "application/json"),
    "another predicate": signed(good.replace(TYPE, "https://example.com/other")),
    "a predicate type that begins so": signed(good.replace(TYPE, `${TYPE}/2`)),
    "no predicate type": signed(JSON.stringify({ ...statement, predicateType: undefined })),
    "a predicate type twice": signed(good.replace("{", `{"predicateType":"https://example.com/other",`)),
    "another type of statement": signed(good.replace("Statement/v1", "Statement/v2")),
    "a byte order mark": signed(`\uFEFF${good}`),
    "UTF-16": signed(Buffer.from(good, "utf16le")),
    "bytes after it": signed(`${good}{}`),
    "NUL after it": signed(`${good}\0`),
    __proto__: signed(good.replace("{", '{"__proto__":{"predicateType":"x"},')),
    "deep nesting": signed(good.replace('"predicate":{}', `"predicate":${"[".repeat(100)}${"]".repeat(100)}`)),
  };
  for (const claims of ["--check-claims=true", "--check-claims=false"]) {
    assert.equal(await verify(signed(good), claims), true);
    for (const [name, envelope] of Object.entries(wrong)) assert.equal(await verify(envelope, claims), false, name);
  }
});

test("statement: counts for a subject only if all of its digests match; without a subject -> refused", async (t) => {
  const { statement, signed, verify } = workshop(t);
  const [{ digest }] = statement.subject as [{ digest: { sha256: string } }];
  const sha512 = createHash("sha512").update("content").digest("hex");
  const about = (subject: Json) => verify(signed(JSON.stringify({ ...statement, subject })));
  const other = "0".repeat(64);
  for (const subject of [
    [{ digest: { sha512 } }],
    [{ digest: { ...digest, sha512 } }],
    [{ digest: { sha256: other } }, { digest }],
    [{ digest: { ...digest, sha1: "00" } }],
  ]) {
    assert.equal(await about(subject), true, JSON.stringify(subject));
  }
  for (const subject of [
    [],
    [{}],
    [{ digest: {} }],
    [{ digest: { ...digest, sha512: "0".repeat(128) } }],
    [{ digest: { sha256: digest.sha256.toUpperCase() } }],
    [{ digest: { SHA256: digest.sha256 } }],
    [{ digest: { sha1: digest.sha256 } }],
    [{ digest: { sha256: digest.sha256.slice(0, 63) } }],
    [{ digest: { sha256: [digest.sha256] } }],
    { digest },
    [{ digest: { sha256: other } }],
  ]) {
    assert.equal(await about(subject), false, JSON.stringify(subject));
  }
});

test("sigstore-conformance#149: envelope with zero or two signatures -> refused", async (t) => {
  const { statement, signed, verify } = workshop(t);
  const good = signed(JSON.stringify(statement));
  const [only] = good.signatures;
  assert.equal(await verify(good), true);
  for (const signatures of [[], [only, only], [only, { sig: "AAAA" }], [{ sig: "" }], [{}], [null], null, only]) {
    assert.equal(await verify({ ...good, signatures }), false, JSON.stringify(signatures));
  }
});

test("sigstore-js#1657: the DSSE pre-authentication encoding counts lengths in bytes", () => {
  const encoded = preAuthEncoding("text/é", Buffer.from("ü"));
  assert.equal(Buffer.from(encoded).toString(), "DSSEv1 7 text/é 2 ü");
});

test("CVE-2026-39984: timestamp -> verified with the certificate that its signer info names, not another embedded one", async () => {
  const sandbox = await testSigstore();
  const signature = Buffer.from("a signature");
  const response = await timestamp(sandbox, signature, { full: true });
  const [known] = readTrustedRoot(Buffer.from(sandbox.trustedRoot), "root").timestampAuthorities;
  assert.ok(known?.leaf);
  const bringsItsOwn = { ...known, leaf: undefined };
  const judge = (token: Uint8Array) => verifyTimestamp(token, [signature], [bringsItsOwn]);
  assert.ok(judge(response)?.time instanceof Date, "its certificate is there");
  const stranger = new X509Certificate(readFileSync(new URL("../fixtures/certs/leaf.pem", import.meta.url))).raw;
  assert.throws(
    () => judge(withCertificates(response, (own) => [stranger, ...own])),
    /certificate that is not from its authority/,
  );
  assert.equal(judge(withCertificates(response, () => [stranger])), undefined, "and is no authority");
  const rest = { ...bringsItsOwn, roots: [stranger], intermediates: [] };
  assert.throws(() => verifyTimestamp(response, [signature], [rest]), /no valid path/);
});

test("verifyTimestamp: any byte of a token with certificates changed -> refused, or the result is unchanged", async () => {
  const sandbox = await testSigstore();
  const signature = Buffer.from("a signature");
  const response = await timestamp(sandbox, signature, { full: true });
  const { timestampAuthorities: trusted } = readTrustedRoot(Buffer.from(sandbox.trustedRoot), "root");
  const authorities = [...trusted, ...trusted.map((each) => ({ ...each, leaf: undefined }))];
  let turn = 0;
  for (const authority of authorities) {
    const judge = (token: Uint8Array) => {
      try {
        return verifyTimestamp(token, [signature], [authority])?.time;
      } catch (error) {
        assert.ok(error instanceof CheckFailed, String(error));
        return undefined;
      }
    };
    assert.ok(judge(response) instanceof Date);
    assert.equal(judge(Buffer.concat([response, Buffer.of(0)])), undefined, "a byte after its end");
    for (const at of some(response.keys(), turn++)) {
      const changed = Buffer.from(response);
      changed[at] = (changed[at] ?? 0) ^ (1 << (at % 8));
      assert.equal(judge(changed), undefined, `bit ${at % 8} of byte ${at}`);
    }
    const bare = withCertificates(response, () => []);
    assert.equal(judge(bare) instanceof Date, authority.leaf !== undefined, "without certificates");
    assert.equal(judge(withCertificates(response, (own) => [...own, ...own])), undefined, "certificates twice");
    for (const [what, more] of [
      ["a revocation list", tlv(0xa1, sequence())],
      ["unsigned attributes", undefined],
    ] as const) {
      assert.equal(judge(withMore(response, more)), undefined, what);
    }
  }
});

/** A TimeStampResp with an additional element after its certificates, or in its SignerInfo. */
function withMore(response: Uint8Array, element: Buffer | undefined): Buffer {
  const [status, content] = readAll(readOne(response).content);
  const [type, wrapped] = readAll(content?.content ?? assert.fail());
  const fields = readAll(readOne(wrapped?.content ?? assert.fail()).content).map(({ raw }) => raw);
  const signers = fields.pop() ?? assert.fail();
  const [signer] = readAll(readOne(signers).content);
  const attributed = tlv(0x31, sequence(signer?.content ?? assert.fail(), tlv(0xa1, sequence())));
  const all = element ? [...fields, element, signers] : [...fields, attributed];
  return sequence(status?.raw ?? assert.fail(), sequence(type?.raw ?? assert.fail(), tlv(0xa0, sequence(...all))));
}

/** A TimeStampResp with other certificates in its SignedData. */
function withCertificates(response: Uint8Array, change: (own: readonly Buffer[]) => readonly Buffer[]): Buffer {
  const [status, content] = readAll(readOne(response).content);
  const [type, wrapped] = readAll(content?.content ?? assert.fail());
  const fields = readAll(readOne(wrapped?.content ?? assert.fail()).content);
  const own = readAll(fields.find(({ tag }) => tag === 0xa0)?.content ?? assert.fail("no certificates"));
  const changed = explicit(0, ...change(own.map(({ raw }) => raw)));
  const signedData = sequence(...fields.map((field) => (field.tag === 0xa0 ? changed : field.raw)));
  return sequence(status?.raw ?? assert.fail(), sequence(type?.raw ?? assert.fail(), explicit(0, signedData)));
}

test("CVE-2025-29778: each identity flag with another value -> refused", async (t) => {
  const sigstore = await testSigstore();
  const cwd = temporaryFolder(t);
  writeFileSync(join(cwd, "root.json"), sigstore.trustedRoot);
  writeFileSync(join(cwd, "config.json"), sigstore.signingConfig.rekor1);
  writeFileSync(join(cwd, "blob"), "content");
  const options = { cwd, io: sigstore.io };
  const files = ["--trusted-root", "root.json", "--bundle", "b.json", "blob"];
  const token = ["--yes", "--identity-token", sigstore.mintJob(), "--signing-config", "config.json"];
  const signed = await run(["sign-blob", ...token, ...files], options);
  assert.equal(signed.code, 0, signed.stderr);
  const right: Record<string, string> = {
    "--certificate-identity": "https://github.com/acme/widget/.github/workflows/release.yml@refs/heads/main",
    "--certificate-oidc-issuer": sigstore.at.ciIssuer,
    "--certificate-github-workflow-trigger": "push",
    "--certificate-github-workflow-sha": "a".repeat(40),
    "--certificate-github-workflow-name": "release",
    "--certificate-github-workflow-repository": "acme/widget",
    "--certificate-github-workflow-ref": "refs/heads/main",
  };
  const verify = async (flags: Record<string, string>) =>
    (await run(["verify-blob", ...Object.entries(flags).flat(), ...files], options)).code;
  const patterns = (name: string, pattern: string) => {
    const { [`--certificate-${name}`]: _, ...others } = right;
    return { ...others, [`--certificate-${name}-regexp`]: pattern };
  };
  assert.equal(await verify(right), 0);
  assert.equal(await verify(patterns("identity", "^https://github\\.com/acme/")), 0);
  assert.equal(await verify(patterns("oidc-issuer", "^http")), 0);
  for (const [flag, value] of Object.entries(right)) {
    for (const wrong of [`${value}x`, value.slice(0, -1), ` ${value}`, value.toUpperCase(), `${value}\n`]) {
      assert.equal(await verify({ ...right, [flag]: wrong }), 1, `${flag} ${JSON.stringify(wrong)}`);
    }
  }
  for (const pattern of ["^acme", "(?i)^HTTPS://example", "$^", "^\n", "(", "widget$"]) {
    assert.equal(await verify(patterns("identity", pattern)), 1, pattern);
    assert.equal(await verify(patterns("oidc-issuer", pattern)), 1, pattern);
  }
  for (const missing of ["--certificate-identity", "--certificate-oidc-issuer"]) {
    const { [missing]: _, ...others } = right;
    assert.equal(await verify(others), 1, `without ${missing}`);
    assert.equal(await verify({ ...others, [missing]: "" }), 1, `with an empty ${missing}`);
    assert.equal(await verify({ ...others, [`${missing}-regexp`]: "" }), 1, `with an empty ${missing}-regexp`);
  }
  assert.equal(await verify({ ...right, "--certificate-oidc-issuer-regexp": "^other" }), 1, "both must match");
});

test("CVE-2026-44310: any failure -> nonzero exit code", async (t) => {
  const cwd = temporaryFolder(t);
  const signing = { cwd, env: { COSIGN_PASSWORD: "pw" } };
  await run(["generate-key-pair", "--output-key-prefix", "a"], signing);
  writeFileSync(join(cwd, "blob"), "content");
  await run(["sign-blob", "--key", "a.key", ...OFFLINE, "--bundle", "b.json", "blob"], signing);
  const argv = ["verify-blob", "--key", "a.pub", NO_LOG, "--bundle", "b.json", "blob"];
  assert.equal((await run(argv, { cwd })).code, 0);
  const breaks = (thrown: unknown) => () => {
    throw thrown;
  };
  for (const thrown of [new Error("x"), new TypeError("x"), "a text", null, undefined, 0]) {
    const files = { read: breaks(thrown), chunks: breaks(thrown), stat: breaks(thrown) } as never;
    assert.notEqual((await run(argv, { cwd, io: { files } })).code, 0, String(thrown));
    assert.notEqual((await run(argv, { cwd, io: { now: breaks(thrown) } })).code, 0, String(thrown));
  }
});
