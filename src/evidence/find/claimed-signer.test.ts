import assert from "node:assert/strict";
import { test } from "node:test";
import { certificateOf } from "../../../test/support/evidence-parts.ts";
import { claimedSigner } from "./claimed-signer.ts";

const by = (leaf: Uint8Array) => claimedSigner({ key: { kind: "certificate", leaf, chain: [], binding: true } });

test("claimedSigner: a key -> its hint, if it has one", () => {
  assert.equal(claimedSigner({ key: { kind: "none" } }), "a key");
  assert.equal(claimedSigner({ key: { kind: "public-key", hint: "" } }), "a key");
  assert.equal(claimedSigner({ key: { kind: "public-key", hint: "h" } }), "the key h");
});

test("claimedSigner: a certificate -> its names and its issuer, if it has them", () => {
  assert.equal(
    by(certificateOf(["a@example.com"], "https://issuer.example")),
    "a@example.com (https://issuer.example)",
  );
  assert.equal(by(certificateOf(["a@example.com", "b@example.com"])), "a@example.com, b@example.com");
  assert.equal(
    by(certificateOf([], "https://issuer.example")),
    "a certificate without a name (https://issuer.example)",
  );
  assert.equal(by(certificateOf([])), "a certificate without a name");
  assert.equal(by(Buffer.from("no certificate")), "a malformed certificate");
});
