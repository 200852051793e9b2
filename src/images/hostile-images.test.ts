import assert from "node:assert/strict";
import { test } from "node:test";
import { foundry } from "../../test/support/authorities.ts";
import { memoryStore } from "../../test/support/memory-store.ts";
import type { Evidence } from "../evidence/model.ts";
import { digestOf } from "../format/digest.ts";
import { signerFromKey } from "../keys/index.ts";
import { implicit, sequence } from "../sandbox/pki/der.ts";
import { extension } from "../sandbox/pki/x509.ts";
import { simpleSigningPayload } from "../sign/payload.ts";
import { signPayload } from "../sign/sign.ts";
import { ALWAYS, NO_TRUST } from "../trust/material.ts";
import type { ImageTarget } from "./open.ts";
import { type VerifyImageOptions, verifyImage } from "./verify.ts";

const EMAIL = "dev@corp.example";
const NAME = extension("2.5.29.17", sequence(implicit(1, Buffer.from(EMAIL))));
const DIGEST = digestOf(Buffer.from("an image"));
const { newKey, make } = foundry();
type Key = ReturnType<typeof newKey>;

function signedBy(key: Key, leaf: Uint8Array, chain: readonly Uint8Array[]): Promise<Evidence> {
  const dockerReference = "registry.example/app";
  const payload = simpleSigningPayload({ digest: DIGEST, annotations: {}, dockerReference });
  return signPayload({ signer: signerFromKey(key.privateKey), certificate: { leaf, chain } }, payload);
}

/** A chain of certificates with one name and ten keys, each certified by each, in which a search for a path does not end. */
async function endless(): Promise<Evidence> {
  const keys = Array.from({ length: 10 }, newKey);
  const chain = keys.flatMap((key) => keys.map((issuerKey) => make({ name: "CA", key, issuer: "CA", issuerKey })));
  const key = newKey();
  return signedBy(key, make({ name: undefined, key, issuer: "CA", issuerKey: keys[0] ?? key, more: [NAME] }), chain);
}

/** A signature by the last of twelve authorities with the same name: finding it takes more than a path's own budget. */
async function honest(root: Key): Promise<Evidence> {
  const keys = Array.from({ length: 12 }, newKey);
  const chain = keys.map((key) => make({ name: "middle", key, issuer: "CA", issuerKey: root }));
  const key = newKey();
  const issuerKey = keys.at(-1) ?? key;
  return signedBy(key, make({ name: undefined, key, issuer: "middle", issuerKey, more: [NAME] }), chain);
}

test("verifyImage: hostile chains of other images do not use up an image's path budget", async () => {
  const root = newKey();
  const roots = [make({ name: "CA", key: root, issuer: "CA", issuerKey: root })];
  const anyIssuer = [{ text: ".*", matches: () => true, matchesNone: true }];
  const subject = [{ text: EMAIL, matches: (name: string) => name === EMAIL }];
  const options: VerifyImageOptions = {
    wanted: { kind: "signatures" },
    trust: { ...NO_TRUST, authorities: [{ roots, intermediates: [], validFor: ALWAYS }], now: new Date() },
    policy: {
      signer: { kind: "identity", identity: { subject, issuer: anyIssuer, extensions: new Map() } },
      log: "insecureSkip",
      timestamp: "optional",
      sct: "insecureSkip",
      claims: { annotations: {} },
    },
    bundles: true,
    tagPrefix: "",
    maxBytes: 1024,
    workers: 1,
    rekorUrl: undefined,
  };
  const store = memoryStore();
  await store.putBlob(Buffer.from("an image"));
  const name = "registry.example/app";
  const target: ImageTarget = { name, reference: name, digest: DIGEST, store, attachments: store, repository: name };
  const io = {
    http: () => assert.fail("nothing is asked"),
    sleep: async () => {},
    now: () => new Date(),
    env: {},
    signal: new AbortController().signal,
  };
  const judge = (given: readonly Evidence[]) => verifyImage(io, target, { ...options, given });
  assert.ok((await judge([await honest(root)])).ok);
  const hostile = await Promise.all(Array.from({ length: 14 }, endless));
  const refused = await judge(hostile);
  assert.ok(!refused.ok && refused.failures.at(-1)?.reason.includes("stopped after"));
  const beside = await judge([...hostile, await honest(root)]);
  assert.ok(!beside.ok, "of one image all signatures share what may be spent");
  assert.ok((await judge([await honest(root)])).ok, "another image has its own");
});
