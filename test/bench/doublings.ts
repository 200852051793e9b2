import { generateKeyPairSync, randomBytes, sign } from "node:crypto";
import { parseArgs } from "node:util";
import { TsignError } from "../../src/errors.ts";
import { readBundle } from "../../src/evidence/bundle/read.ts";
import { readEnvelope } from "../../src/evidence/envelope.ts";
import { readCertificates, readSignatureLayer } from "../../src/evidence/legacy/read.ts";
import type { Evidence } from "../../src/evidence/model.ts";
import { parseStatement } from "../../src/evidence/statement.ts";
import { type Digest, messageOf } from "../../src/format/digest.ts";
import { preAuthEncoding } from "../../src/format/dsse.ts";
import { parseJson } from "../../src/format/json.ts";
import { readPem } from "../../src/format/pem.ts";
import { printable } from "../../src/format/printable.ts";
import { defaultHashes, publicKeyFromObject, readKeyFile } from "../../src/keys/index.ts";
import { readManifest } from "../../src/oci/manifest.ts";
import { parseReference } from "../../src/oci/ref.ts";
import { findCredentials } from "../../src/oci/registry/keychain.ts";
import { sequence } from "../../src/sandbox/pki/der.ts";
import { readMetadata } from "../../src/services/tuf/metadata.ts";
import { dockerfileImages } from "../../src/sources/dockerfile.ts";
import { manifestImages } from "../../src/sources/kubernetes.ts";
import { ALWAYS, NO_TRUST } from "../../src/trust/material.ts";
import { readSigningConfig } from "../../src/trust/signing-config.ts";
import { readTrustedRoot } from "../../src/trust/trusted-root.ts";
import type { Policy } from "../../src/verify/model.ts";
import { exactly, matching } from "../../src/verify/patterns.ts";
import { verify } from "../../src/verify/verify.ts";
import { configIo } from "../fuzz/targets/readers.ts";
import { authoritiesOfOneKey, bundleOf, leafOf } from "../suites/attacks-kit.ts";
import { testSigstore } from "../support/sandbox.ts";
import { signedBundle } from "../support/signed-bundles.ts";

/**
 * Measures the CPU time of every reader and verifier at four sizes, each twice the last. Growth above linear is marked when the
 * times are long enough to measure. A document that is refused for its size must be refused in time too.
 *
 *     npm run bench:doublings [-- PART-OF-A-NAME]
 */
interface Case {
  readonly name: string;
  /** Smallest size; the largest is eight times that, close to the accepted limit. */
  readonly size: number;
  /** Makes an input and returns the function that reads it. */
  make(size: number): () => unknown;
}

/** Time below which growth is noise, and the limit for the largest input. Seconds. */
const [NOISE, MOST] = [0.15, 2];
/** Growth per doubling above which a reader is not linear. n log n and garbage collection stay below it. */
const GROWTH = 3.3;

const repeat = (count: number, text: string | ((index: number) => string), between = ""): string =>
  Array.from({ length: count }, (_, index) => (typeof text === "string" ? text : text(index))).join(between);
const bytes = (text: string) => Buffer.from(text);
const origin = { kind: "file", where: "bench" } as const;
const HEX = "0".repeat(64);
const DIGEST: Digest = `sha256:${HEX}`;

const sigstore = await testSigstore();
const kind = { version: "0.3", dsse: false, signer: "certificate", promise: true, timestamp: true } as const;
const { json: genuine } = await signedBundle(sigstore, { ...kind, entry: "hashedrekord 0.0.1" });
const { json: v2 } = await signedBundle(sigstore, { ...kind, promise: false, entry: "hashedrekord 0.0.2" });
const trust = { ...readTrustedRoot(bytes(sigstore.trustedRoot), "root"), now: sigstore.io.now() };
const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const ownKey = publicKeyFromObject(publicKey);

