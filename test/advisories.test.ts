import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { testSigstore } from "./support/sandbox.ts";
import { run, temporaryFolder } from "./support/test-io.ts";

/** Known wrong acceptances of verifiers, each tried on genuine evidence with one change. */

const ALICE = "alice@example.com";
const DAY = 86_400_000;

// biome-ignore lint/suspicious/noExplicitAny: documents are changed in ways their types forbid
type Json = any;

interface Setting {
  readonly config?: "rekor1" | "rekor1Tsa" | "rekor2";
  /** Changes the bundle; `other` is of another file, `mallory` of another signer. */
  readonly bundle?: (bundle: Json, others: { other: Json; mallory: Json }) => void;
  readonly root?: (root: Json) => void;
  readonly flags?: readonly string[];
}

/** Signs with every config, once for all tests. */
async function evidence(t: TestContext) {
  const sigstore = await testSigstore();
  const cwd = temporaryFolder(t);
  writeFileSync(join(cwd, "root.json"), sigstore.trustedRoot);
  writeFileSync(join(cwd, "blob"), "content");
  writeFileSync(join(cwd, "other"), "other content");
  const sign = async (config: keyof typeof sigstore.signingConfig, email: string, file: string): Promise<string> => {
    writeFileSync(join(cwd, "config.json"), sigstore.signingConfig[config]);
    const token = ["--identity-token", sigstore.mint(email)];
    const services = ["--signing-config", "config.json", "--trusted-root", "root.json"];
    const signed = await run(["sign-blob", "--yes", ...token, ...services, "--bundle", "b.json", file], {
      cwd,
      io: sigstore.io,
    });
    assert.equal(signed.code, 0, signed.stderr);
    return readFileSync(join(cwd, "b.json"), "utf8");
  };
  const signed = new Map<string, { good: string; other: string; mallory: string }>();
  for (const config of ["rekor1", "rekor1Tsa", "rekor2"] as const) {
    signed.set(config, {
      good: await sign(config, ALICE, "blob"),
      other: await sign(config, ALICE, "other"),
      mallory: await sign(config, "mallory@example.com", "blob"),
    });
  }
  const verify = async ({ config = "rekor1", bundle, root, flags = [] }: Setting) => {
    const { good, other, mallory } = signed.get(config) ?? assert.fail();
    const changed = JSON.parse(good);
    bundle?.(changed, { other: JSON.parse(other), mallory: JSON.parse(mallory) });
    const trust = JSON.parse(sigstore.trustedRoot);
    root?.(trust);
    writeFileSync(join(cwd, "changed.json"), JSON.stringify(changed));
    writeFileSync(join(cwd, "trust.json"), JSON.stringify(trust));
    const who = ["--certificate-identity", ALICE, "--certificate-oidc-issuer", sigstore.at.issuer];
    const trusted = ["--trusted-root", "trust.json", "--bundle", "changed.json"];
    return run(["verify-blob", ...who, ...trusted, ...flags, "blob"], { cwd, io: sigstore.io });
  };
  return { verify, sigstore };
}

const entry = (bundle: Json) => bundle.verificationMaterial.tlogEntries[0];
const stamps = (bundle: Json) => bundle.verificationMaterial.timestampVerificationData;
const flip = (base64: string) => {
  const bytes = Buffer.from(base64, "base64");
  bytes.writeUInt8((bytes.at(-1) ?? 0) ^ 1, bytes.length - 1);
  return bytes.toString("base64");
};
const ago = (days: number) => new Date(Date.now() - days * DAY).toISOString();
const endAll = (periods: readonly Json[]) => {
  for (const period of periods) Object.assign(period, { start: ago(9), end: ago(8) });
};

