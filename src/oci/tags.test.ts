import assert from "node:assert/strict";
import { test } from "node:test";
import type { Digest } from "../format/digest.ts";
import { attachmentTag, fallbackTag } from "./tags.ts";

const HEX = "ab".repeat(32);
const SHA256: Digest = `sha256:${HEX}`;
const SHA512: Digest = `sha512:${"cd".repeat(64)}`;

test("attachmentTag: digest with prefix and kind suffix", () => {
  assert.equal(attachmentTag(SHA256, "sig"), `sha256-${HEX}.sig`);
  assert.equal(attachmentTag(SHA256, "att"), `sha256-${HEX}.att`);
  assert.equal(attachmentTag(SHA256, "sbom", "pre-"), `pre-sha256-${HEX}.sbom`);
});

test("fallbackTag: no suffix, long digests are truncated", () => {
  assert.equal(fallbackTag(SHA256), `sha256-${HEX}`);
  assert.equal(fallbackTag(SHA512), `sha512-${"cd".repeat(32)}`);
  assert.ok(attachmentTag(SHA512, "sbom", "pre-").length <= 128);
});
