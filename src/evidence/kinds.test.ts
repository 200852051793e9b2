import assert from "node:assert/strict";
import { test } from "node:test";
import { MANIFEST_TYPE } from "../../test/support/memory-store.ts";
import { digestOf } from "../format/digest.ts";
import type { Descriptor, Manifest, StoredManifest } from "../oci/types.ts";
import { isBundle, isSbom, isSignatureImage, mayBeOurs } from "./kinds.ts";

const BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json";
const SIGNATURE = "application/vnd.dev.cosign.artifact.sig.v1+json";
const SBOM = "application/vnd.dev.cosign.artifact.sbom.v1+json";
const SIMPLE = "application/vnd.dev.cosign.simplesigning.v1+json";
const EMPTY = "application/vnd.oci.empty.v1+json";

const of = (mediaType: string): Descriptor => ({ mediaType, digest: digestOf(Buffer.from(mediaType)), size: 1 });
const stored = (parts: { artifactType?: string; config?: string; layers?: string[] }): StoredManifest => {
  const { artifactType, config, layers = [] } = parts;
  const manifest: Manifest = {
    mediaType: MANIFEST_TYPE,
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(config === undefined ? {} : { config: of(config) }),
    layers: layers.map(of),
    annotations: {},
  };
  return { descriptor: of(MANIFEST_TYPE), bytes: new Uint8Array(), manifest };
};

test("isBundle: the first layer or the artifact has the type of a bundle of any version -> true", () => {
  const bundles = [
    stored({ layers: [BUNDLE] }),
    stored({ layers: ["application/vnd.dev.sigstore.bundle+json;version=0.1"] }),
    stored({ layers: ["application/json"], artifactType: BUNDLE }),
    stored({ artifactType: BUNDLE }),
    stored({ layers: [BUNDLE], artifactType: "another" }),
  ];
  const others = [
    stored({}),
    stored({ layers: ["application/json"] }),
    stored({ layers: ["application/json", BUNDLE] }),
    stored({ config: BUNDLE }),
    stored({ artifactType: `x/${BUNDLE}` }),
    stored({ layers: [SIMPLE], artifactType: SIGNATURE }),
  ];
  for (const each of bundles) assert.equal(isBundle(each), true, JSON.stringify(each.manifest));
  for (const each of others) assert.equal(isBundle(each), false, JSON.stringify(each.manifest));
});

test("isSignatureImage: the artifact type of a signature, or only payloads as layers -> true", () => {
  const images = [
    stored({ artifactType: SIGNATURE }),
    stored({ config: SIGNATURE }),
    stored({ artifactType: SIGNATURE, config: EMPTY, layers: ["another"] }),
    stored({ layers: [SIMPLE] }),
    stored({ layers: [SIMPLE, SIMPLE], config: EMPTY, artifactType: "another" }),
  ];
  const others = [
    stored({}),
    stored({ config: EMPTY }),
    stored({ artifactType: "another", config: SIGNATURE }),
    stored({ layers: [SIMPLE, "another"] }),
    stored({ layers: ["another"], artifactType: SBOM }),
  ];
  for (const each of images) assert.equal(isSignatureImage(each), true, JSON.stringify(each.manifest));
  for (const each of others) assert.equal(isSignatureImage(each), false, JSON.stringify(each.manifest));
});

test("isSbom: decided by the artifact type or, without one, by the config's type", () => {
  assert.equal(isSbom(stored({ artifactType: SBOM })), true);
  assert.equal(isSbom(stored({ config: SBOM })), true);
  assert.equal(isSbom(stored({ artifactType: SBOM, config: EMPTY })), true);
  assert.equal(isSbom(stored({ artifactType: "another", config: SBOM })), false);
  assert.equal(isSbom(stored({ layers: [SBOM] })), false);
  assert.equal(isSbom(stored({})), false);
});

test("mayBeOurs: types that tsign stores, and generic ones -> true", () => {
  const general = [
    "application/vnd.oci.empty.v1+json",
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.docker.container.image.v1+json",
    "application/octet-stream",
    "application/json",
    "unknown",
  ];
  const base = of(MANIFEST_TYPE);
  assert.equal(mayBeOurs(base), true);
  for (const artifactType of ["", ...general, BUNDLE, `${BUNDLE};x`, SIGNATURE, SBOM, SIMPLE]) {
    assert.equal(mayBeOurs({ ...base, artifactType }), true, artifactType);
  }
  const others = ["application/sarif+json", "application/jsonl", "unknown2", "x", `x/${BUNDLE}`, "application/vnd.dev"];
  for (const artifactType of others) assert.equal(mayBeOurs({ ...base, artifactType }), false, artifactType);
});
