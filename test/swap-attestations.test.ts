import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Digest } from "../src/format/digest.ts";
import type { Io } from "../src/io/io.ts";
import { openRegistry } from "../src/oci/open.ts";
import { parseReference } from "../src/oci/ref.ts";
import { pushImage } from "../src/sandbox/registry/push.ts";
import { writeKeyPairs } from "./support/key-pairs.ts";
import { some } from "./support/mutation-share.ts";
import { type TestSigstore, testSigstore } from "./support/sandbox.ts";
import { type Json, readStored, replaceStored, type StoredDocument } from "./support/stored-attestation.ts";
import { LEGACY, PLAIN_REGISTRY, run, temporaryFolder, testIo } from "./support/test-io.ts";

type Path = readonly (string | number)[];

const ALICE = "alice@example.com";

/** Every path, leaf or not, at which two documents of the same structure differ. */
function differing(a: Json | undefined, b: Json | undefined, path: Path = []): Path[] {
  if (JSON.stringify(a) === JSON.stringify(b)) return [];
  if (typeof a !== "object" || typeof b !== "object" || !a || !b) return [path];
  const keys = [...new Set([...Object.keys(a), ...Object.keys(b)])];
  const at = (of: object, key: string) => (of as Record<string, Json>)[key];
  const below = keys.flatMap((key) =>
    differing(at(a, key), at(b, key), [...path, Array.isArray(a) ? Number(key) : key]),
  );
  return path.length > 0 ? [path, ...below] : below;
}

/** Copies a document with the value of another one at a path. */
function exchanged(document: Json, other: Json, path: Path): Json {
  const [key, ...rest] = path;
  if (key === undefined) return structuredClone(other);
  const copy = structuredClone(document) as Record<string, Json>;
  const value = (other as Record<string, Json>)[key];
  const own = copy[key];
  if (rest.length > 0 && own !== undefined && value !== undefined) copy[key] = exchanged(own, value, rest);
  else if (value === undefined) delete copy[key];
  else copy[key] = structuredClone(value);
  return copy as Json;
}

type Signer = "key" | "certificate";
const SIGNERS: readonly Signer[] = ["certificate", "key"];
const TYPES = ["https://example.com/one", "https://example.com/two"] as const;
const [TYPE] = TYPES;

/** A log that gets every envelope in the way of cosign 1, and of cosign 2 with --rekor-entry-type intoto. */
async function olderSigstore(): Promise<TestSigstore> {
  const sigstore = await testSigstore();
  const http: Io["http"] = (request) => {
    const body = request.body instanceof Uint8Array ? Buffer.from(request.body).toString() : "{}";
    if (!request.url.pathname.endsWith("/api/v1/log/entries")) return sigstore.io.http(request);
    const { envelope, verifiers } = JSON.parse(body).spec.proposedContent;
    const hash = { algorithm: "sha256", value: createHash("sha256").update(envelope).digest("hex") };
    const entry = {
      kind: "intoto",
      apiVersion: "0.0.1",
      spec: { content: { envelope, hash }, publicKey: verifiers[0] },
    };
    const { "content-length": _, ...headers } = request.headers;
    return sigstore.io.http({ ...request, headers, body: Buffer.from(JSON.stringify(entry)) });
  };
  return { ...sigstore, io: { ...sigstore.io, http } };
}

/** Signs twice; with the policy that verifies the signatures. */
async function signing(t: TestContext, signer: Signer, config: string) {
  const older = config === "intoto";
  const sigstore = await (older ? olderSigstore() : testSigstore());
  const cwd = temporaryFolder(t);
  const write = (name: string, content: string) => writeFileSync(join(cwd, name), content);
  const read = (name: string) => JSON.parse(readFileSync(join(cwd, name), "utf8")) as { [key: string]: Json };
  const tsign = (argv: readonly string[]) => run([...argv], { cwd, io: sigstore.io, env: { COSIGN_PASSWORD: "pw" } });
  write("root.json", sigstore.trustedRoot);
  for (const [name, text] of Object.entries(sigstore.signingConfig)) write(`${name}.json`, text);
  write("p1.json", '{"one":1}');
  write("p2.json", '{"two":2}');
  writeKeyPairs(cwd, "cosign");
  const by = signer === "key" ? ["--key", "cosign.key"] : ["--identity-token", sigstore.mint(ALICE)];
  const who =
    signer === "key"
      ? ["--key", "cosign.pub"]
      : ["--certificate-identity", ALICE, "--certificate-oidc-issuer", sigstore.at.issuer];
  return {
    ...{ sigstore, cwd, tsign, write, read },
    sign: [...by, "--yes", "--signing-config", `${older ? "rekor1" : config}.json`, "--trusted-root", "root.json"],
    who: [...who, "--trusted-root", "root.json"],
  };
}

