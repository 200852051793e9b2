import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { foundry } from "../../test/support/authorities.ts";
import { evidenceOf } from "../../test/support/evidence.ts";
import type { Evidence } from "../evidence/model.ts";
import { digestOf, hash } from "../format/digest.ts";
import { grantedResponse, imprintOf } from "../sandbox/pki/cms-tst.ts";
import { createAuthority } from "../sandbox/pki/x509.ts";
import type { Verified } from "../verify/verify.ts";
import { type Recognized, standings } from "./superseded.ts";

const { newKey, make } = foundry();
const [caKey, otherCaKey] = [newKey(), newKey()];

/** What differs between two signatures of one signer. */
interface Differing {
  readonly payload?: string;
  /** The key of the authority with the name "ca" that issued the certificate. */
  readonly issuerKey?: typeof caKey;
  readonly chain?: readonly Uint8Array[];
  readonly timestamps?: readonly Uint8Array[];
  readonly entry?: Record<string, unknown>;
}

let made = 0;

function recognized(differing: Differing): Recognized {
  const { payload = "{}", issuerKey = caKey, chain = [], timestamps = [], entry = {} } = differing;
  const content = { kind: "simple-signing", payload: Buffer.from(payload), signature: Buffer.of(1) } as const;
  const leaf = make({ name: undefined, key: newKey(), issuer: "ca", issuerKey });
  const manifest = digestOf(Buffer.from(`${++made}`));
  const key: Evidence["key"] = { kind: "certificate", leaf, chain, binding: true };
  const evidence = evidenceOf(content, {
    key,
    timestamps,
    origin: { kind: "referrer", where: "r", stored: { manifest } },
  });
  const integratedTime = new Date(made * 1000);
  const verified = {
    signer: { kind: "certificate", name: "alice", issuer: "issuer", extensions: new Map() },
    content: { kind: "simple-signing", payload: content.payload },
    entries: [{ kind: "dsse", logId: "00", fetched: false, integratedTime, entry }],
    timestamps: timestamps.map((response) => ({ time: integratedTime, response })),
    checks: [{ name: "key", outcome: "passed" }],
  };
  return { evidence, verified: verified as unknown as Verified, claimed: undefined };
}

/** How many of the signatures a newer one replaces. */
function superseded(...differing: readonly Differing[]): number {
  const result = standings(differing.map(recognized), { keep: 1, before: undefined });
  return [...result.values()].filter((standing) => "newer" in standing).length;
}

/** A timestamp of an authority with this name. */
function stamped(commonName: string): Uint8Array {
  const { publicKey, privateKey: key } = newKey();
  const spki = publicKey.export({ type: "spki", format: "der" });
  const now = new Date();
  const signer = createAuthority({ commonName, key, spki, pathLength: 0, notBefore: now, random: randomBytes });
  const { imprint } = imprintOf("sha256", hash("sha256", Buffer.of(1)));
  const stamp = { imprint, nonce: undefined, certificates: true, serial: Buffer.of(1), at: now };
  return grantedResponse({ ...stamp, signer, issuer: signer });
}

test("standings: the same facts, in any order of names -> the older one is superseded", () => {
  assert.equal(superseded({}, {}), 1);
  assert.equal(superseded({ payload: '{"a":{"b":1,"c":2}}' }, { payload: '{"a":{"c":2,"b":1}}' }), 1);
});

test("standings: another content that a parser may take for the same -> superseded by none", () => {
  assert.equal(superseded({ payload: '{"a":{"b":1}}' }, { payload: '{"a":[["b",1]]}' }), 0);
  assert.equal(superseded({ payload: '{"a":9007199254740992}' }, { payload: '{"a":9007199254740993}' }), 0);
});

test("standings: another issuer, chain, timestamp authority or kind of proof -> superseded by none", () => {
  assert.equal(superseded({}, { issuerKey: otherCaKey }), 0, "an authority of the same name with another key");
  const intermediate = make({ name: "ca", key: caKey, issuer: "root", issuerKey: otherCaKey });
  assert.equal(superseded({ chain: [intermediate] }, {}), 0);
  assert.equal(superseded({ entry: { inclusionProof: {} } }, { entry: { inclusionPromise: {} } }), 0);
  const [one, other] = [stamped("tsa"), stamped("tsa")];
  assert.equal(superseded({ timestamps: [one] }, { timestamps: [one] }), 1);
  assert.equal(superseded({ timestamps: [one] }, { timestamps: [other] }), 0);
});
