import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { gzipSync } from "node:zlib";
import { writePem } from "../../src/format/pem.ts";
import { systemIo } from "../../src/io/system.ts";
import { openRegistry } from "../../src/oci/open.ts";
import { parseReference } from "../../src/oci/ref.ts";
import { attachmentTag } from "../../src/oci/tags.ts";
import type { ImageStore } from "../../src/oci/types.ts";
import { octetString, utf8String } from "../../src/sandbox/pki/der.ts";
import { extension } from "../../src/sandbox/pki/x509.ts";
import { pushImage } from "../../src/sandbox/registry/push.ts";
import { createRegistryHandler } from "../../src/sandbox/registry/registry.ts";
import { testSigstore } from "../support/sandbox.ts";
import { timestamp } from "../support/sandbox-client.ts";
import { signedBundle } from "../support/signed-bundles.ts";
import { PLAIN_REGISTRY, testIo } from "../support/test-io.ts";
import {
  authoritiesOfOneKey,
  bundleOf,
  issuerExtension,
  leafOf,
  type Measured,
  measure,
  type Signer,
  trustedRootOf,
} from "./attacks-kit.ts";
import { folder, must, NO_LOG, OFFLINE, TSIGN } from "./support.ts";

/**
 * Hostile input for the built program: each attack must end with its verdict, in bounded time and memory. With
 * TSIGN_PROGRAM another program is measured; TSIGN_ATTACKS=report measures without checking.
 */

interface Attack {
  readonly name: string;
  /** Prepares a folder. @returns the command line, and the check of its outcome */
  prepare(t: TestContext, cwd: string): Promise<Prepared>;
  /** Seconds of CPU time, and MiB. */
  readonly within?: { readonly seconds?: number; readonly memory?: number };
}

interface Prepared {
  readonly args: readonly string[];
  readonly env?: Record<string, string>;
  /** By default: refused in one line, and nothing is reported as verified. */
  readonly expect?: (end: Measured) => void;
}

const ARTIFACT = Buffer.from("artifact");
const IDENTITY = ["--certificate-identity", "alice@example.com", "--certificate-oidc-issuer", "https://issuer.example"];
const BLIND = [NO_LOG, "--insecure-ignore-sct", "--trusted-root", "root.json"];
/** Limits of time, including waiting, and memory for attacks without their own. */
const [SECONDS, WAIT, MEMORY] = [2, 20, 300];

function refused({ code, stdout, stderr }: Measured): void {
  assert.ok(code !== undefined && code !== 0, `exit code ${code}`);
  assert.equal(stdout, "");
  assert.match(stderr, /^Error: /m);
  assert.doesNotMatch(stderr, /^Verified|defect of tsign|\n {4}at /m);
}

const accepted = ({ code, stderr }: Measured): void => assert.equal(code, 0, stderr);

function blobOf(cwd: string, bundle: object | string): string[] {
  writeFileSync(join(cwd, "artifact"), ARTIFACT);
  writeFileSync(join(cwd, "bundle"), typeof bundle === "string" ? bundle : JSON.stringify(bundle));
  return ["--bundle", "bundle", "artifact"];
}

/** A leaf below untrusted authorities, each of which could have issued every other. */
function chain(count: number, copies = 1): Attack["prepare"] {
  return async (_, cwd) => {
    const authorities = authoritiesOfOneKey(count);
    const [issuer] = authorities;
    const [stranger] = authoritiesOfOneKey(1);
    assert.ok(issuer && stranger);
    writeFileSync(join(cwd, "root.json"), trustedRootOf(stranger));
    const all = authorities.flatMap(({ certificate }) => Array<Buffer>(copies).fill(certificate));
    return { args: ["verify-blob", ...BLIND, ...IDENTITY, ...blobOf(cwd, bundleOf(ARTIFACT, leafOf(issuer), all))] };
  };
}