/** Two attestations stored as documents, and how they are verified. */
interface Pair {
  readonly documents: readonly [Json, Json];
  /** Verifies a document as the attestation of subject 1 or 2. */
  verify(document: Json, subject?: 1 | 2): ReturnType<typeof run>;
}

/** Two attestations by one signer of two files, with two types, at two times. */
async function twoFiles(t: TestContext, by: { signer: Signer; config: string; legacy?: boolean }): Promise<Pair> {
  const { signer, config, legacy = false } = by;
  const { tsign, write, read, sign, who } = await signing(t, signer, config);
  const dated = config === "rekor1Tsa";
  const documents: Json[] = [];
  for (const n of [1, 2]) {
    write(`file${n}`, `file ${n}`);
    const legacyFlags = [
      LEGACY,
      "--output-signature",
      "unused",
      ...(dated ? ["--rfc3161-timestamp-bundle", "ts"] : []),
    ];
    const signed = await tsign([
      ...["attest-blob", ...sign, ...(legacy ? legacyFlags : [])],
      ...["--type", `${TYPES[n - 1]}`, "--predicate", `p${n}.json`, "--bundle", "b", `file${n}`],
    ]);
    assert.equal(signed.code, 0, signed.stderr);
    documents.push({ bundle: read("b"), ...(legacy && dated ? { timestamp: read("ts") } : {}) });
  }
  return {
    documents: documents as [Json, Json],
    verify(document, n = 1) {
      const { bundle, timestamp } = document as { [key: string]: Json };
      write("bundle", JSON.stringify(bundle));
      if (timestamp !== undefined) write("timestamp", JSON.stringify(timestamp));
      return tsign([
        ...["verify-blob-attestation", ...who, "--type", `${TYPES[n - 1]}`, "--bundle", "bundle"],
        ...(timestamp === undefined ? [] : ["--rfc3161-timestamp", "timestamp"]),
        ...(dated ? ["--use-signed-timestamps"] : []),
        `file${n}`,
      ]);
    },
  };
}

/** The same for two images, stored in either format: the whole manifest except the fields that link it. */
async function twoImages(t: TestContext, by: { signer: Signer; config: string; legacy: boolean }): Promise<Pair> {
  const { signer, config, legacy } = by;
  const { tsign, sign, who, cwd, sigstore } = await signing(t, signer, config);
  const io = testIo({ cwd, io: sigstore.io });
  const store = await openRegistry(io, parseReference(`${sigstore.registry}/app:v1`), PLAIN_REGISTRY);
  const digests: Digest[] = [];
  const documents: Json[] = [];
  for (const n of [1, 2]) {
    const { digest } = await pushImage(store, { file: "app", content: Buffer.from(`image ${n}`), tag: `v${n}` });
    digests.push(digest);
    const signed = await tsign([
      ...["attest", ...sign, ...(legacy ? ["--format", "legacy"] : [])],
      ...["--type", `${TYPES[n - 1]}`, "--predicate", `p${n}.json`, `${sigstore.registry}/app@${digest}`],
    ]);
    assert.equal(signed.code, 0, signed.stderr);
    documents.push(await readStored(store, digest, legacy));
  }
  return {
    documents: documents as [Json, Json],
    async verify(document, n = 1) {
      const digest = digests[n - 1] ?? assert.fail();
      await replaceStored(store, digest, document as unknown as StoredDocument);
      const image = `${sigstore.registry}/app@${digest}`;
      const dated = config === "rekor1Tsa" ? ["--use-signed-timestamps"] : [];
      return tsign(["verify-attestation", ...who, ...dated, "--type", `${TYPES[n - 1]}`, image]);
    },
  };
}

let turn = 0;

/**
 * Checks that each of two attestations verifies, and neither with any part of the other: a tenth of the parts in each run, or all
 * of them (mutation-share.ts).
 */