const REFUSED: Record<string, Setting & { readonly because: RegExp }> = {
  "CVE-2022-23649: the log entry of another signature": {
    bundle: (b, { other }) =>
      Object.assign(b.verificationMaterial, { tlogEntries: other.verificationMaterial.tlogEntries }),
    because: /log: /,
  },
  "CVE-2022-36056, CVE-2026-22703: another file's signature and entry": {
    bundle: (b, { other }) => Object.assign(b, other),
    because: /claims: artifact digest mismatch/,
  },
  "another file's signature, with this file's digest stated": {
    bundle: (b, { other }) => {
      const { messageDigest } = b.messageSignature;
      Object.assign(b, other, { messageSignature: { ...other.messageSignature, messageDigest } });
    },
    because: /log: |signature: /,
  },
  "the certificate of another signer": {
    bundle: (b, { mallory }) =>
      Object.assign(b.verificationMaterial, { certificate: mallory.verificationMaterial.certificate }),
    because: /log: log entry is for a different certificate/,
  },
  "the whole evidence of another signer": {
    bundle: (b, { mallory }) => Object.assign(b, mallory),
    because: /identity: /,
  },
  "an entry twice (CVE-2026-49834)": {
    bundle: (b) => b.verificationMaterial.tlogEntries.push(entry(b)),
    because: /log: duplicate/,
  },
  "no entry at all": {
    bundle: (b) => Object.assign(b.verificationMaterial, { tlogEntries: [] }),
    because: /log|bundle/,
  },
  "a promise with a changed time": {
    bundle: (b) => Object.assign(entry(b), { integratedTime: String(Number(entry(b).integratedTime) - 60) }),
    because: /log: inclusion promise/,
  },
  "a promise with a changed index": {
    bundle: (b) => Object.assign(entry(b), { logIndex: String(Number(entry(b).logIndex ?? 0) + 1) }),
    because: /log: inclusion promise/,
  },
  "sigstore-js#1659: an integrated time that nobody promised": {
    bundle: (b) => delete entry(b).inclusionPromise,
    because: /time: no trusted time/,
  },
  "a promise that is not the log's": {
    bundle: (b) => {
      const promise = entry(b).inclusionPromise;
      promise.signedEntryTimestamp = flip(promise.signedEntryTimestamp);
    },
    because: /log: inclusion promise/,
  },
  "an inclusion proof of another tree": {
    bundle: (b) => {
      const proof = entry(b).inclusionProof;
      proof.rootHash = flip(proof.rootHash);
    },
    because: /log: inclusion proof and checkpoint are for different trees/,
  },
  "a checkpoint the log did not sign": {
    config: "rekor2",
    bundle: (b) => {
      const { checkpoint } = entry(b).inclusionProof;
      checkpoint.envelope = checkpoint.envelope.replace(
        /^([^\n]+\n)(\d+)/,
        (_: string, a: string, n: string) => a + (Number(n) + 1),
      );
    },
    because: /log: /,
  },
  "a checkpoint of another log's name": {
    config: "rekor2",
    bundle: (b) => {
      const { checkpoint } = entry(b).inclusionProof;
      checkpoint.envelope = `evil.example${checkpoint.envelope.slice(checkpoint.envelope.indexOf("\n"))}`;
    },
    because: /log: checkpoint origin mismatch: got "evil.example"/,
  },
  "an entry whose body was changed": {
    bundle: (b) => Object.assign(entry(b), { canonicalizedBody: flip(entry(b).canonicalizedBody) }),
    because: /log/,
  },
  "CVE-2024-51746: a log that is not trusted": {
    root: (r) => Object.assign(r, { tlogs: [] }),
    because: /log: no entry is from a trusted/,
  },
  "a log whose trust had ended": {
    root: (r) => endAll(r.tlogs.map((log: Json) => log.publicKey.validFor)),
    because: /log: .* is not trusted at/,
  },
  "a log v2 whose trust had ended when the timestamp was given": {
    config: "rekor2",
    root: (r) => endAll(r.tlogs.map((log: Json) => log.publicKey.validFor)),
    because: /log: .* is not trusted at/,
  },
  "a certificate authority whose trust had ended": {
    root: (r) => endAll(r.certificateAuthorities.map((ca: Json) => ca.validFor)),
    because: /key: no certificate authority is trusted at/,
  },
  "CVE-2026-24122: the same, with the log skipped": {
    root: (r) => endAll(r.certificateAuthorities.map((ca: Json) => ca.validFor)),
    flags: ["--insecure-ignore-tlog"],
    because: /key: no certificate authority is trusted at/,
  },
  "a certificate log whose trust had ended": {
    root: (r) => endAll(r.ctlogs.map((log: Json) => log.publicKey.validFor)),
    because: /sct: .* is not trusted at/,
  },
  "no certificate log": { root: (r) => Object.assign(r, { ctlogs: [] }), because: /sct: / },
  "an SCT by another key": {
    root: (r) =>
      Object.assign(r.ctlogs[0].publicKey, {
        rawBytes: r.tlogs.at(-1).publicKey.rawBytes,
        keyDetails: r.tlogs.at(-1).publicKey.keyDetails,
      }),
    because: /sct: invalid signature from log/,
  },
  "cosign#3224: a required timestamp of no trusted authority": {
    config: "rekor1Tsa",
    root: (r) => Object.assign(r, { timestampAuthorities: [] }),
    flags: ["--use-signed-timestamps"],
    because: /time: no signed timestamp is from a trusted authority/,
  },
  "a required timestamp that is not there": {
    flags: ["--use-signed-timestamps"],
    because: /time: no signed timestamp found/,
  },
  "the timestamp of another signature": {
    config: "rekor2",
    bundle: (b, { other }) => Object.assign(stamps(b), stamps(other)),
    because: /time: .* for a different signature/,
  },
  "a timestamp that was altered": {
    config: "rekor2",
    bundle: (b) => {
      const [stamp] = stamps(b).rfc3161Timestamps;
      stamp.signedTimestamp = flip(stamp.signedTimestamp);
    },
    because: /time: /,
  },
  "no timestamp, where the log gives no time": {
    config: "rekor2",
    bundle: (b) => delete b.verificationMaterial.timestampVerificationData,
    because: /time: no trusted time/,
  },
  "an authority whose trust had ended, one of two times (sigstore-rust#166)": {
    config: "rekor1Tsa",
    root: (r) => endAll(r.timestampAuthorities.map((tsa: Json) => tsa.validFor)),
    because: /time: .* not trusted at/,
  },
  "a trusted root with a log of no beginning": {
    root: (r) => delete r.tlogs[0].publicKey.validFor.start,
    because: /not a valid trusted root: tlogs\[0\]: missing validFor.start/,
  },
  "a public key in place of the certificate": {
    bundle: (b) => {
      delete b.verificationMaterial.certificate;
      b.verificationMaterial.publicKey = { hint: "" };
    },
    because: /key: signed with a key, not with a certificate/,
  },
  "more proofs than any signature needs (CVE-2024-45395)": {
    bundle: (b) => Object.assign(b.verificationMaterial, { tlogEntries: Array(33).fill(entry(b)) }),
    because: /more than 32/,
  },
};