/** A certificate of a trusted authority that has an extension it must not have. */
function issued(extensions: readonly Uint8Array[], expect = refused): Attack["prepare"] {
  return async (_, cwd) => {
    const [issuer] = authoritiesOfOneKey(1);
    assert.ok(issuer);
    writeFileSync(join(cwd, "root.json"), trustedRootOf(issuer));
    const leaf: Signer = leafOf(issuer, extensions);
    return { args: ["verify-blob", ...BLIND, ...IDENTITY, ...blobOf(cwd, bundleOf(ARTIFACT, leaf, []))], expect };
  };
}

/** A text in a file that a command reads. */
function document(args: readonly string[], content: () => string | Uint8Array, expect = refused): Attack["prepare"] {
  return async (_, cwd) => {
    writeFileSync(join(cwd, "document"), content());
    writeFileSync(join(cwd, "artifact"), ARTIFACT);
    await must(TSIGN, ["generate-key-pair"], { cwd });
    return { args, expect, env: { COSIGN_PASSWORD: "suite" } };
  };
}

const VERIFY_BLOB = ["verify-blob", NO_LOG, "--key", "cosign.pub", "--bundle", "document", "artifact"];
const REGISTRY_FLAGS = ["--key", "cosign.pub", NO_LOG];

interface Laboratory {
  readonly store: ImageStore;
  readonly image: string;
  readonly subject: {
    readonly digest: `sha256:${string}` | `sha512:${string}`;
    readonly size: number;
    readonly mediaType: string;
  };
}

/** A registry with an image, and keys in the folder. */
async function laboratory(t: TestContext, cwd: string): Promise<Laboratory> {
  const { port, close } = await systemIo().listen(
    { host: "127.0.0.1", port: 0 },
    createRegistryHandler({ referrers: true }),
  );
  t.after(close);
  const name = `localhost:${port}/app`;
  const store = await openRegistry(testIo({ cwd }), parseReference(`${name}:v1`), PLAIN_REGISTRY);
  const subject = await pushImage(store, { file: "app", content: randomBytes(64), tag: "v1" });
  await must(TSIGN, ["generate-key-pair"], { cwd });
  return { store, image: `${name}@${subject.digest}`, subject };
}

const sign = (cwd: string, image: string) => must(TSIGN, ["sign", "--key", "cosign.key", ...OFFLINE, image], { cwd });
const MANIFEST = "application/vnd.oci.image.manifest.v1+json";
const BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json";

async function refer(
  { store, subject }: Laboratory,
  by: { type: string; layer: Uint8Array; count: number; large?: boolean },
) {
  const config = { ...(await store.putBlob(Buffer.from("{}"))), mediaType: "application/vnd.oci.empty.v1+json" };
  const layers = [{ ...(await store.putBlob(by.layer)), mediaType: by.type }];
  for (let index = 0; index < by.count; index++) {
    const annotations = { index: String(index) };
    const manifest = {
      schemaVersion: 2,
      mediaType: MANIFEST,
      artifactType: by.type,
      config,
      layers,
      subject,
      annotations,
    };
    await store.putManifest(Buffer.from(JSON.stringify(manifest)), { mediaType: MANIFEST });
  }
}

/** Many referrers beside one good signature, which must be found. */
function referrers(count: number, by: { type: string; layer: () => Uint8Array }): Attack["prepare"] {
  return async (t, cwd) => {
    const lab = await laboratory(t, cwd);
    await refer(lab, { type: by.type, layer: by.layer(), count });
    await sign(cwd, lab.image);
    return { args: ["verify", ...REGISTRY_FLAGS, lab.image], expect: accepted };
  };
}

