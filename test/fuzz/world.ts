import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Digest } from "../../src/format/digest.ts";
import { openRegistry } from "../../src/oci/open.ts";
import { parseReference } from "../../src/oci/ref.ts";
import { attachmentTag } from "../../src/oci/tags.ts";
import type { ImageStore } from "../../src/oci/types.ts";
import { pushImage } from "../../src/sandbox/registry/push.ts";
import { type TestSigstore, testSigstore } from "../support/sandbox.ts";
import { keyOf } from "../support/sandbox-client.ts";
import { type BundleKind, signedBundle } from "../support/signed-bundles.ts";
import { listed } from "../support/storage.ts";
import { LEGACY, PLAIN_REGISTRY, run, testIo } from "../support/test-io.ts";
import { coreOf, type Form, type Genuine, type Probe, proofsOf, readForm, type Setting, SIGNERS } from "./judge.ts";

/** A document made by a genuine signing. */
export interface Document {
  readonly form: Form;
  /** Description: `v0.3, hashedrekord, promise: A by alice`. */
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** The attachments of an image: `sig`, `att` and `referrers`. */
export interface Repository {
  readonly artifact: "A" | "B";
  readonly signer: Probe["signer"];
  readonly stored: Readonly<Record<string, unknown>>;
}

/** The genuine documents: two artifacts, four signers, two Sigstore instances, and signatures in every form. */
export interface World {
  readonly setting: Setting;
  readonly documents: readonly Document[];
  /** Manifests, indexes and referrers lists as returned by the registry. */
  readonly manifests: readonly { readonly name: string; readonly bytes: Uint8Array }[];
  /** Attachments of the images in each signer's repository, with the content of their first layers. */
  readonly repositories: readonly Repository[];
  /** The sandbox's files by name: trusted roots, signing configs, PEM files. */
  readonly files: TestSigstore["files"];
  readonly sigstore: TestSigstore;
  /** A key file of cosign's form, and its password. */
  readonly keyFile: string;
  /** PEM of private keys of every kind, PKCS#8 and older. */
  readonly privateKeys: readonly string[];
}

const base = { version: "0.3", dsse: false, signer: "certificate", promise: false, timestamp: false } as const;
export const BUNDLE_KINDS: Readonly<Record<string, BundleKind>> = {
  "v0.1, hashedrekord, promise": { ...base, version: "0.1", entry: "hashedrekord 0.0.1", promise: true },
  "v0.2, intoto, promise and timestamp": {
    ...base,
    version: "0.2",
    entry: "intoto 0.0.2",
    dsse: true,
    promise: true,
    timestamp: true,
  },
  "v0.3, hashedrekord, promise": { ...base, entry: "hashedrekord 0.0.1", promise: true },
  "v0.3, dsse, timestamp": { ...base, entry: "dsse 0.0.1", dsse: true, timestamp: true },
  "v0.3, Rekor v2, timestamp": { ...base, entry: "hashedrekord 0.0.2", timestamp: true },
  "v0.3, Rekor v2, envelope by its digest": { ...base, entry: "hashedrekord 0.0.2", dsse: true, timestamp: true },
  "v0.3, key, promise": { ...base, entry: "hashedrekord 0.0.1", signer: "key", promise: true },
  "v0.3, key, envelope": { ...base, entry: "dsse 0.0.1", dsse: true, signer: "key" },
  "v0.3, key, Rekor v2": { ...base, entry: "hashedrekord 0.0.2", signer: "key" },
};

const BLOBS = { A: Buffer.from("artifact A"), B: Buffer.from("artifact B, another one") };

/** The signers: alice and the key K sign both artifacts, and A twice; mallory, the key M and another Sigstore instance sign A. */
const SIGNINGS = [
  { artifact: "A", by: "own" },
  { artifact: "A", by: "own" },
  { artifact: "B", by: "own" },
  { artifact: "A", by: "other" },
  { artifact: "A", by: "own", elsewhere: true },
] as const;

/** Creates new keys, certificates and logs. */
export async function makeWorld(): Promise<World> {
  const ours = await testSigstore();
  const theirs = await testSigstore();
  const keys = { K: keyOf("P-256"), M: keyOf("P-256") };
  const pemOf = (name: "K" | "M") => String(keys[name].publicKey.export({ type: "spki", format: "pem" }));
  const documents: (Document & { readonly yes: readonly Probe[] })[] = [];
  for (const [name, kind] of Object.entries(BUNDLE_KINDS)) {
    for (const { artifact, by, ...more } of SIGNINGS) {
      const elsewhere = "elsewhere" in more;
      const signer = kind.signer === "key" ? (by === "own" ? "K" : "M") : by === "own" ? "alice" : "mallory";
      const { json } = await signedBundle(elsewhere ? theirs : ours, kind, {
        artifact: BLOBS[artifact],
        ...(signer === "K" || signer === "M" ? { pair: keys[signer] } : { email: SIGNERS[signer] }),
      });
      const probe: Probe = { artifact, signer, log: elsewhere ? "another's" : "ours" };
      documents.push({
        form: "bundle",
        name: `${name}: ${artifact} by ${signer}`,
        bytes: Buffer.from(JSON.stringify(json)),
        yes: [probe],
      });
    }
  }
  const stored = await storedForms(ours, theirs, keys);
  documents.push(...stored.documents);
  const now = new Date(ours.io.now().getTime() + 1000).toISOString();
  const genuine = documents.map(({ form, bytes, yes }): Genuine => {
    const evidence = readForm(form, bytes);
    return { core: coreOf(evidence), proofs: proofsOf(evidence), yes };
  });
  const setting: Setting = {
    trustedRoot: ours.trustedRoot,
    otherRoot: theirs.trustedRoot,
    issuer: ours.at.issuer,
    now,
    keys: { K: pemOf("K"), M: pemOf("M") },
    blobs: { A: BLOBS.A.toString("base64"), B: BLOBS.B.toString("base64") },
    images: stored.images,
    genuine,
  };
  return {
    setting,
    documents,
    manifests: stored.manifests,
    repositories: stored.repositories,
    files: ours.files,
    sigstore: ours,
    keyFile: stored.keyFile,
    privateKeys: privateKeys(),
  };
}

function privateKeys(): string[] {
  return (["P-256", "P-384", "RSA", "Ed25519"] as const).flatMap((kind) => {
    const { privateKey } = keyOf(kind);
    const older = kind === "RSA" ? (["pkcs1"] as const) : kind === "Ed25519" ? [] : (["sec1"] as const);
    return ["pkcs8" as const, ...older].map((type) => String(privateKey.export({ type, format: "pem" } as never)));
  });
}

interface Stored {
  readonly documents: readonly (Document & { readonly yes: readonly Probe[] })[];
  readonly manifests: World["manifests"];
  readonly repositories: World["repositories"];
  readonly images: Readonly<Record<"A" | "B", Digest>>;
  readonly keyFile: string;
}

const STORED = [
  { artifact: "A", signer: "alice" },
  { artifact: "B", signer: "alice" },
  { artifact: "A", signer: "mallory" },
  { artifact: "A", signer: "K" },
  { artifact: "B", signer: "K" },
  { artifact: "A", signer: "M" },
  { artifact: "A", signer: "alice", elsewhere: true },
] as const;

/** Creates the forms that commands store: layers of `.sig` and `.att`, legacy blob bundles, and their manifests. */
async function storedForms(
  ours: TestSigstore,
  theirs: TestSigstore,
  keys: Readonly<Record<"K" | "M", ReturnType<typeof keyOf>>>,
): Promise<Stored> {
  const cwd = mkdtempSync(join(tmpdir(), "tsign-fuzz-"));
  try {
    for (const name of ["K", "M"] as const) {
      writeFileSync(join(cwd, `${name}.pem`), keys[name].privateKey.export({ type: "pkcs8", format: "pem" }));
      await must(cwd, ours, ["import-key-pair", "--key", `${name}.pem`, "--output-key-prefix", name]);
    }
    for (const name of ["A", "B"] as const) writeFileSync(join(cwd, name), BLOBS[name]);
    writeFileSync(join(cwd, "predicate"), '{"answer":42}');
    const documents: (Document & { readonly yes: readonly Probe[] })[] = [];
    const manifests: { name: string; bytes: Uint8Array }[] = [];
    const repositories: Repository[] = [];
    const images: Partial<Record<"A" | "B", Digest>> = {};
    for (const [index, { artifact, signer, ...more }] of STORED.entries()) {
      const sigstore = "elsewhere" in more ? theirs : ours;
      const probe: Probe = { artifact, signer, log: "elsewhere" in more ? "another's" : "ours" };
      const made = await signEverything({ cwd, sigstore, repository: `r${index}/app`, artifact, signer });
      images[artifact] = made.image;
      manifests.push(...made.manifests);
      if (!("elsewhere" in more)) repositories.push({ artifact, signer, stored: made.stored });
      for (const [form, bytes] of made.documents) {
        documents.push({ form, name: `${form}: ${artifact} by ${signer}`, bytes, yes: [probe] });
      }
    }
    const { A, B } = images;
    if (!A || !B) throw new Error("no image was signed");
    return { documents, manifests, repositories, images: { A, B }, keyFile: readFileSync(join(cwd, "K.key"), "utf8") };
  } finally {
    rmSync(cwd, { recursive: true, force: true });
  }
}

async function must(cwd: string, { io }: TestSigstore, argv: readonly string[]): Promise<void> {
  const { code, stderr } = await run([...argv], { cwd, io, env: { COSIGN_PASSWORD: "pw" } });
  if (code !== 0) throw new Error(`tsign ${argv.join(" ")}: ${stderr}`);
}

/** Signs an image and a blob in every form as one signer, and reads the stored signatures. */
async function signEverything(by: {
  cwd: string;
  sigstore: TestSigstore;
  repository: string;
  artifact: "A" | "B";
  signer: Probe["signer"];
}) {
  const { cwd, sigstore, repository, artifact, signer } = by;
  writeFileSync(join(cwd, "root.json"), sigstore.trustedRoot);
  writeFileSync(join(cwd, "config.json"), sigstore.signingConfig.rekor1Tsa);
  const store = await openRegistry(
    testIo({ cwd, io: sigstore.io }),
    parseReference(`${sigstore.registry}/${repository}:v1`),
    PLAIN_REGISTRY,
  );
  const { digest } = await pushImage(store, { file: "app", content: BLOBS[artifact], tag: "v1" });
  const image = `${sigstore.registry}/${repository}@${digest}`;
  const isKey = signer === "K" || signer === "M";
  const who = isKey ? ["--key", `${signer}.key`] : ["--identity-token", sigstore.mint(SIGNERS[signer])];
  const flags = [...who, "--yes", "--signing-config", "config.json", "--trusted-root", "root.json"];
  const predicate = ["--type", "https://example.com/predicate/v1", "--predicate", "predicate"];
  await must(cwd, sigstore, ["sign", ...flags, "--format", "legacy", image]);
  await must(cwd, sigstore, ["attest", ...flags, ...predicate, "--format", "legacy", image]);
  await must(cwd, sigstore, ["sign", ...flags, image]);
  const unused = ["--output-signature", "unused", "--rfc3161-timestamp", "ts"];
  await must(cwd, sigstore, ["sign-blob", ...flags, LEGACY, ...unused, "--bundle", "legacy", artifact]);
  const documents: [Form, Uint8Array][] = [["legacy-bundle", readFileSync(join(cwd, "legacy"))]];
  const manifests: { name: string; bytes: Uint8Array }[] = [];
  const beside: Record<string, object> = {};
  for (const kind of ["sig", "att"] as const) {
    const { manifest, layer, blob, bytes } = await storedAt(store, attachmentTag(digest, kind));
    const payload = blob.toString("base64");
    documents.push([`${kind}-layer`, Buffer.from(JSON.stringify({ payload, annotations: layer.annotations }))]);
    manifests.push({ name: `.${kind}`, bytes });
    beside[kind] = { manifest, blob: blob.toString() };
  }
  const referrers: object[] = [];
  for (const referrer of await listed(store, digest)) {
    const { manifest, blob, bytes } = await storedAt(store, referrer.digest);
    manifests.push({ name: "referrer", bytes });
    const { mediaType, artifactType, annotations } = referrer;
    referrers.push({ manifest, blob: blob.toString(), listed: { mediaType, artifactType, annotations } });
  }
  const whole = await store.manifest(digest);
  manifests.push({ name: artifact === "A" ? "image" : "image B", bytes: whole?.bytes ?? Buffer.alloc(0) });
  return { image: digest, documents, manifests, stored: { ...beside, referrers } };
}

/** Returns a manifest with one layer, as JSON, and the layer's content. */
async function storedAt(store: ImageStore, at: string) {
  const stored = await store.manifest(at);
  const [layer] = stored?.manifest.layers ?? [];
  if (!stored || !layer) throw new Error(`no manifest at ${at}`);
  const blob = Buffer.from(await store.blob(layer, { maxBytes: 1e6 }));
  return { manifest: JSON.parse(Buffer.from(stored.bytes).toString()), layer, blob, bytes: stored.bytes };
}