async function refusesEveryExchange({ documents, verify }: Pair, least: number): Promise<void> {
  const [one, two] = documents;
  for (const [document, n] of [
    [one, 1],
    [two, 2],
  ] as const) {
    const good = await verify(document, n);
    assert.equal(good.code, 0, good.stderr);
  }
  const paths = differing(one, two);
  assert.ok(paths.length >= least, `${paths.length} fields differ: ${paths.map((path) => path.join(".")).join(", ")}`);
  for (const path of some(paths, turn++)) {
    const refused = await verify(exchanged(one, two, path));
    assert.notEqual(refused.code, 0, `${path.join(".")} of the other attestation is accepted`);
    assert.doesNotMatch(refused.stderr, /Verified OK|\n {4}at /, path.join("."));
  }
}

/** The same for parts of the signed statement. */
function withinStatement({ documents, verify }: Pair): Pair {
  type Document = { bundle: { dsseEnvelope: { payload: string } } };
  const open = (document: Json): Json => {
    const { payload } = (document as Document).bundle.dsseEnvelope;
    return JSON.parse(Buffer.from(payload, "base64").toString());
  };
  const [one, two] = documents;
  return {
    documents: [open(one), open(two)],
    verify(statement, n = 1) {
      const document = structuredClone(n === 1 ? one : two) as Document;
      document.bundle.dsseEnvelope.payload = Buffer.from(JSON.stringify(statement)).toString("base64");
      return verify(document as Json, n);
    },
  };
}

for (const signer of SIGNERS) {
  for (const config of ["rekor1", "rekor1Tsa", "rekor2"]) {
    const how = `by ${signer}, ${config}`;

    test(`bundles of files, ${how}: part of another attestation -> refused`, async (t) => {
      await refusesEveryExchange(await twoFiles(t, { signer, config }), 12);
    });

    test(`statements of files, ${how}: part of another attestation -> refused`, async (t) => {
      await refusesEveryExchange(withinStatement(await twoFiles(t, { signer, config })), 5);
    });

    test(`bundles of images, ${how}: part of another attestation -> refused`, async (t) => {
      await refusesEveryExchange(await twoImages(t, { signer, config, legacy: false }), 15);
    });
  }

  for (const config of ["rekor1", "rekor1Tsa"]) {
    const how = `by ${signer}, ${config}`;

    test(`legacy bundles of files, ${how}: part of another attestation -> refused`, async (t) => {
      await refusesEveryExchange(await twoFiles(t, { signer, config, legacy: true }), 6);
    });

    test(`legacy layers of images, ${how}: part of another attestation -> refused`, async (t) => {
      await refusesEveryExchange(await twoImages(t, { signer, config, legacy: true }), 10);
    });
  }

  test(`layers with a log entry of the whole envelope, by ${signer}: part of another -> refused`, async (t) => {
    await refusesEveryExchange(await twoImages(t, { signer, config: "intoto", legacy: true }), 10);
  });
}

test("log entry of a whole envelope: another signature over the same statement -> refused", async (t) => {
  const { tsign, sign, who, cwd, sigstore } = await signing(t, "key", "intoto");
  const store = await openRegistry(
    testIo({ cwd, io: sigstore.io }),
    parseReference(`${sigstore.registry}/app:v1`),
    PLAIN_REGISTRY,
  );
  const { digest } = await pushImage(store, { file: "app", content: Buffer.from("image"), tag: "v1" });
  const image = `${sigstore.registry}/app@${digest}`;
  const documents: StoredDocument[] = [];
  for (const _ of [1, 2]) {
    const attest = [
      "attest",
      ...sign,
      "--format",
      "legacy",
      "--replace",
      "--type",
      TYPE,
      "--predicate",
      "p1.json",
      image,
    ];
    assert.equal((await tsign(attest)).code, 0);
    documents.push((await readStored(store, digest, true)) as unknown as StoredDocument);
  }
  const [one, two] = documents as [StoredDocument, StoredDocument];
  const verify = () => tsign(["verify-attestation", ...who, "--type", TYPE, image]);
  assert.equal((await verify()).code, 0);
  await replaceStored(
    store,
    digest,
    exchanged(one as unknown as Json, two as unknown as Json, ["annotations"]) as unknown as StoredDocument,
  );
  const refused = await verify();
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /log entry is for a different envelope/);
});
