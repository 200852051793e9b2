import assert from "node:assert/strict";
import { test } from "node:test";
import { TsignError } from "../src/errors.ts";
import { readTrustedRoot } from "../src/trust/trusted-root.ts";
import { type Json, mutations } from "./support/document-mutations.ts";
import { testSigstore } from "./support/sandbox.ts";

function isRead(root: Json): boolean {
  try {
    readTrustedRoot(Buffer.from(JSON.stringify(root)), "root.json");
    return true;
  } catch (error) {
    assert.ok(error instanceof TsignError && error.code === "untrusted", String(error));
    return false;
  }
}

/** Changes that make another trusted root, or none at all, and are nobody's mistake. */
const FREE = /(^|\.)(baseUrl|uri|operator|subject|commonName|organization)$/;

test("a trusted root with anything in it that is not as it has to be is refused whole", async () => {
  const { trustedRoot } = await testSigstore();
  const root = JSON.parse(trustedRoot);
  assert.ok(isRead(root));
  const structural = /unknown field|both spellings|true|an object|in a list|at its end|a space before|half more|inside/;
  let refused = 0;
  for (const { path, change, changed, value } of mutations(root)) {
    const read = isRead(changed);
    if (!read) refused++;
    const isMessage = typeof value === "object";
    const mustFail = structural.test(change) && !(isMessage && change === "an object") && !FREE.test(path);
    // Base64 of other bytes may still be an id or a certificate's.
    const isOtherBytes = /\.(keyId|rawBytes)$/.test(path) && /"A"/.test(change);
    if (mustFail && !isOtherBytes) assert.equal(read, false, `${path}: ${change}`);
  }
  assert.ok(refused > 300, `${refused} refused`);
});

test("a log's key is of the kind that is said, whole, and its tree of the one hash there is", async () => {
  const { trustedRoot } = await testSigstore();
  const longer = (base64: string) =>
    Buffer.concat([Buffer.from(base64, "base64"), Buffer.from([0])]).toString("base64");
  const wrong: Record<string, (root: Json) => void> = {
    "another hash": (r) => Object.assign(r.tlogs[0], { hashAlgorithm: "SHA2_512" }),
    "no hash": (r) => delete r.tlogs[0].hashAlgorithm,
    "another curve": (r) => Object.assign(r.tlogs[0].publicKey, { keyDetails: "PKIX_ECDSA_P384_SHA_384" }),
    "another kind of key": (r) => Object.assign(r.ctlogs[0].publicKey, { keyDetails: "PKIX_ED25519" }),
    "no kind of key": (r) => delete r.ctlogs[0].publicKey.keyDetails,
    "a kind no log has": (r) => Object.assign(r.tlogs[0].publicKey, { keyDetails: "LMS_SHA256" }),
    "a byte after the key": (r) => {
      r.tlogs[0].publicKey.rawBytes = longer(r.tlogs[0].publicKey.rawBytes);
    },
    "a byte after a certificate": (r) => {
      const [certificate] = r.certificateAuthorities[0].certChain.certificates;
      certificate.rawBytes = longer(certificate.rawBytes);
    },
    "no log id": (r) => delete r.tlogs[0].logId,
    "a time without a zone": (r) => Object.assign(r.tlogs[0].publicKey.validFor, { start: "2024-01-01T00:00:00" }),
    "a day that is none": (r) => Object.assign(r.tlogs[0].publicKey.validFor, { start: "2024-02-30T00:00:00Z" }),
    "an end that is none": (r) => Object.assign(r.ctlogs[0].publicKey.validFor, { end: "never" }),
    "another version": (r) => Object.assign(r, { mediaType: r.mediaType.replace("0.1", "0.2") }),
  };
  for (const [name, change] of Object.entries(wrong)) {
    const root = JSON.parse(trustedRoot);
    change(root);
    assert.equal(isRead(root), false, name);
  }
});
