import assert from "node:assert/strict";
import { generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";
import { test } from "node:test";
import {
  bitString,
  boolean,
  explicit,
  implicit,
  integer,
  octetString,
  oid,
  sequence,
  setOf,
  tlv,
} from "../sandbox/pki/der.ts";
import { extension, keyIdentifier, serialNumber, signCertificate, tbsCertificate } from "../sandbox/pki/x509.ts";
import { type PathOptions, verifyCertificatePath } from "./certificate-path.ts";
import { PathBudget } from "./path-budget.ts";

const CODE_SIGNING = "1.3.6.1.5.5.7.3.3";
const TIME_STAMPING = "1.3.6.1.5.5.7.3.8";
const ANY_USAGE = "2.5.29.37.0";
const SERVER = "1.3.6.1.5.5.7.3.1";
const [FROM, AT, TO] = ["2026-01-01", "2026-06-01", "2027-01-01"].map((day) => new Date(day)) as [Date, Date, Date];
const NO_PATH = { code: "untrusted", message: "certificate has no valid path to a trusted root" };

/** A subject or issuer of one TeletexString, which may contain any byte. */
const nameOf = (...bytes: number[]) => sequence(setOf(sequence(oid("2.5.4.3"), tlv(0x14, Buffer.from(bytes)))));

interface Party {
  readonly name: Buffer;
  readonly key: KeyObject;
  readonly spki: Buffer;
}

let parties = 0;
function party(name: Buffer = nameOf(...Buffer.from(`party ${++parties}`))): Party {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return { name, key: privateKey, spki: publicKey.export({ type: "spki", format: "der" }) };
}

/** Content of a certificate; by default that of an authority for any usage. */
interface Content {
  readonly ca?: boolean;
  readonly pathLength?: number;
  readonly usages?: readonly string[];
  readonly usagesCritical?: boolean;
  readonly from?: Date;
  readonly to?: Date;
  readonly more?: readonly Buffer[];
  /** The party whose key is in the authority key identifier. */
  readonly issuerId?: Party;
}

const usagesOf = (usages: readonly string[], critical = false) =>
  extension("2.5.29.37", sequence(...usages.map(oid)), { critical });

function tbsOf(subject: Party, issuer: Party, content: Content): Buffer {
  const { ca = true, pathLength, usages = [], usagesCritical = false, issuerId = issuer } = content;
  const limit = pathLength === undefined ? [] : [integer(pathLength)];
  return tbsCertificate({
    serial: serialNumber(randomBytes),
    issuer: issuer.name,
    subject: subject.name,
    notBefore: content.from ?? FROM,
    notAfter: content.to ?? TO,
    spki: subject.spki,
    extensions: [
      ...(ca ? [extension("2.5.29.19", sequence(boolean(true), ...limit), { critical: true })] : []),
      ...(usages.length > 0 ? [usagesOf(usages, usagesCritical)] : []),
      extension("2.5.29.35", sequence(implicit(0, keyIdentifier(issuerId.spki)))),
      extension("2.5.29.14", octetString(keyIdentifier(subject.spki))),
      ...(content.more ?? []),
    ],
    issuerKey: issuer.key,
  });
}

const certificate = (subject: Party, issuer: Party, content: Content = {}, key = issuer.key) =>
  signCertificate(tbsOf(subject, issuer, content), key);
const leafOf = (issuer: Party, content: Content = {}) =>
  certificate(party(sequence()), issuer, { ca: false, usages: [CODE_SIGNING], ...content });

/** The same certificate with a valid SHA-224 signature instead of SHA-256. */
function weakly(tbs: Buffer, key: KeyObject): Buffer {
  const [sha256, sha224] = [oid("1.2.840.10045.4.3.2"), oid("1.2.840.10045.4.3.1")];
  const at = tbs.indexOf(sha256);
  const weak = Buffer.concat([tbs.subarray(0, at), sha224, tbs.subarray(at + sha256.length)]);
  return sequence(weak, sequence(sha224), bitString(sign("sha224", weak, key)));
}

type Options = Partial<Omit<PathOptions, "authorities">> & { roots?: Buffer[]; intermediates?: Buffer[] };

function verify({ roots = [], intermediates = [], leaf = Buffer.of(), at = AT, ...more }: Options) {
  return verifyCertificatePath({ leaf, authorities: { roots, intermediates }, at, ...more });
}

function refused(
  options: Options,
  error: { code: string; message: string | RegExp },
  name = String(error.message),
): void {
  assert.throws(() => verify(options), error, name);
}

const untrusted = (message: string | RegExp) => ({ code: "untrusted", message });

test("verifyCertificatePath returns the leaf and its issuer", () => {
  const [root, upper, lower] = [party(), party(), party()];
  const top = certificate(root, root);
  const chain = [certificate(upper, root), certificate(lower, upper)];
  const raw = (options: Options) => {
    const { leaf, issuer } = verify({ roots: [top], ...options });
    return [leaf.native.raw, issuer.native.raw];
  };
  const [direct, below, far] = [leafOf(root), leafOf(upper), leafOf(lower)];
  assert.deepEqual(raw({ leaf: direct }), [direct, top]);
  assert.deepEqual(raw({ leaf: below, intermediates: chain }), [below, chain[0]]);
  for (const options of [{ intermediates: chain }, { offered: chain }, { offered: chain.toReversed() }]) {
    assert.deepEqual(raw({ leaf: far, ...options }), [far, chain[1]]);
  }
  assert.deepEqual(raw({ leaf: far, intermediates: chain.slice(0, 1), offered: chain.slice(1) }), [far, chain[1]]);
  assert.deepEqual(raw({ leaf: far, intermediates: chain.slice(1), offered: chain.slice(0, 1) }), [far, chain[1]]);
  for (const missing of chain)
    refused({ roots: [top], leaf: far, offered: chain.filter((der) => der !== missing) }, NO_PATH);
  refused({ roots: [], leaf: far, offered: [...chain, top] }, untrusted("no certificate authority is trusted"));
  const other = party();
  refused({ roots: [certificate(other, other)], leaf: far, offered: [...chain, top] }, NO_PATH, "another root");
  assert.deepEqual(raw({ roots: [certificate(other, other), top], leaf: direct }), [direct, top], "several roots");
});

test("verifyCertificatePath: the leaf must be valid at the time, both ends included", () => {
  const root = party();
  const wide = { from: new Date("2020-01-01"), to: new Date("2030-01-01") };
  const options = { roots: [certificate(root, root, wide)], leaf: leafOf(root) };
  for (const at of [FROM, AT, TO]) assert.ok(verify({ ...options, at }));
  const message = (at: string) =>
    untrusted(`certificate is valid from Jan  1 00:00:00 2026 GMT to Jan  1 00:00:00 2027 GMT, not at ${at}`);
  refused({ ...options, at: new Date(FROM.getTime() - 1) }, message("2025-12-31T23:59:59.999Z"));
  refused({ ...options, at: new Date(TO.getTime() + 1) }, message("2027-01-01T00:00:00.001Z"));
});

test("verifyCertificatePath: the leaf must be for code signing, or for timestamping only", () => {
  const root = party();
  const roots = [certificate(root, root)];
  const judge = (purpose: PathOptions["purpose"], usages: string[], content: Content = {}) => {
    const options = { roots, leaf: leafOf(root, { usages, ...content }) };
    return () => verify(purpose ? { ...options, purpose } : options);
  };
  for (const purpose of [undefined, "codeSigning"] as const) {
    for (const usages of [[CODE_SIGNING], [ANY_USAGE], [SERVER, CODE_SIGNING], [CODE_SIGNING, TIME_STAMPING]]) {
      assert.ok(judge(purpose, usages)(), usages.join());
    }
    for (const usages of [[], [SERVER], [TIME_STAMPING]]) {
      assert.throws(judge(purpose, usages), untrusted("certificate is not for code signing"), usages.join());
    }
    assert.throws(judge(purpose, [CODE_SIGNING], { ca: true }), untrusted("certificate is not for code signing"));
  }
  const critical = { usagesCritical: true };
  assert.ok(judge("timeStamping", [TIME_STAMPING], critical)());
  for (const [usages, content] of [
    [[TIME_STAMPING], {}],
    [[TIME_STAMPING, CODE_SIGNING], critical],
    [[TIME_STAMPING, TIME_STAMPING], critical],
    [[CODE_SIGNING], critical],
    [[ANY_USAGE], critical],
    [[], {}],
    [[TIME_STAMPING], { ...critical, ca: true }],
  ] as const) {
    const attempt = judge("timeStamping", [...usages], content);
    assert.throws(attempt, untrusted("certificate is not for timestamping only"), usages.join());
  }
});

/** Known extensions, each with a valid value. */
const KNOWN: Readonly<Record<string, Buffer>> = {
  "2.5.29.15": bitString(Buffer.of(0x86), 1),
  "2.5.29.17": sequence(implicit(6, Buffer.from("https://somebody.example"))),
  "2.5.29.31": sequence(sequence(explicit(0, explicit(0, implicit(6, Buffer.from("http://crl.example")))))),
  "2.5.29.32": sequence(sequence(oid("2.5.29.32.0"))),
  "2.5.29.36": sequence(implicit(0, Buffer.of(0))),
  "2.5.29.54": integer(0),
};

test("verifyCertificatePath: unknown critical extension anywhere in the path -> refused", () => {
  const root = party();
  const plain = certificate(root, root);
  const middle = party();
  const judge = (place: "leaf" | "intermediate" | "root", more: Buffer) => () => {
    const at = (here: string) => (here === place ? { more: [more] } : {});
    return verify({
      roots: [place === "root" ? certificate(root, root, at("root")) : plain],
      intermediates: [certificate(middle, root, at("intermediate"))],
      leaf: leafOf(middle, at("leaf")),
    });
  };
  for (const place of ["leaf", "intermediate", "root"] as const) {
    for (const [id, value] of Object.entries(KNOWN)) {
      assert.ok(judge(place, extension(id, value, { critical: true }))(), `${id} in the ${place}`);
    }
    const unknown = place === "leaf" ? untrusted("certificate has an unknown critical extension") : NO_PATH;
    for (const id of ["1.2.3", "2.5.29.18", "1.3.6.1.4.1.11129.2.4.3"]) {
      assert.ok(judge(place, extension(id, sequence()))(), `${id} in the ${place}, not critical`);
      assert.ok(judge(place, sequence(oid(id), boolean(false), octetString(sequence())))(), "FALSE said");
      assert.throws(judge(place, extension(id, sequence(), { critical: true })), unknown, `${id} in the ${place}`);
    }
  }
  const both = (critical: boolean) => {
    const [subject, issuer] = [party(sequence()), root];
    const ids = [
      extension("2.5.29.37", sequence(oid(CODE_SIGNING)), { critical }),
      extension("2.5.29.14", octetString(keyIdentifier(subject.spki)), { critical }),
      extension("2.5.29.35", sequence(implicit(0, keyIdentifier(issuer.spki))), { critical }),
    ];
    const options = { serial: serialNumber(randomBytes), notBefore: FROM, notAfter: TO, extensions: ids };
    const names = { issuer: issuer.name, subject: subject.name, spki: subject.spki, issuerKey: issuer.key };
    return signCertificate(tbsCertificate({ ...options, ...names }), issuer.key);
  };
  for (const critical of [true, false]) assert.ok(verify({ roots: [plain], leaf: both(critical) }), "identifiers");
});

test("verifyCertificatePath: an authority must be a valid CA for the usage, without name constraints", () => {
  const [root, middle] = [party(), party()];
  const judge =
    (place: "intermediate" | "root", content: Content, options: Options = {}) =>
    () =>
      verify({
        roots: [certificate(root, root, place === "root" ? content : {})],
        intermediates: [certificate(middle, root, place === "intermediate" ? content : {})],
        leaf: leafOf(middle, options.purpose ? { usages: [TIME_STAMPING], usagesCritical: true } : {}),
        ...options,
      });
  const constraints = sequence(explicit(0, sequence(implicit(1, Buffer.from("example.com")))));
  const stamps: Options = { purpose: "timeStamping" };
  for (const place of ["intermediate", "root"] as const) {
    const short = place === "root" ? 0 : undefined;
    for (const [content, options] of [
      [{}, {}],
      [{}, stamps],
      [{ usages: [CODE_SIGNING] }, {}],
      [{ usages: [SERVER, CODE_SIGNING] }, {}],
      [{ usages: [ANY_USAGE] }, {}],
      [{ usages: [ANY_USAGE] }, stamps],
      [{ usages: [TIME_STAMPING] }, stamps],
      [{ from: AT, to: AT }, {}],
      [{ pathLength: place === "root" ? 1 : 0 }, {}],
      [{ pathLength: 5 }, {}],
    ] as [Content, Options][]) {
      assert.ok(judge(place, content, options)(), `${place} ${JSON.stringify([content, options])}`);
    }
    for (const [content, options] of [
      [{ ca: false }, {}],
      [{ usages: [SERVER] }, {}],
      [{ usages: [TIME_STAMPING] }, {}],
      [{ usages: [CODE_SIGNING] }, stamps],
      [{ from: new Date(AT.getTime() + 1000) }, {}],
      [{ to: new Date(AT.getTime() - 1000) }, {}],
      [{ more: [extension("2.5.29.30", constraints)] }, {}],
      [{ more: [extension("2.5.29.30", constraints, { critical: true })] }, {}],
      ...(short === undefined ? [] : [[{ pathLength: short }, {}]]),
    ] as [Content, Options][]) {
      assert.throws(judge(place, content, options), NO_PATH, `${place} ${JSON.stringify([content, options])}`);
    }
  }
});

test("verifyCertificatePath: the issuer must match by name, key, identifier and accepted hash", () => {
  const [root, middle, other] = [party(), party(), party()];
  const roots = [certificate(root, root)];
  const intermediates = [certificate(middle, root)];
  assert.ok(verify({ roots, intermediates, leaf: leafOf(middle) }));
  const ofOther = certificate(party(sequence()), middle, { ca: false, usages: [CODE_SIGNING] }, other.key);
  refused({ roots, intermediates, leaf: ofOther }, NO_PATH, "signed by another key");
  refused({ roots, intermediates, leaf: leafOf(middle, { issuerId: other }) }, NO_PATH, "identifies another key");
  refused({ roots, intermediates, leaf: leafOf({ ...middle, name: other.name }) }, NO_PATH, "names another issuer");
  refused(
    { roots, intermediates: [certificate(middle, root, {}, other.key)], leaf: leafOf(middle) },
    NO_PATH,
    "an intermediate that is signed by another key",
  );
  const weakLeaf = weakly(tbsOf(party(sequence()), root, { ca: false, usages: [CODE_SIGNING] }), root.key);
  refused({ roots, leaf: weakLeaf }, untrusted("certificate is signed with an unsupported algorithm or hash"));
  const weakMiddle = weakly(tbsOf(middle, root, {}), root.key);
  refused({ roots, intermediates: [weakMiddle], leaf: leafOf(middle) }, NO_PATH, "a weak intermediate");
  refused({ roots, offered: [weakMiddle], leaf: leafOf(middle) }, NO_PATH, "a weak intermediate that was offered");
  assert.ok(verify({ roots, intermediates: [weakMiddle, ...intermediates], leaf: leafOf(middle) }), "beside another");
  const weakRoot = weakly(tbsOf(root, root, {}), root.key);
  assert.ok(verify({ roots: [weakRoot], leaf: leafOf(root) }), "a root is trusted as it is");
});

test("verifyCertificatePath: a path has at most eight authorities", () => {
  const chainOf = (authorities: number) => {
    const line = Array.from({ length: authorities }, () => party());
    const [root = party()] = line;
    const issued = line.slice(1).map((subject, above) => certificate(subject, line[above] ?? root));
    return { roots: [certificate(root, root)], leaf: leafOf(line.at(-1) ?? root), issued };
  };
  for (const count of [1, 7, 8]) {
    const { roots, leaf, issued } = chainOf(count);
    assert.ok(verify({ roots, leaf, intermediates: issued }), `${count}`);
    assert.ok(verify({ roots, leaf, offered: issued }), `${count}`);
  }
  for (const count of [9, 10]) {
    const { roots, leaf, issued } = chainOf(count);
    refused({ roots, leaf, intermediates: issued }, NO_PATH, `${count}`);
    refused({ roots, leaf, offered: issued }, NO_PATH, `${count}`);
  }
});

test("verifyCertificatePath: a path's length limits the authorities below, not the leaf", () => {
  const [root, upper, lower] = [party(), party(), party()];
  for (const [limits, isGood] of [
    [[2, 1, 0], true],
    [[2, 0, 0], false],
    [[1, 1, 0], false],
    [[2, 1, undefined], true],
    [[undefined, undefined, undefined], true],
  ] as const) {
    const [top, above, below] = limits.map((limit) => (limit === undefined ? {} : { pathLength: limit }));
    const options = {
      roots: [certificate(root, root, top)],
      intermediates: [certificate(upper, root, above), certificate(lower, upper, below)],
      leaf: leafOf(lower),
    };
    if (isGood) assert.ok(verify(options), limits.join());
    else refused(options, NO_PATH, limits.join());
  }
});

test("verifyCertificatePath: authorities that issued each other -> refused", () => {
  const [root, one, other] = [party(), party(), party()];
  const circle = [certificate(one, other), certificate(other, one), certificate(one, one)];
  for (const options of [{ intermediates: circle }, { offered: circle }]) {
    refused({ roots: [certificate(root, root)], leaf: leafOf(one), ...options }, NO_PATH);
    const out = certificate(other, root);
    const key = Object.keys(options)[0] ?? "";
    assert.ok(
      verify({ roots: [certificate(root, root)], leaf: leafOf(one), [key]: [...circle, out] }),
      "with a way out",
    );
  }
});

test("verifyCertificatePath visits each certificate once", () => {
  let checks = 0;
  class Counted extends PathBudget {
    override path() {
      const work = super.path();
      const isSigned: typeof work.isSigned = (...pair) => {
        checks++;
        return work.isSigned(...pair);
      };
      return { ...work, isSigned };
    }
  }
  const [root, circle] = [party(), party()];
  const issued = Array.from({ length: 3 }, () => certificate(circle, circle)); // each by each
  const options = { roots: [certificate(root, root)], leaf: leafOf(circle), budget: new Counted() };
  refused({ ...options, intermediates: issued }, NO_PATH);
  refused({ ...options, offered: issued }, NO_PATH);
  assert.equal(checks, 9, "three, by a search without what was offered, one with it, and one of what was offered");
});

test("verifyCertificatePath: a chain has at most 100 different certificates", () => {
  const [root, middle] = [party(), party()];
  const roots = [certificate(root, root)];
  const intermediate = certificate(middle, root);
  const others = Array.from({ length: 100 }, () => certificate({ ...root, name: nameOf(1) }, root));
  const leaf = leafOf(middle);
  const hundred = [...others.slice(0, 99), intermediate];
  assert.ok(verify({ roots, leaf, offered: hundred }));
  assert.ok(verify({ roots, leaf, offered: [...hundred, ...hundred.map((der) => Buffer.from(der))] }));
  refused(
    { roots, leaf, offered: [...others, intermediate] },
    { code: "limit", message: "chain has more than 100 different certificates" },
  );
});

test("verifyCertificatePath: certificates that differ in one byte are different", () => {
  const [root, middle] = [party(), party()];
  let good = certificate(middle, root);
  while (good.at(-1) !== 0xff) good = certificate(middle, root);
  const changed = Buffer.concat([good.subarray(0, -1), Buffer.of(0xfe)]); // neither is UTF-8
  for (const offered of [
    [good, changed],
    [changed, good],
  ]) {
    assert.ok(verify({ roots: [certificate(root, root)], leaf: leafOf(middle), offered }));
  }
});

test("verifyCertificatePath: certificates with another name use no budget", () => {
  const [root, middle] = [party(), party(nameOf(0xff))];
  const budget = new PathBudget();
  for (let path = 0; path < 12; path++) {
    const work = budget.path();
    for (let each = 0; each < 100; each++) assert.throws(() => work.parse(Buffer.of()));
  }
  const others = Array.from({ length: 20 }, () => certificate(party(nameOf(0xfe)), root));
  const options = { roots: [certificate(root, root)], leaf: leafOf(middle), budget };
  assert.ok(verify({ ...options, offered: [...others, certificate(middle, root)] }));
  const same = (length: number) => Array.from({ length }, () => certificate(middle, party()));
  assert.ok(verify({ ...options, offered: [...same(7), certificate(middle, root)] }));
  refused(
    { ...options, offered: [...same(8), certificate(middle, root)] },
    { code: "limit", message: /stopped after/ },
  );
});
