import assert from "node:assert/strict";
import { test } from "node:test";
import { TsignError } from "../errors.ts";
import { attachmentRepository, maxAttachmentSize } from "./attachments.ts";
import { parseReference } from "./ref.ts";

const image = parseReference("registry.example/team/app:v1");
const MIB = 1024 * 1024;

test("attachmentRepository: the image's own, or COSIGN_REPOSITORY exactly as given", () => {
  assert.equal(attachmentRepository({}, image), image);
  assert.equal(attachmentRepository({ COSIGN_REPOSITORY: "" }, image), image);
  const { name } = attachmentRepository({ COSIGN_REPOSITORY: "other.example:5000/sigs" }, image);
  assert.equal(name, "other.example:5000/sigs");
  assert.equal(attachmentRepository({ COSIGN_REPOSITORY: "me/sigs" }, image).name, "index.docker.io/me/sigs");
});

test("attachmentRepository: invalid COSIGN_REPOSITORY -> error, never the image's own", () => {
  for (const value of ["not a repository", "registry.example/App", "registry.example/"]) {
    assert.throws(
      () => attachmentRepository({ COSIGN_REPOSITORY: value }, image),
      (error: unknown) =>
        error instanceof TsignError && error.code === "input" && /COSIGN_REPOSITORY/.test(error.message),
      value,
    );
  }
});

test("maxAttachmentSize: number with a unit -> bytes, anything else -> refused", () => {
  const cases: [string | undefined, number][] = [
    [undefined, 128 * MIB],
    ["1000", 1000],
    ["10b", 10],
    ["64MiB", 64 * MIB],
    ["1.5 kib", 1536],
    ["1GB", 1e9],
    ["64Mi", 64 * MIB],
    ["2t", 2e12],
    ["1,000 kb", 1e6],
    ["1TiB", 1024 ** 4],
    ["", 128 * MIB],
  ];
  for (const [value, bytes] of cases)
    assert.equal(maxAttachmentSize({ COSIGN_MAX_ATTACHMENT_SIZE: value }), bytes, String(value));
  for (const value of ["1 x", "5i", "much", "-5", "0", "0.5", "1.2.3", " "]) {
    assert.throws(
      () => maxAttachmentSize({ COSIGN_MAX_ATTACHMENT_SIZE: value }),
      { code: "input", message: `parse COSIGN_MAX_ATTACHMENT_SIZE: "${value}" is not a size` },
      value,
    );
  }
});
