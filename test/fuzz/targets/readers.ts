import fc from "fast-check";
import { readEnvelope } from "../../../src/evidence/envelope.ts";
import { readCertificates } from "../../../src/evidence/legacy/read.ts";
import { parseStatement } from "../../../src/evidence/statement.ts";
import { parseJson } from "../../../src/format/json.ts";
import type { Files, Io } from "../../../src/io/io.ts";
import { importPrivateKey, publicKeyFromPem, readKeyFile } from "../../../src/keys/index.ts";
import { readManifest } from "../../../src/oci/manifest.ts";
import { formatReference, parseReference } from "../../../src/oci/ref.ts";
import { findCredentials } from "../../../src/oci/registry/keychain.ts";
import { readIdentityToken } from "../../../src/services/oidc/token.ts";
import { readMetadata } from "../../../src/services/tuf/metadata.ts";
import { readSigningConfig, selectServices } from "../../../src/trust/signing-config.ts";
import { readTrustedRoot } from "../../../src/trust/trusted-root.ts";
import { refusal } from "../judge.ts";
import { changes, mutate } from "../mutate.ts";
import { Finding, type Target } from "../target.ts";
import { bytesOf, readTree } from "../tree.ts";
import type { World } from "../world.ts";
import { tufFiles } from "./repository.ts";

/** One kind of document: genuine examples and their reader. */
export interface Form {
  readonly documents: (world: World) => readonly Uint8Array[] | Promise<readonly Uint8Array[]>;
  /** Reads one. @throws TsignError for a refused document, Finding for a wrong result */
  readonly read: (document: Uint8Array, world: unknown) => unknown;
}

/** Makes a target of readers, which must read or refuse every document. */
export function readers(name: string, forms: Readonly<Record<string, Form>>, more: Partial<Target> = {}): Target {
  return {
    name,
    reaches: "read",
    async inputs(world) {
      const trees = await Promise.all(
        Object.entries(forms).map(async ([form, { documents }]) => {
          const made = await documents(world);
          return made.map((bytes) => ({ form, tree: readTree(bytes) }));
        }),
      );
      const all = trees.flat();
      const donors = all.map(({ tree }) => tree);
      return fc.record({ base: fc.nat(all.length - 1), list: changes() }).map(({ base, list }) => {
        const { form, tree } = all[base] as (typeof all)[number];
        return { form, document: bytesOf(mutate(tree, list, donors)), setting: null };
      });
    },
    async judge({ form, document, setting }) {
      try {
        await forms[form]?.read(document, setting);
        return "read";
      } catch (error) {
        return refusal(error);
      }
    },
    ...more,
  };
}

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString();
const payloads = (world: World, form: string) =>
  world.documents
    .filter((document) => document.form === form)
    .map(({ bytes }) => Buffer.from(String(JSON.parse(text(bytes)).payload), "base64"));
const file = (name: keyof World["files"]) => (world: World) => [Buffer.from(world.files[name])];

/** Checks that parseJson returns the same value as JSON.parse, so that no two readers of a signed document differ. */
function readJson(bytes: Uint8Array): void {
  const value = parseJson(bytes, "it");
  if (JSON.stringify(value) !== JSON.stringify(JSON.parse(text(bytes))))
    throw new Finding("parseJson and JSON.parse differ");
}

const MANIFESTS: Target = readers("manifests", {
  manifest: {
    documents: ({ manifests }) => [
      ...manifests.map(({ bytes }) => bytes),
      indexOf(manifests.map(({ bytes }) => bytes)),
    ],
    read(bytes) {
      const manifest = readManifest(bytes, { servedType: "", where: "fuzz" });
      for (const each of [...manifest.layers, ...(manifest.manifests ?? [])]) {
        if (!/^sha(256|512):[0-9a-f]+$/.test(each.digest)) throw new Finding(`a descriptor's digest is ${each.digest}`);
        if (!Number.isSafeInteger(each.size) || each.size < 0) throw new Finding(`a descriptor's size is ${each.size}`);
      }
      for (const value of Object.values(manifest.annotations)) {
        if (typeof value !== "string") throw new Finding("an annotation is not a string");
      }
    },
  },
});

/** An index that lists manifests, as returned by the referrers API. */
function indexOf(manifests: readonly Uint8Array[]): Uint8Array {
  const list = manifests.map((bytes) => {
    const { mediaType, artifactType, annotations } = JSON.parse(text(bytes));
    return { mediaType, digest: `sha256:${"0".repeat(64)}`, size: bytes.length, artifactType, annotations };
  });
  const mediaType = "application/vnd.oci.image.index.v1+json";
  return Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, manifests: list }));
}

const STATEMENTS: Target = readers("statements", {
  statement: {
    documents: (world) =>
      payloads(world, "att-layer").map((layer) => Buffer.from(JSON.parse(text(layer)).payload, "base64")),
    read: (bytes) => parseStatement(bytes),
  },
  json: { documents: (world) => payloads(world, "att-layer"), read: readJson },
});

const ENVELOPES: Target = readers("envelopes", {
  envelope: { documents: (world) => payloads(world, "att-layer"), read: (bytes) => readEnvelope(bytes, "it") },
});

