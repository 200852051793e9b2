import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import type { TransparencyLogEntry } from "@sigstore/bundle";
import { ALWAYS, type Log } from "../trust/material.ts";
import { verifyCheckpoint } from "./checkpoint.ts";
import { CheckFailed } from "./model.ts";

const LOG: Log = {
  baseUrl: "https://log.example",
  id: Buffer.alloc(32),
  key: generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey,
  validFor: ALWAYS,
};

function judge(checkpoint: { envelope: string } | undefined): void {
  const inclusionProof = { logIndex: "1", treeSize: "2", rootHash: Buffer.alloc(32), hashes: [], checkpoint };
  verifyCheckpoint({ logIndex: "1", inclusionProof } as unknown as TransparencyLogEntry, LOG);
}

test("verifyCheckpoint: an inclusion proof without a checkpoint -> refused, with a hint where to get one", () => {
  for (const missing of [undefined, { envelope: "" }]) {
    assert.throws(
      () => judge(missing),
      (error: unknown) => {
        assert.ok(error instanceof CheckFailed && error.check === "log");
        assert.match(error.message, /has no checkpoint/);
        assert.match(error.compared.hint ?? "", /`tsign bundle upgrade`/);
        return true;
      },
    );
  }
  assert.throws(() => judge({ envelope: "text" }), /expected one text followed by signatures/);
});

test("verifyCheckpoint: hostile texts of a megabyte -> refused without delay", () => {
  const root = Buffer.alloc(32).toString("base64");
  const long = (text: string) => text.repeat((1024 * 1024) / text.length);
  for (const envelope of [
    `l\n2\n${root}\n\n${long("\u2014 l AAAAAAAA\n")}`,
    `l\n2\n${root}\n\n\u2014 ${long("x")}\n`,
    `${long("x - ")}\n2\n${root}\n\n\u2014 l AAAAAAAA\n`,
    `l\n${long("1")}\n${root}\n\n\u2014 l AAAAAAAA\n`,
    long("\n\n"),
  ]) {
    const started = performance.now();
    assert.throws(() => judge({ envelope }), { check: "log" });
    assert.ok(performance.now() - started < 1000);
  }
});