/** A `.sig` with a layer for each of many chains of certificates that issue each other. */
async function layersOfChains(t: TestContext, cwd: string): Promise<Prepared> {
  const lab = await laboratory(t, cwd);
  const authorities = authoritiesOfOneKey(10);
  const [issuer] = authorities;
  const [stranger] = authoritiesOfOneKey(1);
  assert.ok(issuer && stranger);
  writeFileSync(join(cwd, "root.json"), trustedRootOf(stranger));
  const payload = Buffer.from(
    JSON.stringify({
      critical: {
        identity: { "docker-reference": "" },
        image: { "docker-manifest-digest": lab.subject.digest },
        type: "",
      },
      optional: null,
    }),
  );
  const blob = await lab.store.putBlob(payload);
  const annotations = {
    "dev.cosignproject.cosign/signature": Buffer.from("signature").toString("base64"),
    "dev.sigstore.cosign/certificate": writePem("CERTIFICATE", leafOf(issuer).certificate),
    "dev.sigstore.cosign/chain": authorities.map(({ certificate }) => writePem("CERTIFICATE", certificate)).join(""),
  };
  const layer = { ...blob, mediaType: "application/vnd.dev.cosign.simplesigning.v1+json", annotations };
  const config = {
    ...(await lab.store.putBlob(Buffer.from("{}"))),
    mediaType: "application/vnd.oci.image.config.v1+json",
  };
  const manifest = { schemaVersion: 2, mediaType: MANIFEST, config, layers: Array(250).fill(layer) };
  const tag = attachmentTag(lab.subject.digest, "sig");
  await lab.store.putManifest(Buffer.from(JSON.stringify(manifest)), { mediaType: MANIFEST, tag });
  return { args: ["verify", ...BLIND, ...IDENTITY, lab.image] };
}

type Answer = (path: string, response: import("node:http").ServerResponse) => void;

/** A registry with its own answers. */
function hostile(answer: Answer, flags: readonly string[] = [], expect = refused): Attack["prepare"] {
  return async (t, cwd) => {
    const server = createServer((request, response) => {
      response.on("error", () => {});
      answer(request.url ?? "", response);
    });
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    t.after(() => {
      server.closeAllConnections();
      server.close();
    });
    await must(TSIGN, ["generate-key-pair"], { cwd });
    const { port } = server.address() as AddressInfo;
    const image = `localhost:${port}/app@sha256:${"0".repeat(64)}`;
    return { args: ["verify", ...REGISTRY_FLAGS, ...flags, image], expect };
  };
}

const INDEX_TYPE = "application/vnd.oci.image.index.v1+json";

/** Returns this body for every request except those for a manifest by digest. */
function body(make: () => string | Uint8Array, headers: Record<string, string> = {}): Answer {
  let made: string | Uint8Array | undefined;
  return (_, response) => {
    made ??= make();
    response.writeHead(200, { "content-type": INDEX_TYPE, ...headers });
    response.end(made);
  };
}

const drip: Answer = (_, response) => {
  response.writeHead(200, { "content-type": INDEX_TYPE });
  const timer = setInterval(() => response.write("["), 300);
  response.on("close", () => clearInterval(timer));
};

const endless: Answer = (_, response) => {
  response.writeHead(200, { "content-type": INDEX_TYPE });
  const piece = Buffer.alloc(64 * 1024, 0x5b);
  const more = (): void => {
    while (!response.destroyed && response.write(piece));
    if (!response.destroyed) response.once("drain", more);
  };
  more();
};

const links: Answer = (path, response) => {
  const page = Number(/page=(\d+)/.exec(path)?.[1] ?? 0) + 1;
  const link = path.includes("/referrers/") ? { link: `<${path.replace(/\?.*/, "")}?page=${page}>; rel="next"` } : {};
  response.writeHead(200, { "content-type": INDEX_TYPE, ...link });
  response.end(JSON.stringify({ schemaVersion: 2, mediaType: INDEX_TYPE, manifests: [] }));
};