const TRUST: Target = readers("trust-files", {
  "trusted root": { documents: file("trusted_root.json"), read: (bytes) => readTrustedRoot(bytes, "root") },
  "signing config": {
    documents: (world) =>
      (["signing_config.json", "signing_config.rekor1.json", "signing_config.rekor1-tsa.json"] as const).flatMap(
        (name) => file(name)(world),
      ),
    read(bytes) {
      const config = readSigningConfig(bytes, "config");
      const services = selectServices(config, { now: new Date(), random: () => 0 });
      for (const { url } of [...services.logs, ...services.timestampAuthorities]) {
        if (!/^https?:$/.test(url.protocol)) throw new Finding(`a service is at ${url.href}`);
      }
    },
  },
  "PEM certificates": {
    documents: (world) => [...file("fulcio_chain.pem")(world), ...file("tsa_chain.pem")(world)],
    read: (bytes) => readCertificates(Buffer.from(bytes).toString("latin1"), "it"),
  },
});

const TUF: Target = readers("tuf-metadata", {
  metadata: {
    documents: async (world) => Object.values(await tufFiles(world)),
    read(bytes) {
      // Every role's reader reads it, whatever type it states.
      let refused: unknown;
      for (const kind of ["root", "timestamp", "snapshot", "targets"] as const) {
        try {
          readMetadata(kind, bytes);
          return;
        } catch (error) {
          refusal(error);
          refused = error;
        }
      }
      throw refused;
    },
  },
});

const KEYS: Target = readers("key-files", {
  encrypted: {
    documents: ({ keyFile }) => [Buffer.from(keyFile)],
    // Deriving a key takes a tenth of a second, so the password is never entered.
    read: (bytes) => readKeyFile(text(bytes), () => Promise.reject(new Finding("PASSWORD"))).catch(passwordAsked),
  },
  "public key": {
    documents: ({ setting, files }) =>
      [setting.keys.K, files["rekor1.pub"], files["ct_log.pub"]].map((pem) => Buffer.from(pem)),
    read: (bytes) => publicKeyFromPem(text(bytes)),
  },
  "private key": {
    documents: ({ privateKeys }) => privateKeys.map((pem) => Buffer.from(pem)),
    read: (bytes) => importPrivateKey(text(bytes)),
  },
});

function passwordAsked(error: unknown): void {
  if (!(error instanceof Finding && error.message === "PASSWORD")) throw error;
}

const CONFIG = {
  auths: {
    "registry.example": { auth: Buffer.from("user:secret").toString("base64") },
    "https://index.docker.io/v1/": { username: "user", password: "secret" },
    "other.example/team": { identitytoken: "token", registrytoken: "token" },
  },
  credHelpers: { "helped.example": "helper" },
  credsStore: "store",
  HttpHeaders: { "User-Agent": "docker" },
};

const DOCKER: Target = readers("docker-configs", {
  config: {
    documents: () => [Buffer.from(JSON.stringify(CONFIG))],
    async read(bytes) {
      const io = configIo(bytes);
      for (const image of [
        "registry.example/app",
        "nginx",
        "other.example/team/app",
        "helped.example/app",
        "x.example/app",
      ]) {
        await findCredentials(io, parseReference(image));
      }
    },
  },
});

/** The only existing file, and credential helpers that answer without running. */
export function configIo(bytes: Uint8Array): Pick<Io, "env" | "files" | "spawn"> {
  const files: Partial<Files> = {
    read: async () => bytes,
    stat: async (path) =>
      path.endsWith("/.docker/config.json") ? { kind: "file", size: bytes.length, identity: "1:1" } : undefined,
  };
  return {
    env: { HOME: "/home" },
    files: files as Files,
    async spawn(program) {
      if (!/^docker-credential-[A-Za-z0-9._-]+$/.test(program)) throw new Finding(`it would run ${program}`);
      return { code: 0, stdout: '{"ServerURL":"x","Username":"user","Secret":"secret"}', stderr: "" };
    },
  };
}

const HEX = "0".repeat(64);
const REFERENCES: Target = readers("references", {
  reference: {
    documents: () =>
      [
        ...[
          "nginx",
          "nginx:1",
          "registry.example/team/app:v1.2.3",
          `localhost:5000/app@sha256:${HEX}`,
          "[::1]:5000/a/b",
        ],
        ...[`r.example/app:v1@sha512:${HEX}${HEX}`, "docker.io/library/nginx", "a.b.c:443/d-e_f__g/h:I.J-K"],
      ].map((reference) => Buffer.from(reference)),
    read(bytes) {
      const reference = parseReference(text(bytes));
      const { registry, repository, digest } = reference;
      const again = parseReference(formatReference(reference));
      if (again.name !== reference.name || again.digest !== digest)
        throw new Finding(`${formatReference(reference)} is another image`);
      const url = URL.parse(`https://${registry}/v2/${repository}/manifests/${reference.identifier}`);
      if (!url) throw new Finding("no valid URL for the reference");
      const [, host = "", port = "443"] = /^(.*?)(?::(\d+))?$/.exec(registry.toLowerCase()) ?? [];
      const isThere = url.hostname === host || host.startsWith("[");
      if (!isThere || Number(url.port || "443") !== Number(port))
        throw new Finding(`request to ${url.host} for an image on ${registry}`);
      const path = `/v2/${repository}/manifests/${reference.identifier}`;
      if (url.pathname !== path) throw new Finding(`${path} becomes ${url.pathname}`);
    },
  },
});

const TOKENS: Target = readers("identity-tokens", {
  token: {
    documents: ({ sigstore }) => [Buffer.from(sigstore.mint("alice@example.com")), Buffer.from(sigstore.mintJob())],
    read: (bytes) => readIdentityToken(text(bytes), { source: "fuzz", now: new Date() }),
  },
});

export const READER_TARGETS: readonly Target[] = [
  MANIFESTS,
  STATEMENTS,
  ENVELOPES,
  TRUST,
  TUF,
  KEYS,
  DOCKER,
  REFERENCES,
  TOKENS,
];