const identity = {
  subject: [exactly("alice@example.com")],
  issuer: [exactly(sigstore.at.issuer)],
  extensions: new Map(),
};
const STRICT: Policy = {
  signer: { kind: "identity", identity },
  claims: { annotations: {}, predicateTypes: undefined },
  log: "required",
  timestamp: "optional",
  sct: { detached: undefined },
};
const LAX: Policy = { ...STRICT, log: "insecureSkip", sct: "insecureSkip" };
const BY_KEY: Policy = { ...LAX, signer: { kind: "key", key: ownKey, hashes: defaultHashes(ownKey) } };
const blob = { kind: "blob", message: messageOf(Buffer.from("hello, artifact")) } as const;

/** Reads and verifies a modified genuine bundle. */
// biome-ignore lint/suspicious/noExplicitAny: documents are changed in ways their types forbid
function judged(base: any, change: (bundle: any) => void): () => Promise<unknown> {
  const bundle = structuredClone(base);
  change(bundle);
  const document = bytes(JSON.stringify(bundle));
  return async () => verify(readBundle(document, origin), blob, trust, STRICT);
}

// biome-ignore lint/suspicious/noExplicitAny: as above
const material = (bundle: any) => bundle.verificationMaterial;

function chainOf(count: number, copies: number): () => Promise<unknown> {
  const authorities = authoritiesOfOneKey(count);
  const [issuer] = authorities;
  const [stranger] = authoritiesOfOneKey(1);
  if (!issuer || !stranger) throw new Error("no authority");
  const chain = authorities.flatMap(({ certificate }) => Array<Buffer>(copies).fill(certificate));
  const artifact = Buffer.from("hello, artifact");
  const document = bytes(JSON.stringify(bundleOf(artifact, leafOf(issuer), chain)));
  const authority = { roots: [stranger.certificate], intermediates: [], validFor: ALWAYS };
  return async () =>
    verify(readBundle(document, origin), blob, { ...NO_TRUST, authorities: [authority], now: new Date() }, LAX);
}

/** Verifies a payload signed with this key for an image. */
function statement(json: object): () => Promise<unknown> {
  const payload = bytes(JSON.stringify(json));
  const payloadType = "application/vnd.in-toto+json";
  const signature = sign("sha256", preAuthEncoding(payloadType, payload), privateKey);
  const content = { kind: "dsse", payloadType, payload, signature } as const;
  const evidence: Evidence = { origin, content, key: { kind: "none" }, log: [], timestamps: [], annotations: {} };
  return () => verify(evidence, { kind: "image", digest: DIGEST }, { ...NO_TRUST, now: new Date() }, BY_KEY);
}

const subjects = (count: number) =>
  Array.from({ length: count }, (_, index) => ({
    name: `s${index}`,
    digest: { sha256: index.toString(16).padStart(64, "1") },
  }));
const predicate = { _type: "https://in-toto.io/Statement/v1", predicateType: "x", predicate: {} };

function nestedDer(depth: number): Buffer {
  let der: Buffer = sequence();
  for (let level = 0; level < depth; level++) der = sequence(der);
  return der;
}

const manifest = (layers: number) =>
  JSON.stringify({
    ...{ schemaVersion: 2, mediaType: "application/vnd.oci.image.manifest.v1+json" },
    config: { mediaType: "x/y", digest: DIGEST, size: 2 },
    layers: Array(layers).fill({ mediaType: "x/y", digest: DIGEST, size: 1, annotations: { a: "b" } }),
  });

