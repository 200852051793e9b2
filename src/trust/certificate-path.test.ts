import assert from "node:assert/strict";
import { generateKeyPairSync, type KeyObject, randomBytes, sign, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { foundry } from "../../test/support/authorities.ts";
import { bitString, explicit, integer, NULL, oid, sequence } from "../sandbox/pki/der.ts";
import {
  createAuthority,
  distinguishedName,
  EKU_CODE_SIGNING,
  extension,
  serialNumber,
  signCertificate,
  tbsCertificate,
  usualExtensions,
} from "../sandbox/pki/x509.ts";
import { parseCertificate } from "./certificate.ts";
import { type Purpose, verifyCertificatePath } from "./certificate-path.ts";
import { PathBudget } from "./path-budget.ts";
import { hasSoundSignature } from "./signature-algorithm.ts";

const der = (name: string) =>
  new X509Certificate(readFileSync(new URL(`../../fixtures/certs/${name}.pem`, import.meta.url))).raw;
const ISSUED = new X509Certificate(der("leaf")).validFromDate;
const SOON = new Date(ISSUED.getTime() + 3_600_000);
const LATER = new Date(ISSUED.getTime() + 3 * 86_400_000);

/** Milliseconds of CPU time that this process took: other work on the machine does not count. */
function cpuTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

function pathOf(leaf: string, intermediates: readonly string[], options: { at?: Date; purpose?: Purpose } = {}) {
  const authorities = { roots: [der("root")], intermediates: intermediates.map(der) };
  return verifyCertificatePath({ leaf: der(leaf), authorities, at: SOON, ...options });
}

test("verifyCertificatePath: leaf with an issuer under a root -> path", () => {
  const { leaf, issuer } = pathOf("leaf", ["intermediate"]);
  assert.ok(leaf.native.raw.equals(der("leaf")));
  assert.ok(issuer.native.raw.equals(der("intermediate")));
});

test("verifyCertificatePath: wrong usage, or an issuer that may not issue -> refused", () => {
  for (const [leaf, intermediates, at, reason] of [
    ["leaf-server", ["intermediate"], SOON, /not for code signing/],
    ["leaf-below-pathlen", ["intermediate", "below-pathlen"], SOON, /no valid path/],
    ["leaf-of-leaf", ["intermediate", "not-an-authority"], SOON, /no valid path/],
    ["leaf-of-a-day", ["intermediate-of-a-day"], LATER, /no valid path/],
    ["root", [], SOON, /not for code signing/],
  ] as const) {
    assert.throws(() => pathOf(leaf, intermediates, { at }), { code: "untrusted", message: reason }, leaf);
  }
  assert.ok(pathOf("leaf-of-a-day", ["intermediate-of-a-day"]), "while its issuer is valid");
});

test("verifyCertificatePath: signing certificate for timestamps -> refused", () => {
  assert.throws(() => pathOf("leaf", ["intermediate"], { purpose: "timeStamping" }), /not for timestamping only/);
});

/** A root, and functions for leaves under it with additional extensions. */
function workshop() {
  const newKey = () => {
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    return { key: privateKey, spki: publicKey.export({ type: "spki", format: "der" }) };
  };
  const notBefore = new Date(Date.now() - 60_000);
  const root = createAuthority({ commonName: "root", ...newKey(), pathLength: 1, notBefore, random: randomBytes });
  const under = (authority: boolean, more: readonly Buffer[]) => {
    const { key, spki } = newKey();
    const subject = distinguishedName(authority ? "intermediate" : undefined);
    const usual = usualExtensions({
      spki,
      issuerSpki: root.spki,
      extendedKeyUsage: EKU_CODE_SIGNING,
      ...(authority ? { pathLength: 0 } : {}),
    });
    const notAfter = new Date(Date.now() + 60_000);
    const content = { serial: serialNumber(randomBytes), issuer: root.name, notBefore, notAfter, issuerKey: root.key };
    return {
      key,
      spki,
      name: subject,
      tbs: tbsCertificate({ ...content, subject, spki, extensions: [...usual, ...more] }),
    };
  };
  const path = (leaf: Uint8Array, intermediates: readonly Uint8Array[] = []) =>
    verifyCertificatePath({ leaf, authorities: { roots: [root.certificate], intermediates }, at: new Date() });
  return { root, under, path };
}

test("verifyCertificatePath: unknown critical extension in a leaf or an authority -> refused", () => {
  const { root, under, path } = workshop();
  const poison = "1.3.6.1.4.1.11129.2.4.3"; // of a precertificate (RFC 6962 §3.1)
  const certificate = (made: { tbs: Buffer }, key: KeyObject = root.key) => signCertificate(made.tbs, key);
  assert.ok(path(certificate(under(false, [extension(poison, NULL)]))), "not critical");
  assert.throws(
    () => path(certificate(under(false, [extension(poison, NULL, { critical: true })]))),
    /critical extension/,
  );
  for (const critical of [false, true]) {
    const intermediate = under(true, [extension("1.2.3.4", NULL, { critical })]);
    const leaf = tbsCertificate({
      serial: serialNumber(randomBytes),
      issuer: intermediate.name,
      subject: distinguishedName(),
      notBefore: new Date(Date.now() - 60_000),
      notAfter: new Date(Date.now() + 60_000),
      spki: intermediate.spki,
      extensions: usualExtensions({
        spki: intermediate.spki,
        issuerSpki: intermediate.spki,
        extendedKeyUsage: EKU_CODE_SIGNING,
      }),
      issuerKey: intermediate.key,
    });
    const attempt = () => path(signCertificate(leaf, intermediate.key), [certificate(intermediate)]);
    if (critical) assert.throws(attempt, /no valid path/);
    else assert.ok(attempt());
  }
});

test("verifyCertificatePath: weak or unusual hash -> refused", () => {
  const { root, under, path } = workshop();
  const { tbs } = under(false, []);
  const [sha256, sha224] = [oid("1.2.840.10045.4.3.2"), oid("1.2.840.10045.4.3.1")];
  const at = tbs.indexOf(sha256);
  const weak = Buffer.concat([tbs.subarray(0, at), sha224, tbs.subarray(at + sha256.length)]);
  const certificate = sequence(weak, sequence(sha224), bitString(sign("sha224", weak, root.key)));
  assert.ok(
    new X509Certificate(certificate).verify(new X509Certificate(root.certificate).publicKey),
    "OpenSSL takes it",
  );
  assert.throws(() => path(certificate), /an unsupported algorithm or hash/);
  assert.ok(path(signCertificate(tbs, root.key)));
});

test("verifyCertificatePath: many copies of a certificate -> same path", () => {
  const { newKey, make } = foundry();
  const [root, middle, own] = [newKey(), newKey(), newKey()];
  const authorities = {
    roots: [make({ name: "root", key: root, issuer: "root", issuerKey: root })],
    intermediates: [],
  };
  const intermediate = make({ name: "middle", key: middle, issuer: "root", issuerKey: root });
  const leaf = make({ name: undefined, key: own, issuer: "middle", issuerKey: middle });
  const copies = Array.from({ length: 20_000 }, () => Buffer.from(intermediate));
  const started = cpuTime();
  assert.ok(verifyCertificatePath({ leaf, authorities, offered: copies, at: new Date() }));
  assert.ok(cpuTime() - started < 2000, "in linear time");
  const stranger = make({ name: undefined, key: own, issuer: "middle", issuerKey: newKey() });
  assert.throws(
    () => verifyCertificatePath({ leaf: stranger, authorities, offered: copies, at: new Date() }),
    /no valid path/,
  );
});

/** Chains that a depth-first search would follow in every order. */
const HOSTILE: Record<string, (count: number) => { leaf: Buffer; offered: Buffer[] }> = {
  "of one name and key, each issued by each": (count) => {
    const { newKey, make } = foundry();
    const key = newKey();
    const offered = Array.from({ length: count }, () => make({ name: "A", key, issuer: "A", issuerKey: key }));
    return { leaf: make({ name: undefined, key: newKey(), issuer: "A", issuerKey: key }), offered };
  },
  "of one name and many keys, each issued by each": (count) => {
    const { newKey, make } = foundry();
    const keys = Array.from({ length: Math.floor(Math.sqrt(count)) }, newKey);
    const offered = keys.flatMap((key) => keys.map((issuerKey) => make({ name: "A", key, issuer: "A", issuerKey })));
    return { leaf: make({ name: undefined, key: newKey(), issuer: "A", issuerKey: keys[0] ?? newKey() }), offered };
  },
  "of a ladder of names, with several keys on each rung": (count) => {
    const { newKey, make } = foundry();
    const rungs = Array.from({ length: 5 }, () =>
      Array.from({ length: Math.max(1, Math.floor(Math.sqrt(count / 5))) }, newKey),
    );
    const offered = rungs.flatMap((keys, at) =>
      keys.flatMap((key) =>
        (rungs[(at + 1) % rungs.length] ?? []).map((issuerKey) =>
          make({ name: `rung ${at}`, key, issuer: `rung ${(at + 1) % rungs.length}`, issuerKey }),
        ),
      ),
    );
    return {
      leaf: make({ name: undefined, key: newKey(), issuer: "rung 0", issuerKey: rungs[0]?.[0] ?? newKey() }),
      offered,
    };
  },
  "of one key under many names": (count) => {
    const { newKey, make } = foundry();
    const key = newKey();
    const offered = Array.from({ length: count }, (_, at) =>
      make({ name: `name ${at}`, key, issuer: `name ${(at * 7 + 1) % count}`, issuerKey: key }),
    );
    return { leaf: make({ name: undefined, key: newKey(), issuer: "name 0", issuerKey: key }), offered };
  },
};

for (const [kind, make] of Object.entries(HOSTILE)) {
  test(`verifyCertificatePath: a chain of certificates ${kind} -> refused without delay, and a good certificate is accepted`, () => {
    const { root, under } = workshop();
    const authorities = { roots: [root.certificate], intermediates: [] };
    const good = signCertificate(under(false, []).tbs, root.key);
    const budget = new PathBudget();
    const started = cpuTime();
    for (const count of [8, 24, 100, 150]) {
      const hostile = make(count);
      const made = cpuTime();
      const judge = (leaf: Uint8Array) =>
        verifyCertificatePath({ leaf, authorities, offered: hostile.offered, at: new Date(), budget });
      assert.throws(() => judge(hostile.leaf), { code: /untrusted|limit/ });
      assert.ok(cpuTime() - made < 1000, `${count} certificates`);
      if (hostile.offered.length <= 100) assert.ok(judge(good), "what is below a trusted root needs no chain");
    }
    assert.ok(cpuTime() - started < 10_000);
  });
}

test("PathBudget: a thousand hostile chains -> an honest chain still verifies", () => {
  const { newKey, make } = foundry();
  const [root, middle] = [newKey(), newKey()];
  const authorities = {
    roots: [make({ name: "root", key: root, issuer: "root", issuerKey: root })],
    intermediates: [],
  };
  const budget = new PathBudget();
  const judge = (leaf: Buffer, offered: Buffer[]) =>
    verifyCertificatePath({ leaf, authorities, offered, at: new Date(), budget });
  const hostile = Array.from({ length: 40 }, () => HOSTILE["of one name and many keys, each issued by each"]?.(36));
  for (const each of hostile) assert.throws(() => judge(each?.leaf ?? Buffer.of(), each?.offered ?? []));
  const limited = hostile.at(-1);
  assert.throws(() => judge(limited?.leaf ?? Buffer.of(), limited?.offered ?? []), {
    code: "limit",
    message: /stopped after/,
  });
  const intermediate = make({ name: "middle", key: middle, issuer: "root", issuerKey: root });
  const leaf = make({ name: undefined, key: newKey(), issuer: "middle", issuerKey: middle });
  assert.ok(judge(leaf, [intermediate]));
});

test("verifyCertificatePath: RSASSA-PSS -> accepted only with SHA-2 for hash and mask", () => {
  const [SHA1, SHA256, SHA384] = ["1.3.14.3.2.26", "2.16.840.1.101.3.4.2.1", "2.16.840.1.101.3.4.2.2"];
  const hash = (id = "") => sequence(oid(id), NULL);
  const pss = (main: string | undefined, mask: string | undefined, salt: number | undefined, more: Buffer[] = []) =>
    sequence(
      oid("1.2.840.113549.1.1.10"),
      sequence(
        ...(main ? [explicit(0, hash(main))] : []),
        ...(mask ? [explicit(1, sequence(oid("1.2.840.113549.1.1.8"), hash(mask)))] : []),
        ...(salt ? [explicit(2, integer(salt))] : []),
        ...more,
      ),
    );
  const judge = (algorithm: Buffer) => {
    const { under } = workshop();
    const { tbs } = under(false, []);
    const usual = sequence(oid("1.2.840.10045.4.3.2"));
    const [start, end] = [tbs.indexOf(usual), tbs.indexOf(usual) + usual.length];
    const header = tbs[1] === 0x82 ? 4 : tbs[1] === 0x81 ? 3 : 2;
    const changed = sequence(tbs.subarray(header, start), algorithm, tbs.subarray(end));
    const made = parseCertificate(sequence(changed, algorithm, bitString(Buffer.alloc(256))));
    return hasSoundSignature(made);
  };
  assert.equal(judge(pss(SHA256, SHA256, 32)), true);
  assert.equal(judge(pss(SHA384, SHA384, 48)), true);
  assert.equal(judge(pss(SHA256, SHA256, 32, [explicit(3, integer(1))])), true);
  for (const [what, algorithm] of [
    ["nothing said, which stands for SHA-1", sequence(oid("1.2.840.113549.1.1.10"), sequence())],
    ["no parameters", sequence(oid("1.2.840.113549.1.1.10"))],
    ["SHA-1", pss(SHA1, SHA1, 20)],
    ["SHA-1 in the mask", pss(SHA256, SHA1, 32)],
    ["no mask said", pss(SHA256, undefined, 32)],
    ["another hash in the mask", pss(SHA256, SHA384, 32)],
    ["no salt", pss(SHA256, SHA256, undefined)],
    ["a short salt", pss(SHA256, SHA256, 20)],
    ["another trailer", pss(SHA256, SHA256, 32, [explicit(3, integer(2))])],
    ["SHA-1 with RSA", sequence(oid("1.2.840.113549.1.1.5"), NULL)],
    ["MD5 with RSA", sequence(oid("1.2.840.113549.1.1.4"), NULL)],
    ["ECDSA with SHA-1", sequence(oid("1.2.840.10045.4.1"))],
    ["DSA", sequence(oid("2.16.840.1.101.3.4.3.2"))],
  ] as const) {
    assert.equal(judge(algorithm), false, what);
  }
});