/** A genuine bundle whose timestamp contains its signer's certificate with one changed byte. */
async function tokenFlips(_: TestContext, cwd: string): Promise<Prepared> {
  const sigstore = await testSigstore();
  const kind = {
    version: "0.3",
    entry: "hashedrekord 0.0.2",
    dsse: false,
    signer: "certificate",
    promise: false,
    timestamp: true,
  } as const;
  const { json } = await signedBundle(sigstore, kind, { artifact: ARTIFACT });
  const signature = Buffer.from(json.messageSignature.signature, "base64");
  const token = await timestamp(sigstore, signature, { full: true });
  writeFileSync(join(cwd, "root.json"), sigstore.trustedRoot);
  const start = token.indexOf(Buffer.from("a003020102", "hex"));
  assert.ok(start > 0, "no certificate in the token");
  const verify = ["verify-blob", "--trusted-root", "root.json", "--certificate-identity", "alice@example.com"];
  const args = [...verify, "--certificate-oidc-issuer", sigstore.at.issuer];
  json.verificationMaterial.timestampVerificationData = {
    rfc3161Timestamps: [{ signedTimestamp: token.toString("base64") }],
  };
  accepted(await measure([...args, ...blobOf(cwd, json)], { cwd }));
  const yes: number[] = [];
  for (let at = start + 8; at < start + 400; at += 23) {
    const changed = Buffer.from(token);
    changed[at] = (changed[at] ?? 0) ^ 1;
    json.verificationMaterial.timestampVerificationData.rfc3161Timestamps[0].signedTimestamp =
      changed.toString("base64");
    const { code } = await measure([...args, ...blobOf(cwd, json)], { cwd });
    if (code === 0) yes.push(at - start);
  }
  return {
    args: [...args, ...blobOf(cwd, json)],
    expect: () => assert.deepEqual(yes, [], "bytes that may be changed"),
  };
}

/** A trusted root with an authority whose key is not a point on its curve. */
async function brokenRoot(_: TestContext, cwd: string): Promise<Prepared> {
  const sigstore = await testSigstore();
  const kind = {
    version: "0.3",
    entry: "hashedrekord 0.0.1",
    dsse: false,
    signer: "certificate",
    promise: true,
    timestamp: false,
  } as const;
  const { json } = await signedBundle(sigstore, kind, { artifact: ARTIFACT });
  const root = JSON.parse(sigstore.trustedRoot);
  const certificates = root.timestampAuthorities[0].certChain.certificates;
  const der = Buffer.from(certificates.at(-1).rawBytes, "base64");
  const point = der.indexOf(Buffer.from("034200", "hex")) + 4 || der.indexOf(Buffer.from("036200", "hex")) + 4;
  der[point + 10] = (der[point + 10] ?? 0) ^ 1;
  certificates.at(-1).rawBytes = der.toString("base64");
  writeFileSync(join(cwd, "root.json"), JSON.stringify(root));
  const who = ["--certificate-identity", "alice@example.com", "--certificate-oidc-issuer", sigstore.at.issuer];
  return { args: ["verify-blob", "--trusted-root", "root.json", ...who, ...blobOf(cwd, json)] };
}

/** A check that the environment disables causes a warning, like one that a flag disables. */
function switchedOff(env: Record<string, string>): Attack["prepare"] {
  return async (t, cwd) => {
    const lab = await laboratory(t, cwd);
    await sign(cwd, lab.image);
    const needed = env["COSIGN_PRIVATE_INFRASTRUCTURE"] ? [] : [NO_LOG];
    return {
      args: ["verify", "--key", "cosign.pub", ...needed, lab.image],
      env,
      expect(end) {
        accepted(end);
        const warnings = end.stderr.split("\n").filter((line) => line.startsWith("WARNING"));
        assert.ok(warnings.length > needed.length, `warnings: ${warnings.join("; ")}`);
      },
    };
  };
}

/** A named pipe in place of a file. */
function pipe(args: readonly string[]): Attack["prepare"] {
  return async (_, cwd) => {
    await must(TSIGN, ["generate-key-pair"], { cwd });
    writeFileSync(join(cwd, "artifact"), ARTIFACT);
    execFileSync("mkfifo", [join(cwd, "document")]);
    return { args: [...args, "--timeout", "2s"] };
  };
}

const scrypt = (params: object) => () => {
  const kdf = { name: "scrypt", params, salt: Buffer.alloc(32).toString("base64") };
  const cipher = { name: "nacl/secretbox", nonce: Buffer.alloc(24).toString("base64") };
  const json = JSON.stringify({ kdf, cipher, ciphertext: Buffer.alloc(200).toString("base64") });
  return writePem("ENCRYPTED SIGSTORE PRIVATE KEY", Buffer.from(json));
};
const SIGN_BLOB = ["sign-blob", "--key", "document", ...OFFLINE, "--bundle", "out", "artifact"];

const manifestOf = (text: () => string) =>
  document(["manifest", "verify", "--key", "cosign.pub", NO_LOG, "document"], text);
