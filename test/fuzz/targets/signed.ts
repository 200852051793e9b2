import { createPrivateKey, createPublicKey, generateKeyPairSync, sign, X509Certificate } from "node:crypto";
import fc from "fast-check";
import type { Evidence } from "../../../src/evidence/model.ts";
import { type Digest, messageOf } from "../../../src/format/digest.ts";
import { preAuthEncoding } from "../../../src/format/dsse.ts";
import { defaultHashes, publicKeyFromObject } from "../../../src/keys/index.ts";
import { bitString, sequence } from "../../../src/sandbox/pki/der.ts";
import { createAuthority, signatureAlgorithm } from "../../../src/sandbox/pki/x509.ts";
import { ALWAYS, NO_TRUST, type TrustedMaterial } from "../../../src/trust/material.ts";
import type { Policy } from "../../../src/verify/model.ts";
import { exactly } from "../../../src/verify/patterns.ts";
import { verify } from "../../../src/verify/verify.ts";
import { SIGNERS } from "../judge.ts";
import { changes, mutate } from "../mutate.ts";
import { Finding, type Target } from "../target.ts";
import { bytesOf, childrenOf, type Node, readTree, withChildren } from "../tree.ts";
import type { World } from "../world.ts";

const IN_TOTO = "application/vnd.in-toto+json";
const ORIGIN = { kind: "file", where: "fuzz" } as const;
const BASE: Omit<Policy, "signer"> = {
  claims: { annotations: {}, predicateTypes: undefined },
  log: "insecureSkip",
  timestamp: "optional",
  sct: "insecureSkip",
};

interface PayloadSetting {
  readonly key: string;
  readonly images: Readonly<Record<"A" | "B", Digest>>;
}

/**
 * Changes payloads and signs them, as a faulty or malicious signer would. They must be read as a plain JSON reader does, and
 * verify only for the image that they name.
 */
const PAYLOADS: Target = {
  name: "signed-payloads",
  reaches: "yes",
  inputs(world) {
    const all = payloadsOf(world);
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const key = String(privateKey.export({ type: "pkcs8", format: "pem" }));
    const setting: PayloadSetting = { key, images: world.setting.images };
    const donors = all.map(({ tree }) => tree);
    return fc.record({ base: fc.nat(all.length - 1), list: changes() }).map(({ base, list }) => {
      const { form, tree } = all[base] as (typeof all)[number];
      return { form, document: bytesOf(mutate(tree, list, donors)), setting };
    });
  },
  async judge({ form, document, setting }) {
    const { key: pem, images } = setting as PayloadSetting;
    const privateKey = createPrivateKey(pem);
    const isStatement = form === "statement";
    const message = isStatement ? preAuthEncoding(IN_TOTO, document) : document;
    const signature = sign("sha256", message, privateKey);
    const content = isStatement
      ? ({ kind: "dsse", payloadType: IN_TOTO, payload: document, signature } as const)
      : ({ kind: "simple-signing", payload: document, signature } as const);
    const key = publicKeyFromObject(createPublicKey(privateKey));
    const policy: Policy = { ...BASE, signer: { kind: "key", key, hashes: defaultHashes(key) } };
    const yes = [];
    for (const name of ["A", "B"] as const) {
      const subject = { kind: "image", digest: images[name] } as const;
      const evidence = { ...bare(content), key: { kind: "none" } } as const;
      const verdict = await verify(evidence, subject, { ...NO_TRUST, now: new Date() }, policy);
      if (verdict.ok && !names(document, images[name], isStatement)) {
        throw new Finding(`a yes for image ${name}, which a plain JSON reader does not find named`);
      }
      if (verdict.ok) yes.push(name);
    }
    return yes.length > 0 ? "yes" : "refused";
  },
};

const bare = (content: Evidence["content"]): Evidence => ({
  ...{ origin: ORIGIN, content, key: { kind: "none" }, log: [], timestamps: [], annotations: {} },
});

function payloadsOf({ documents }: World) {
  return documents.flatMap(({ form, bytes }) => {
    if (form !== "sig-layer" && form !== "att-layer") return [];
    const payload = Buffer.from(JSON.parse(Buffer.from(bytes).toString()).payload, "base64");
    const statement = form === "att-layer" ? Buffer.from(JSON.parse(payload.toString()).payload, "base64") : undefined;
    return [{ form: statement ? "statement" : "simple-signing", tree: readTree(statement ?? payload) }];
  });
}

/** Reports whether a plain JSON reader finds the image in the field that the format requires. */
function names(document: Uint8Array, image: Digest, isStatement: boolean): boolean {
  const json = JSON.parse(Buffer.from(document).toString());
  if (!isStatement) return json.critical.image["docker-manifest-digest"] === image;
  const [algorithm = "", hex] = image.split(":");
  return json.subject.some((subject: { digest?: Record<string, string> }) => subject.digest?.[algorithm] === hex);
}

interface CertificateSetting {
  /** Base64 DER of the root, and the signature over the blob. */
  readonly root: string;
  readonly signature: string;
  readonly issuer: string;
}

const BLOB = Buffer.from("blob");

/**
 * Changes certificates and signs them as their authority, as a faulty authority would. They may verify only for the name that
 * Node's own reader finds, and never with a duplicate extension.
 */