const docker = { path: "Dockerfile", env: {}, baseOnly: false };
const CASES: readonly Case[] = [
  {
    name: "JSON: members of an object",
    size: 50_000,
    make: (n) => later(() => parseJson(bytes(`{${repeat(n, (i) => `"k${i}":1`, ",")}}`), "x")),
  },
  {
    name: "JSON: backslashes before quotes",
    size: 500_000,
    make: (n) => over(bytes(JSON.stringify([`${"\\".repeat(n)}"`])), (it) => parseJson(it, "x")),
  },
  {
    name: "JSON: depth",
    size: 100_000,
    make: (n) => over(bytes(`${"[".repeat(n)}${"]".repeat(n)}`), (it) => parseJson(it, "x")),
  },
  {
    name: "bundle: log entries",
    size: 2_000,
    make: (n) => judged(genuine, (b) => (material(b).tlogEntries = Array(n).fill(material(b).tlogEntries[0]))),
  },
  {
    name: "bundle: timestamps",
    size: 2_000,
    make: (n) =>
      judged(
        genuine,
        (b) =>
          (material(b).timestampVerificationData.rfc3161Timestamps = Array(n).fill(
            material(b).timestampVerificationData.rfc3161Timestamps[0],
          )),
      ),
  },
  {
    name: "bundle: bytes of its body",
    size: 2_000_000,
    make: (n) =>
      judged(genuine, (b) => (material(b).tlogEntries[0].canonicalizedBody = Buffer.alloc(n, 0x20).toString("base64"))),
  },
  {
    name: "bundle: unknown fields",
    size: 50_000,
    make: (n) =>
      judged(genuine, (b) => Object.assign(b, Object.fromEntries(Array.from({ length: n }, (_, i) => [`f${i}`, 1])))),
  },
  {
    name: "bundle: hashes of a proof",
    size: 10_000,
    make: (n) =>
      judged(
        genuine,
        (b) => (material(b).tlogEntries[0].inclusionProof.hashes = Array(n).fill(Buffer.alloc(32).toString("base64"))),
      ),
  },
  {
    name: "checkpoint: signature lines",
    size: 20_000,
    make: (n) =>
      judged(
        v2,
        (b) => (material(b).tlogEntries[0].inclusionProof.checkpoint.envelope += repeat(n, "— w.example AAAAAAAA\n")),
      ),
  },
  {
    name: "checkpoint: lines of text",
    size: 100_000,
    make: (n) =>
      judged(
        v2,
        (b) => (material(b).tlogEntries[0].inclusionProof.checkpoint.envelope = `${repeat(n, "x\n")}\n— w AAAA\n`),
      ),
  },
  { name: "chain: copies of a certificate", size: 2_000, make: (n) => chainOf(1, n) },
  { name: "chain: certificates that issued each other", size: 8, make: (n) => chainOf(n, 1) },
  {
    name: "timestamp: depth of its DER",
    size: 2_000,
    make: (n) =>
      judged(
        genuine,
        (b) =>
          (material(b).timestampVerificationData.rfc3161Timestamps[0].signedTimestamp =
            nestedDer(n).toString("base64")),
      ),
  },
  {
    name: "timestamp: values in its DER",
    size: 50_000,
    make: (n) =>
      judged(
        genuine,
        (b) =>
          (material(b).timestampVerificationData.rfc3161Timestamps[0].signedTimestamp = sequence(
            Buffer.alloc(n * 2, Buffer.from([5, 0])),
          ).toString("base64")),
      ),
  },
  {
    name: "certificate: values in its DER",
    size: 50_000,
    make: (n) =>
      judged(
        genuine,
        (b) =>
          (material(b).certificate.rawBytes = sequence(Buffer.alloc(n * 2, Buffer.from([5, 0]))).toString("base64")),
      ),
  },
  {
    name: "certificate: depth of its DER",
    size: 2_000,
    make: (n) => judged(genuine, (b) => (material(b).certificate.rawBytes = nestedDer(n).toString("base64"))),
  },
  { name: "statement: subjects", size: 25_000, make: (n) => statement({ ...predicate, subject: subjects(n) }) },
  {
    name: "statement: digests of a subject",
    size: 25_000,
    make: (n) =>
      statement({
        ...predicate,
        subject: [{ name: "x", digest: Object.fromEntries(Array.from({ length: n }, (_, i) => [`sha${i}`, "00"])) }],
      }),
  },
  {
    name: "statement: bytes of the predicate",
    size: 2_000_000,
    make: (n) => over(bytes(JSON.stringify({ ...predicate, subject: [], predicate: "x".repeat(n) })), parseStatement),
  },
  {
    name: "envelope: signatures",
    size: 50_000,
    make: (n) =>
      over(bytes(JSON.stringify({ payload: "", payloadType: "x", signatures: Array(n).fill({ sig: "AAAA" }) })), (it) =>
        readEnvelope(it, "x"),
      ),
  },
  {
    name: "layer: certificates in its chain",
    size: 500,
    make: (n) =>
      over(sigstore.files["fulcio_chain.pem"].repeat(n), (chain) =>
        readSignatureLayer({
          payload: bytes("{}"),
          origin,
          annotations: {
            "dev.cosignproject.cosign/signature": "AAAA",
            "dev.sigstore.cosign/certificate": sigstore.files["fulcio_chain.pem"],
            "dev.sigstore.cosign/chain": chain,
          },
        }),
      ),
  },
  {
    name: "PEM: blocks",
    size: 20_000,
    make: (n) => over(repeat(n, "-----BEGIN X-----\nAAAA\n-----END X-----\n"), readPem),
  },
  {
    name: "PEM: beginnings without an end",
    size: 20_000,
    make: (n) => over(repeat(n, "-----BEGIN X-----\nAAAA\n"), readPem),
  },
  {
    name: "PEM: certificate beginnings without an end",
    size: 20_000,
    make: (n) => over(repeat(n, "-----BEGIN CERTIFICATE-----\nAAAA\n"), (it) => readCertificates(it, "x")),
  },
  {
    name: "PEM: dashes",
    size: 200_000,
    make: (n) => over("-".repeat(n), (it) => [attempt(() => readPem(it)), readCertificates(it, "x")]),
  },
  {
    name: "PEM: line breaks",
    size: 500_000,
    make: (n) => over(`-----BEGIN X-----${"\n".repeat(n)}-----END X-----`, readPem),
  },
  {
    name: "key file: bytes",
    size: 500_000,
    make: (n) =>
      over(
        repeat(
          1,
          `-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n${"A".repeat(n)}\n-----END ENCRYPTED SIGSTORE PRIVATE KEY-----\n`,
        ),
        (it) => readKeyFile(it, async () => bytes("pw")),
      ),
  },
  {
    name: "manifest: layers",
    size: 5_000,
    make: (n) => over(bytes(manifest(n)), (it) => readManifest(it, { servedType: "", where: "x" })),
  },
  { name: "trusted root: logs", size: 200, make: (n) => over(bytes(manyLogs(n)), (it) => readTrustedRoot(it, "x")) },
  {
    name: "signing config: services",
    size: 5_000,
    make: (n) => over(bytes(manyServices(n)), (it) => readSigningConfig(it, "x")),
  },
  { name: "TUF: targets", size: 5_000, make: (n) => over(bytes(manyTargets(n)), (it) => readMetadata("targets", it)) },
  {
    name: "docker configuration: entries",
    size: 20_000,
    make: (n) =>
      over(
        bytes(
          JSON.stringify({
            auths: Object.fromEntries(Array.from({ length: n }, (_, i) => [`r${i}.example`, { auth: "dTpw" }])),
          }),
        ),
        (it) => findCredentials(configIo(it), parseReference("r.example/app")),
      ),
  },
  { name: "reference: length", size: 50_000, make: (n) => over(`r.example/${repeat(n, "a", "/")}`, parseReference) },
  { name: "reference: separators", size: 50_000, make: (n) => over(`r.example/a${"_-".repeat(n)}`, parseReference) },
  {
    name: "pattern: nested repetition",
    size: 5_000,
    make: (n) => later(async () => (await matching("^(a+)+$")).matches(`${"a".repeat(n)}!`)),
  },
  {
    name: "pattern: length",
    size: 1_000,
    make: (n) => later(async () => (await matching(`^(${repeat(n, "a?")}|b)*$`)).matches("a".repeat(500))),
  },
  { name: "text for a terminal", size: 100_000, make: (n) => over("\u202e\n".repeat(n), printable) },
  {
    name: "Dockerfile: ARG doubled",
    size: 10,
    make: (n) => over(`ARG A=xxxxxxxx\n${"ARG A=$A$A\n".repeat(n)}FROM $A`, (it) => dockerfileImages(it, docker)),
  },
  {
    name: "Dockerfile: ARG lines",
    size: 2_000,
    make: (n) => over(`${repeat(n, (i) => `ARG A${i}=x\n`)}FROM a`, (it) => dockerfileImages(it, docker)),
  },
  {
    name: "Dockerfile: stages",
    size: 2_000,
    make: (n) =>
      over(
        repeat(n, (i) => `FROM ${i ? `s${i - 1}` : "x"} AS s${i}\nCOPY --from=s0 a b\n`),
        (it) => dockerfileImages(it, docker),
      ),
  },
  {
    name: "Dockerfile: stages with ARGs before them",
    size: 500,
    make: (n) => over(repeat(n, (i) => `ARG A${i}=x\n`) + repeat(n, "FROM x\n"), (it) => dockerfileImages(it, docker)),
  },
  {
    name: "Dockerfile: continued lines",
    size: 20_000,
    make: (n) => over(`FROM x\nRUN ${"a\\\n".repeat(n)}b`, (it) => dockerfileImages(it, docker)),
  },
  {
    name: "Dockerfile: nested defaults",
    size: 1_000,
    make: (n) => over(`FROM ${"${A:-".repeat(n)}x${"}".repeat(n)}`, (it) => dockerfileImages(it, docker)),
  },
  {
    name: "Dockerfile: here-documents",
    size: 5_000,
    make: (n) =>
      over(`FROM x\nRUN ${repeat(n, (i) => `<<E${i} `)}\n${repeat(n, (i) => `E${i}\n`)}`, (it) =>
        dockerfileImages(it, docker),
      ),
  },
  {
    name: "Dockerfile: variables in a word",
    size: 5_000,
    make: (n) => over(`ARG A=x\nFROM ${"$A".repeat(n)}`, (it) => dockerfileImages(it, docker)),
  },
  {
    name: "YAML: documents",
    size: 5_000,
    make: (n) => over("image: x\n---\n".repeat(n), (it) => manifestImages(it, "x")),
  },
  {
    name: "YAML: items",
    size: 10_000,
    make: (n) => over(`containers:\n${"- image: x\n".repeat(n)}`, (it) => manifestImages(it, "x")),
  },
  { name: "YAML: depth", size: 2_000, make: (n) => over("[".repeat(n), (it) => manifestImages(it, "x")) },
  {
    name: "YAML: aliases of one anchor",
    size: 5_000,
    make: (n) => over(`a: &a {image: x}\nb: [${repeat(n, "*a", ",")}]`, (it) => manifestImages(it, "x")),
  },
  {
    name: "YAML: aliases of aliases",
    size: 4,
    make: (n) =>
      over(
        repeat(
          n,
          (i) =>
            `a${i}: &a${i} [${Array(9)
              .fill(i ? `*a${i - 1}` : "x")
              .join(",")}]\n`,
        ),
        (it) => manifestImages(it, "x"),
      ),
  },
  {
    name: "YAML: keys of a map",
    size: 5_000,
    make: (n) =>
      over(
        repeat(n, (i) => `k${i}: v\n`),
        (it) => manifestImages(it, "x"),
      ),
  },
  {
    name: "YAML: JSON objects one after another",
    size: 5_000,
    make: (n) => over('{"image":"x"}\n'.repeat(n), (it) => manifestImages(it, "x")),
  },
  {
    name: "YAML: a long line",
    size: 500_000,
    make: (n) => over(`image: "${"x".repeat(n)}"`, (it) => manifestImages(it, "x")),
  },
  {
    name: "random bytes for every reader",
    size: 500_000,
    make: (n) =>
      over(randomBytes(n), (it) => [
        attempt(() => parseJson(it, "x")),
        attempt(() => manifestImages(it.toString(), "x")),
        attempt(() => dockerfileImages(it.toString(), docker)),
        attempt(() => readPem(it.toString())),
      ]),
  },
];