const dockerfileOf = (text: () => string) =>
  document(["dockerfile", "verify", "--key", "cosign.pub", NO_LOG, "document"], text);
const DEEP = () => `${"[".repeat(100_000)}${"]".repeat(100_000)}`;
const aliases = () =>
  Array.from(
    { length: 30 },
    (_, level) =>
      `a${level}: &a${level} [${Array(9)
        .fill(level ? `*a${level - 1}` : "x")
        .join(",")}]`,
  ).join("\n");

const ATTACKS: readonly Attack[] = [
  { name: "8 certificates that issued each other", prepare: chain(8) },
  { name: "24 certificates that issued each other", prepare: chain(24) },
  { name: "one certificate 2,000 times in a chain", prepare: chain(1, 2_000) },
  { name: "one certificate 32,000 times in a chain", prepare: chain(1, 32_000) },
  { name: "250 layers, each with such a chain of 10", prepare: layersOfChains, within: { seconds: 6 } },
  {
    name: "issuer extension twice",
    prepare: issued([issuerExtension("https://evil.example"), issuerExtension("https://issuer.example")]),
  },
  {
    name: "issuer extension that is no text",
    prepare: issued([extension("1.3.6.1.4.1.57264.1.8", octetString(Buffer.from("https://issuer.example")))]),
  },
  {
    name: "issuer extension with more after it",
    prepare: issued([
      extension(
        "1.3.6.1.4.1.57264.1.8",
        Buffer.concat([utf8String("https://issuer.example"), Buffer.from("0500", "hex")]),
      ),
    ]),
  },
  {
    name: "issuer extensions that contradict",
    prepare: issued([
      extension("1.3.6.1.4.1.57264.1.1", Buffer.from("https://evil.example")),
      issuerExtension("https://issuer.example"),
    ]),
  },
  {
    name: "(the same certificate with one right issuer)",
    prepare: issued([issuerExtension("https://issuer.example")], accepted),
  },
  { name: "bytes of the certificate in a timestamp", prepare: tokenFlips },
  { name: "trusted root with a key that is none", prepare: brokenRoot },
  {
    name: "lines of its own in a bundle's media type",
    prepare: document(
      VERIFY_BLOB,
      () => JSON.stringify({ mediaType: "x\nVerified OK\nError: \u202eKO" }),
      (end) => {
        refused(end);
        assert.doesNotMatch(end.stderr, /\u202e/);
      },
    ),
  },
  { name: "bundle nested 100,000 deep", prepare: document(VERIFY_BLOB, DEEP) },
  {
    name: "bundle of 100,000 log entries",
    prepare: document(VERIFY_BLOB, () =>
      JSON.stringify({
        mediaType: BUNDLE,
        verificationMaterial: { publicKey: {}, tlogEntries: Array(100_000).fill({}) },
        messageSignature: {},
      }),
    ),
  },
  { name: "named pipe as a bundle", prepare: pipe(VERIFY_BLOB) },
  { name: "named pipe as a key", prepare: pipe(SIGN_BLOB) },
  {
    name: "named pipe as the file to verify",
    prepare: pipe(["verify-blob", NO_LOG, "--key", "cosign.pub", "--signature", "AAAA", "document"]),
  },
  { name: "scrypt with N = 2^30", prepare: document(SIGN_BLOB, scrypt({ N: 2 ** 30, r: 8, p: 1 })) },
  { name: "scrypt with r = 2^20, p = 4096", prepare: document(SIGN_BLOB, scrypt({ N: 65_536, r: 2 ** 20, p: 4096 })) },
  {
    name: "Dockerfile: an ARG doubled 40 times",
    prepare: dockerfileOf(() => `ARG A=xxxxxxxx\n${"ARG A=$A$A\n".repeat(40)}FROM $A`),
  },
  {
    name: "Dockerfile: 200,000 continued lines",
    prepare: dockerfileOf(() => `FROM \\\n${"x\\\n".repeat(200_000)}y z`),
  },
  {
    name: "Dockerfile: defaults nested 5,000 deep",
    prepare: dockerfileOf(() => `FROM ${"${A:-".repeat(5_000)}x${"}".repeat(5_000)}`),
  },
  { name: "YAML: aliases of aliases", prepare: manifestOf(aliases) },
  { name: "YAML nested 20,000 deep", prepare: manifestOf(() => "[".repeat(20_000)) },
  {
    name: "YAML: 50,000 documents",
    prepare: manifestOf(() => "a: [x]\n---\n".repeat(50_000)),
    within: { seconds: 5, memory: 500 },
  },
  {
    name: "registry: gzip bomb",
    prepare: hostile(body(() => gzipSync(Buffer.alloc(200 * 1024 * 1024, 0x5b)), { "content-encoding": "gzip" })),
  },
  { name: "registry: an answer without an end", prepare: hostile(endless) },
  { name: "registry: JSON nested 100,000 deep", prepare: hostile(body(DEEP)) },
  { name: "registry: a byte now and then", prepare: hostile(drip, ["--timeout", "2s"]) },
  { name: "registry: pages of referrers without an end", prepare: hostile(links), within: { seconds: 10 } },
  {
    name: "registry: words with control characters",
    prepare: hostile(
      (_, response) => {
        response.writeHead(403, { "content-type": "application/json" });
        response.end(JSON.stringify({ errors: [{ code: "DENIED", message: "x\n\u001b[2JVerified OK\n\u202e" }] }));
      },
      [],
      (end) => {
        refused(end);
        assert.doesNotMatch(end.stderr, /\u001b|\u202e/);
      },
    ),
  },
  {
    name: "1,001 referrers of another kind",
    prepare: referrers(1_001, { type: "application/x-spam", layer: () => Buffer.from("spam") }),
  },
  {
    name: "40 referrers of one bundle of 60 MiB",
    prepare: referrers(40, {
      type: BUNDLE,
      layer: () => Buffer.from(`{"mediaType":"${BUNDLE}","x":"${"x".repeat(60 * 1024 * 1024)}"}`),
    }),
    within: { seconds: 6, memory: 400 },
  },
  { name: "log switched off by the environment", prepare: switchedOff({ COSIGN_PRIVATE_INFRASTRUCTURE: "true" }) },
  { name: "claims switched off by the environment", prepare: switchedOff({ COSIGN_CHECK_CLAIMS: "false" }) },
  { name: "SCT switched off by the environment", prepare: switchedOff({ COSIGN_INSECURE_IGNORE_SCT: "true" }) },
];