test("verify: intact evidence -> verified; any single defect -> refused with the reason", async (t) => {
  const { verify } = await evidence(t);
  for (const config of ["rekor1", "rekor1Tsa", "rekor2"] as const) {
    const good = await verify({ config });
    assert.equal(good.code, 0, `${config}: ${good.stderr}`);
  }
  const signedTime = await verify({ config: "rekor1Tsa", flags: ["--use-signed-timestamps"] });
  assert.equal(signedTime.code, 0, signedTime.stderr);
  for (const [name, { because, ...setting }] of Object.entries(REFUSED)) {
    const refused = await verify(setting);
    assert.equal(refused.code, 1, `${name}: ${refused.stderr}`);
    assert.match(refused.stderr, because, name);
    assert.equal(refused.stdout, "", name);
    assert.doesNotMatch(refused.stderr, /Verified OK|\n {4}at /, name);
  }
});

test("sigstore-go#276: no timestamp and no log entry -> the certificate must be valid now", async (t) => {
  const start = Date.now();
  let now = start;
  const sigstore = await testSigstore({ clock: () => new Date(now) });
  const cwd = temporaryFolder(t);
  writeFileSync(join(cwd, "root.json"), sigstore.trustedRoot);
  writeFileSync(join(cwd, "config.json"), sigstore.signingConfig.rekor1);
  writeFileSync(join(cwd, "blob"), "content");
  const options = { cwd, io: sigstore.io };
  const token = ["--yes", "--identity-token", sigstore.mint(ALICE), "--signing-config", "config.json"];
  const trusted = ["--trusted-root", "root.json", "--bundle", "b.json"];
  const signed = await run(["sign-blob", ...token, ...trusted, "blob"], options);
  assert.equal(signed.code, 0, signed.stderr);
  const who = ["--certificate-identity", ALICE, "--certificate-oidc-issuer", sigstore.at.issuer];
  const verify = (...more: string[]) => run(["verify-blob", ...who, ...trusted, ...more, "blob"], options);
  assert.equal((await verify("--insecure-ignore-tlog")).code, 0, "while the certificate is valid");
  now = start + DAY;
  assert.equal((await verify()).code, 0, "the log says when it was used");
  const late = await verify("--insecure-ignore-tlog");
  assert.equal(late.code, 1);
  assert.match(late.stderr, /key: certificate is valid from/);
});
