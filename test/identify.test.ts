import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { copyFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { ClaimedSignature } from "../src/cli/inspect/claimed-signature.ts";
import { implicit, sequence, utf8String } from "../src/sandbox/pki/der.ts";
import {
  distinguishedName,
  extension,
  serialNumber,
  signCertificate,
  tbsCertificate,
} from "../src/sandbox/pki/x509.ts";
import { jsonAnswer } from "./support/json-answer.ts";
import { PASSWORD } from "./support/passwords.ts";
import { testSigstore } from "./support/sandbox.ts";
import { LEGACY, NO_LOG, OFFLINE, run, temporaryFolder } from "./support/test-io.ts";

/** A folder, a Sigstore, an image and a file. */
async function workshop(context: TestContext) {
  const cwd = temporaryFolder(context);
  const sigstore = await testSigstore();
  const options = { cwd, env: { ...PASSWORD, TSIGN_SANDBOX: sigstore.registry }, io: sigstore.io };
  const tsign = (...argv: string[]) => run(argv, options);
  const ok = async (...argv: string[]) => {
    const outcome = await tsign(...argv);
    assert.equal(outcome.code, 0, `${argv.join(" ")}: ${outcome.stderr}`);
    return outcome;
  };
  writeFileSync(join(cwd, "root.json"), sigstore.trustedRoot);
  writeFileSync(join(cwd, "v1.json"), sigstore.signingConfig.rekor1);
  writeFileSync(join(cwd, "file"), "content");
  writeFileSync(join(cwd, "p.json"), "{}");
  await ok("generate-key-pair");
  const image = (await ok("sandbox", "push", "app:v1")).stdout.trim();
  const keyless = (email = "alice@example.com") => [
    ...["--trusted-root=root.json", "--signing-config=v1.json", "-y"],
    `--identity-token=${email.includes("@") ? sigstore.mint(email) : sigstore.mintJob()}`,
  ];
  const identify = async (...argv: string[]) => {
    const outcome = await ok("identify", "--json", "--trusted-root=root.json", ...argv);
    const { result } = jsonAnswer(outcome, "identify").document;
    return result as unknown as { subject: string; verified: boolean; signatures: ClaimedSignature[] };
  };
  /** Runs the command that was shown, as a shell would split it. */
  const runShown = (command = "") => {
    const words = execFileSync("sh", ["-c", `printf '%s\\0' ${command}`], { encoding: "utf8" })
      .split("\0")
      .slice(1, -1);
    return tsign(...words);
  };
  return { cwd, sigstore, tsign, ok, image, keyless, identify, runShown };
}

test("identify: an image signed by a person and by a job -> each signer, and a command that verifies it", async (t) => {
  const { ok, image, keyless, identify, runShown } = await workshop(t);
  await ok("sign", ...keyless(), image);
  await ok("sign", ...keyless("job"), image);
  await ok("attest", ...keyless(), "--predicate=p.json", image);
  const { subject, verified, signatures } = await identify(image.replace(/@.*/, ":v1"));
  assert.equal(subject, image);
  assert.equal(verified, false);
  assert.equal(signatures.length, 3);
  const [alice] = signatures.filter(({ signer, kind }) => signer === "alice@example.com" && kind === "signature");
  assert.match(
    alice?.command ?? "",
    /^tsign verify --certificate-identity alice@example\.com --certificate-oidc-issuer http\S+ --trusted-root root\.json \S+@sha256:[0-9a-f]{64}$/,
  );
  assert.match(alice?.time ?? "", /^\d{4}-.*Z$/);
  const job = signatures.find(({ signer }) => signer.startsWith("https://github.com/"));
  assert.ok(job?.source["repository"]);
  assert.equal(
    signatures.find(({ kind }) => kind === "attestation")?.predicateType,
    "https://cosign.sigstore.dev/attestation/v1",
  );
  for (const { command } of signatures) {
    const outcome = await runShown(command);
    assert.equal(outcome.code, 0, `${command}: ${outcome.stderr}`);
  }
});

test("identify: prints that nothing was verified, also of a forged signer", async (t) => {
  const { cwd, ok, image, keyless, tsign, runShown, identify } = await workshop(t);
  const other = await testSigstore();
  await ok("sign", ...keyless("mallory@example.com"), image);
  const { stdout, stderr } = await tsign("identify", image);
  assert.match(stderr, /^WARNING: nothing was verified: anyone can make a signature that names any signer/m);
  assert.match(stdout, /signer: {2}mallory@example\.com, not verified\n/);
  const { signatures } = await identify(image);
  const command = signatures[0]?.command ?? "";
  assert.notEqual((await runShown(command.replace("mallory@", "alice@"))).code, 0, "another identity");
  assert.notEqual(
    (await runShown(command.replace(/--certificate-oidc-issuer \S+/, "--certificate-oidc-issuer https://a.example")))
      .code,
    0,
  );
  writeFileSync(join(cwd, "root.json"), other.trustedRoot);
  assert.notEqual((await runShown(command)).code, 0, "a signature by another Sigstore");
});

test("identify: key signatures, bundles and legacy -> the key ID, and a command with a key to replace", async (t) => {
  const { ok, image, identify, runShown } = await workshop(t);
  await ok("sign", "--key=cosign.key", "-y", ...OFFLINE, image);
  await ok("sign", "--key=cosign.key", "-y", ...OFFLINE, LEGACY, image);
  const { signatures } = await identify(image);
  assert.equal(signatures.length, 2);
  for (const { signer, command, note } of signatures) {
    assert.match(signer, /^(the key [0-9a-f]{64}|a key)$/);
    assert.match(note ?? "", /replace cosign\.pub by the signer's public key.*--insecure-ignore-tlog/);
    assert.equal((await runShown(command)).code === 0, false, "without a log entry the strict command refuses");
    assert.equal((await runShown(`${command} ${NO_LOG}`)).code, 0);
  }
});

test("identify: a file with a bundle beside it, a bundle, a legacy bundle, a folder -> a command that verifies it", async (t) => {
  const { cwd, ok, image, keyless, identify, runShown } = await workshop(t);
  await ok("sign-blob", ...keyless(), "--bundle=file.sigstore.json", "file");
  const { signatures: beside } = await identify("file");
  assert.match(beside[0]?.command ?? "", /^tsign verify-blob .*--bundle file\.sigstore\.json .*file$/);
  assert.equal((await runShown(beside[0]?.command)).code, 0);
  copyFileSync(join(cwd, "file.sigstore.json"), join(cwd, "b.json"));
  const { signatures: bundle } = await identify("b.json");
  assert.match(bundle[0]?.note ?? "", /replace FILE by the signed file/);
  assert.equal((await runShown((bundle[0]?.command ?? "").replace(/FILE$/, "file"))).code, 0);
  await ok("attest-blob", ...keyless(), "--predicate=p.json", "--bundle=att.json", "file");
  const { signatures: attestation } = await identify("att.json");
  assert.equal((await runShown((attestation[0]?.command ?? "").replace(/FILE$/, "file"))).code, 0);
  await ok("sign", ...keyless(), image);
  await ok("save", "--dir=saved", image);
  const { signatures: saved } = await identify("saved");
  assert.equal((await runShown(saved[0]?.command)).code, 0);
});

test("identify: an archive of several images -> each signer by image, and a command that verifies that image", async (t) => {
  const { cwd, ok, tsign, image, keyless, identify, runShown } = await workshop(t);
  const other = (await ok("sandbox", "push", "other:v1", "file")).stdout.trim();
  const unsigned = (await ok("sandbox", "push", "unsigned:v1", "p.json")).stdout.trim();
  await ok("sign", ...keyless(), image);
  await ok("sign", ...keyless("bob@example.com"), other);
  await ok("save", "--trusted-root=root.json", "--dir=all.tar", image, other, unsigned);
  const all = await identify("all.tar");
  assert.equal(all.subject, "all.tar");
  assert.deepEqual(
    all.signatures.map(({ signer }) => signer),
    ["alice@example.com", "bob@example.com"],
  );
  const images = all.signatures.map((each) => (each as unknown as { image: string }).image);
  assert.deepEqual(
    images.map((each) => /^all\.tar[:@]/.test(each)),
    [true, true],
  );
  for (const { command } of all.signatures) {
    const outcome = await runShown(command);
    assert.equal(outcome.code, 0, `${command}: ${outcome.stderr}`);
  }
  const [ofAlice = "", ofBob = ""] = all.signatures.map(({ command = "" }) => command);
  assert.notEqual(
    (await runShown(ofAlice.replace(images[0] ?? "", images[1] ?? ""))).code,
    0,
    "the image of another signer",
  );
  assert.match(ofBob, /--local-image/);
  const one = await identify(images[1] ?? "");
  assert.equal(one.subject, images[1]);
  assert.deepEqual(
    one.signatures.map(({ signer }) => signer),
    ["bob@example.com"],
  );
  assert.match((await tsign("identify", "all.tar")).stderr, /^WARNING: no signatures found for all\.tar[:@]\S+$/m);
  // A bundle beside it is that of the archive itself.
  await ok("sign-blob", ...keyless("carol@example.com"), "--bundle=all.tar.sigstore.json", "all.tar");
  assert.deepEqual(
    (await identify("all.tar")).signatures.map(({ signer }) => signer),
    ["carol@example.com"],
  );
  await ok("save", "--dir=unsigned.tar", unsigned);
  assert.equal((await tsign("identify", "unsigned.tar")).code, 10);
  writeFileSync(join(cwd, "text.tar"), "text");
  for (const name of ["text.tar", "missing.tar", "all.tar:none"]) {
    const { code, stderr, stdout } = await tsign("identify", name);
    assert.equal(code, 1, name);
    assert.match(stderr, /^Error: \S.*tar/m);
    assert.equal(stdout, "");
  }
});

test("identify: unsigned, missing, unreachable, damaged -> exit code and one line", async (t) => {
  const { cwd, tsign, image, sigstore } = await workshop(t);
  writeFileSync(join(cwd, "bad.json"), '{"mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json"}');
  const cases: [argument: string, code: number, reason: RegExp][] = [
    [image, 10, /no signatures found for/],
    [`${sigstore.registry}/none:v1`, 11, /no such image|does not exist|not found/],
    ["file", 10, /there is no bundle beside it\nhint: /],
    ["bad.json", 1, /bad\.json: /],
    ["127.0.0.1:9/app:v1", 1, /connect|127\.0\.0\.1:9/],
    ["no such file", 1, /no such file/],
  ];
  for (const [argument, code, reason] of cases) {
    const outcome = await tsign("identify", argument);
    assert.equal(outcome.code, code, `${argument}: ${outcome.stderr}`);
    assert.match(outcome.stderr, reason);
    assert.equal(outcome.stdout, "");
    assert.doesNotMatch(outcome.stderr, /internal/);
  }
});

test("identify: a certificate whose issuers contradict each other, or is none -> malformed, and no command", async () => {
  const { claimedSignature } = await import("../src/cli/inspect/claimed-signature.ts");
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const tbs = tbsCertificate({
    serial: serialNumber(randomBytes),
    issuer: distinguishedName("root"),
    subject: distinguishedName(),
    notBefore: new Date(0),
    notAfter: new Date(1e12),
    spki: publicKey.export({ type: "spki", format: "der" }),
    extensions: [
      extension("2.5.29.17", sequence(implicit(1, Buffer.from("alice@example.com")))),
      extension("1.3.6.1.4.1.57264.1.1", Buffer.from("https://a.example")),
      extension("1.3.6.1.4.1.57264.1.8", utf8String("https://b.example")),
    ],
    issuerKey: privateKey,
  });
  for (const leaf of [signCertificate(tbs, privateKey), Buffer.from("none")]) {
    const evidence = {
      ...{ origin: { kind: "file", where: "b.json" }, content: { kind: "blob", signature: new Uint8Array(1) } },
      ...{ key: { kind: "certificate", leaf, chain: [], binding: false }, log: [], timestamps: [], annotations: {} },
    } as const;
    const flags = { trustedRoot: "", attachmentTagPrefix: "" };
    const claim = await claimedSignature(evidence as never, { kind: "file", name: "f", flags } as never);
    assert.equal(claim.signer, "a malformed certificate");
    assert.equal(claim.command, undefined);
    assert.equal(
      claim.note,
      "the certificate has no readable name or no readable issuer, so that no identity can be required",
    );
  }
});

test("identify: a name with control characters -> escaped, and no command to paste", async () => {
  const { claimedSignature } = await import("../src/cli/inspect/claimed-signature.ts");
  const evidence = {
    ...{ origin: { kind: "file", where: "b\u001b[2J.json" }, content: { kind: "blob", signature: new Uint8Array(1) } },
    ...{ key: { kind: "public-key", hint: "" }, log: [], timestamps: [], annotations: {} },
  } as const;
  const subject = {
    kind: "file",
    name: "f",
    bundle: "b\u001b[2J.json",
    flags: { trustedRoot: "", attachmentTagPrefix: "" },
  };
  const claim = await claimedSignature(evidence as never, subject as never);
  assert.equal(claim.command, undefined);
  assert.match(claim.note ?? "", /control characters/);
});