const CERTIFICATES: Target = {
  name: "issued-certificates",
  reaches: "yes",
  inputs(world) {
    const pair = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const spki = pair.publicKey.export({ type: "spki", format: "der" });
    const authority = {
      commonName: "fuzz",
      key: pair.privateKey,
      spki,
      pathLength: 1,
      notBefore: new Date(Date.now() - 60_000),
    };
    const root = createAuthority({ ...authority, random: (bytes) => Buffer.alloc(bytes, 7) });
    const leafKey = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const leafSpki = readTree(leafKey.publicKey.export({ type: "spki", format: "der" }));
    const trees = leavesOf(world).map((leaf) =>
      tbsOf(leaf, { issuer: readTree(root.name), spki: leafSpki, key: pair.privateKey }),
    );
    const setting: CertificateSetting = {
      root: root.certificate.toString("base64"),
      signature: sign("sha256", BLOB, leafKey.privateKey).toString("base64"),
      issuer: world.setting.issuer,
    };
    return fc.record({ base: fc.nat(trees.length - 1), list: changes(3) }).map(({ base, list }) => {
      const tbs = bytesOf(mutate(trees[base] as Node, list, trees));
      const { identifier, hash } = signatureAlgorithm(pair.privateKey);
      const document = sequence(tbs, identifier, bitString(sign(hash, tbs, pair.privateKey)));
      return { form: "certificate", document, setting };
    });
  },
  async judge({ document, setting }) {
    const { root, signature, issuer } = setting as CertificateSetting;
    const evidence: Evidence = {
      ...bare({ kind: "blob", signature: Buffer.from(signature, "base64") }),
      key: { kind: "certificate", leaf: document, chain: [], binding: true },
    };
    const authority = { roots: [Buffer.from(root, "base64")], intermediates: [], validFor: ALWAYS };
    const trust: TrustedMaterial = { ...NO_TRUST, authorities: [authority] };
    let outcome: "refused" | "yes" = "refused";
    for (const email of Object.values(SIGNERS)) {
      const identity = { subject: [exactly(email)], issuer: [exactly(issuer)], extensions: new Map() };
      const policy: Policy = { ...BASE, signer: { kind: "identity", identity } };
      const subject = { kind: "blob", message: messageOf(BLOB) } as const;
      const verdict = await verify(evidence, subject, { ...trust, now: new Date() }, policy);
      if (!verdict.ok) continue;
      outcome = "yes";
      const { subjectAltName = "" } = new X509Certificate(document);
      if (!subjectAltName.includes(`email:${email}`))
        throw new Finding(`a yes for ${email}, and the names are ${subjectAltName}`);
      const repeated = repeatedExtension(document);
      if (repeated) throw new Finding(`a yes for a certificate with the extension ${repeated} twice`);
    }
    return outcome;
  },
};

function leavesOf({ documents }: World): Uint8Array[] {
  return documents.flatMap(({ form, bytes }) => {
    const material = form === "bundle" ? JSON.parse(Buffer.from(bytes).toString()).verificationMaterial : {};
    return material.certificate ? [Buffer.from(material.certificate.rawBytes, "base64")] : [];
  });
}

/** Returns the TBSCertificate with another issuer and key. */
function tbsOf(
  leaf: Uint8Array,
  by: { issuer: Node; spki: Node; key: Parameters<typeof signatureAlgorithm>[0] },
): Node {
  const tbs = childrenOf(childrenOf(childrenOf(readTree(leaf))[0] as Node)[0] as Node)[0] as Node;
  const content = childrenOf(tbs)[0] as Node;
  const [version, serial, , , validity, subject, , extensions] = childrenOf(content);
  const algorithm = readTree(signatureAlgorithm(by.key).identifier);
  const fields = [version, serial, algorithm, by.issuer, validity, subject, by.spki, withoutKeyId(extensions as Node)];
  return withChildren(tbs, [withChildren(content, fields as Node[])]);
}

/** Removes the authority key identifier, because the authority has a new key. */
function withoutKeyId(wrapped: Node): Node {
  const [outer] = childrenOf(wrapped);
  const [list] = outer ? childrenOf(outer) : [];
  const [items] = list ? childrenOf(list) : [];
  if (!outer || !list || !items) return wrapped;
  const kept = childrenOf(items).filter((each) => !Buffer.from(bytesOf(each)).includes(AUTHORITY_KEY_ID));
  return withChildren(wrapped, [withChildren(outer, [withChildren(list, [withChildren(items, kept)])])]);
}

/** DER of 2.5.29.35. */
const AUTHORITY_KEY_ID = Buffer.from("0603551d23", "hex");

/** Returns the OID octets of the first duplicate extension. */
function repeatedExtension(der: Uint8Array): string | undefined {
  const tbs = childrenOf(childrenOf(childrenOf(readTree(der))[0] as Node)[0] as Node)[0] as Node;
  const wrapped = childrenOf(childrenOf(tbs)[0] as Node).find((node) => node.kind === "tlv" && node.tag[0] === 0xa3);
  const list = wrapped && childrenOf(childrenOf(childrenOf(wrapped)[0] as Node)[0] as Node)[0];
  const ids = (list ? childrenOf(list) : []).map((extension) => {
    const [first] = childrenOf(childrenOf(extension)[0] as Node);
    return first ? Buffer.from(bytesOf(first)).toString("hex") : "";
  });
  return ids.find((id, index) => ids.indexOf(id) !== index);
}

export const SIGNED_TARGETS: readonly Target[] = [PAYLOADS, CERTIFICATES];