/** The input is made before the clock starts. */
function over<Input>(input: Input, read: (input: Input) => unknown): () => unknown {
  return () => read(input);
}

function later(read: () => unknown): () => unknown {
  return read;
}

function attempt(read: () => unknown): void {
  try {
    read();
  } catch (error) {
    if (!(error instanceof TsignError) || error.code === "internal") throw error;
  }
}

function manyLogs(count: number): string {
  const root = JSON.parse(sigstore.trustedRoot);
  return JSON.stringify({
    ...root,
    tlogs: Array(count).fill(root.tlogs[0]),
    ctlogs: Array(count).fill(root.ctlogs[0]),
  });
}

function manyServices(count: number): string {
  const config = JSON.parse(sigstore.signingConfig.rekor2);
  return JSON.stringify({ ...config, rekorTlogUrls: Array(count).fill(config.rekorTlogUrls[0]) });
}

function manyTargets(count: number): string {
  const targets = Object.fromEntries(
    Array.from({ length: count }, (_, i) => [`t${i}`, { length: 1, hashes: { sha256: HEX } }]),
  );
  const signed = { _type: "targets", spec_version: "1.0.31", version: 1, expires: "2040-01-01T00:00:00Z", targets };
  return JSON.stringify({ signatures: [], signed });
}