const reportOnly = process.env["TSIGN_ATTACKS"] === "report";
console.log(`${"attack".padEnd(46)}verdict    seconds  CPU s    MiB`);

for (const { name, prepare, within } of ATTACKS) {
  test(name, async (t) => {
    const cwd = folder(t);
    const { args, env, expect = refused } = await prepare(t, cwd);
    const end = await measure(args, { cwd, ...(env ? { env } : {}) });
    const verdict = end.code === undefined ? "killed" : end.code === 0 ? "yes" : `no, ${end.code}`;
    const problem = check(() => requireBounds(end, within)) ?? check(() => expect(end));
    const cells = [
      verdict.padEnd(8),
      end.seconds.toFixed(2).padStart(9),
      end.cpu.toFixed(2).padStart(6),
      end.memory.toFixed(0).padStart(7),
    ];
    console.log(`${name.padEnd(46)}${cells.join(" ")}${problem ? `  WRONG: ${problem.split("\n")[0]}` : ""}`);
    if (!reportOnly) assert.equal(problem, undefined, `${problem}\n${end.stderr.slice(0, 2000)}`);
  });
}

function requireBounds({ code, seconds, cpu, memory }: Measured, within: Attack["within"]): void {
  assert.notEqual(code, undefined, "it did not end");
  assert.ok(cpu < (within?.seconds ?? SECONDS), `${cpu.toFixed(1)} s of CPU time`);
  assert.ok(seconds < WAIT, `${seconds.toFixed(1)} s`);
  assert.ok(memory < (within?.memory ?? MEMORY), `${memory.toFixed(0)} MiB`);
}

function check(step: () => void): string | undefined {
  try {
    step();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