/** Returns the CPU seconds of the fastest of three runs, and whether the input was refused. */
async function measure(run: () => unknown): Promise<{ seconds: number; outcome: string }> {
  let [best, outcome] = [Number.POSITIVE_INFINITY, "read"];
  for (let round = 0; round < 3; round++) {
    const before = process.cpuUsage();
    try {
      const result = (await run()) as { ok?: boolean } | undefined;
      if (result?.ok !== undefined) outcome = result.ok ? "yes" : "no";
    } catch (error) {
      outcome = error instanceof TsignError && error.code !== "internal" ? "refused" : `INTERNAL ${error}`;
    }
    best = Math.min(best, process.cpuUsage(before).user / 1e6);
    if (best > MOST) break;
  }
  return { seconds: best, outcome };
}

const { positionals } = parseArgs({ allowPositionals: true });
console.log(`${"case".padEnd(44)}${"size".padStart(9)}        n       2n       4n       8n  growth`);
let [passed, failed] = [0, 0];
for (const { name, size, make } of CASES) {
  if (positionals.length > 0 && !positionals.some((part) => name.includes(part))) continue;
  const times: number[] = [];
  let outcome = "";
  for (const factor of [1, 2, 4, 8]) {
    const measured = await measure(make(size * factor));
    times.push(measured.seconds);
    ({ outcome } = measured);
    if (measured.seconds > 5 * MOST) break; // the next would take too long
  }
  const last = times.at(-1) ?? 0;
  const growth = last / (times.at(-2) || last || 1);
  const problems = [
    ...(growth > GROWTH && last > NOISE ? ["faster than its input"] : []),
    ...(last > MOST || times.length < 4 ? ["too long"] : []),
    ...(outcome.startsWith("INTERNAL") ? [outcome] : []),
  ];
  const cells = times.map((time) => `${(time * 1000).toFixed(0)} ms`.padStart(9)).join("");
  console.log(
    `${name.padEnd(44)}${String(size).padStart(9)}${cells}${growth.toFixed(1).padStart(8)}  ${outcome.slice(0, 60)}${problems.map((each) => `  WRONG: ${each}`).join("")}`,
  );
  if (problems.length > 0) failed++;
  else passed++;
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
