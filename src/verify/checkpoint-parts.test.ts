import assert from "node:assert/strict";
import { createHash, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { test } from "node:test";
import type { TransparencyLogEntry } from "@sigstore/bundle";
import { ALWAYS, type Log } from "../trust/material.ts";
import { checkpointName, verifyCheckpoint } from "./checkpoint.ts";
import { CheckFailed } from "./model.ts";

const ROOT = createHash("sha256").update("tree").digest();
const KEYS = {
  ecdsa: generateKeyPairSync("ec", { namedCurve: "P-256" }),
  ed25519: generateKeyPairSync("ed25519"),
};
const V1 = "rekor.example - 1234";
const V2 = "log2025.example";

function logOf(key: KeyObject, baseUrl = "https://log2025.example/path"): Log {
  return {
    baseUrl,
    id: createHash("sha256")
      .update(key.export({ type: "spki", format: "der" }))
      .digest(),
    key,
    validFor: ALWAYS,
  };
}

interface Parts {
  kind?: keyof typeof KEYS;
  origin?: string;
  name?: string;
  size?: string;
  root?: string;
  hint?: Uint8Array;
  /** Changes the envelope after it was signed. */
  after?: (envelope: string) => string;
  proof?: object;
  logIndex?: string;
}

/** An entry with a checkpoint as a log writes it, with parts changed. */
function made(parts: Parts = {}): { entry: TransparencyLogEntry; log: Log } {
  const { kind = "ed25519", origin = V2, size = "10", root = ROOT.toString("base64"), logIndex = "3" } = parts;
  const { privateKey, publicKey } = KEYS[kind];
  const log = logOf(publicKey);
  const text = `${origin}\n${size}\n${root}\n`;
  const signature = sign(kind === "ecdsa" ? "sha256" : null, Buffer.from(text), privateKey);
  const line = Buffer.concat([parts.hint ?? log.id.subarray(0, 4), signature]).toString("base64");
  const name = parts.name ?? origin.replace(/ - .*/, "");
  const envelope = (parts.after ?? ((same) => same))(`${text}\n\u2014 ${name} ${line}\n`);
  const inclusionProof = {
    logIndex: "3",
    treeSize: "10",
    rootHash: ROOT,
    hashes: [],
    checkpoint: { envelope },
    ...parts.proof,
  };
  return { entry: { logIndex, inclusionProof } as unknown as TransparencyLogEntry, log };
}

const judge = ({ entry, log }: { entry: TransparencyLogEntry; log: Log }) => verifyCheckpoint(entry, log);

function refused(parts: Parts, reason: RegExp): void {
  const fails = (error: unknown) => error instanceof CheckFailed && error.check === "log" && reason.test(error.message);
  assert.throws(() => judge(made(parts)), fails, JSON.stringify(parts));
}

test("verifyCheckpoint: a valid checkpoint of Rekor v1 or v2, with every kind of key -> accepted", () => {
  for (const kind of ["ecdsa", "ed25519"] as const) {
    for (const origin of [V1, V2]) judge(made({ kind, origin }));
  }
  judge({ ...made(), entry: { logIndex: "3" } as TransparencyLogEntry }); // no inclusion proof, so no checkpoint to check
});

test("checkpointName: Rekor v1 -> the name in the origin; v2 -> the log's host", () => {
  const nameOf = (origin: string) => checkpointName(made({ origin }).entry, made().log);
  assert.equal(nameOf(V1), "rekor.example");
  for (const origin of [V2, "other.example", "a b - 1", "a - 1x", "a - ", " - 1"])
    assert.equal(nameOf(origin), V2, origin);
  assert.equal(checkpointName({} as TransparencyLogEntry, made().log), V2);
  assert.equal(checkpointName({ inclusionProof: {} } as TransparencyLogEntry, made().log), V2);
  assert.equal(checkpointName({} as TransparencyLogEntry, logOf(KEYS.ed25519.publicKey, "no URL")), "");
});

test("verifyCheckpoint: not signed by the log's key under its name -> refused", () => {
  refused({ origin: "other.example" }, /origin mismatch: got "other\.example"/);
  refused({ name: "other.example" }, /not signed by log2025/);
  refused({ origin: V1, name: "other.example" }, /not signed by rekor/);
  refused({ hint: Buffer.from("none") }, /not signed by/);
  refused({ origin: V1, hint: Buffer.from("none") }, /not signed by/);
  refused({ after: (text) => text.replace("\n10\n", "\n11\n"), proof: { treeSize: "11" } }, /not signed by/);
  refused({ proof: { checkpoint: undefined } }, /has no checkpoint/);
  refused({ proof: { checkpoint: { envelope: "" } } }, /has no checkpoint/);
});

test("verifyCheckpoint: signatures of witnesses, valid or not -> ignored for v2, refused for v1", () => {
  const witness = "\u2014 witness.example AAAAAAAA\n";
  judge(made({ after: (text) => text + witness }));
  judge(made({ after: (text) => text.replace("\n\n", `\n\n${witness}`) }));
  refused({ origin: V1, after: (text) => text + witness }, /not signed by/);
  const repeated = (text: string) => text + text.slice(text.indexOf("\u2014"));
  judge(made({ after: repeated }));
  const wrong = (text: string) =>
    `${text}${text.slice(text.indexOf("\u2014")).replace(/ \S+$/m, (line) => ` ${Buffer.concat([Buffer.from(line.trim(), "base64").subarray(0, 4), Buffer.alloc(64)]).toString("base64")}`)}`;
  refused({ after: wrong }, /not signed by/);
});

test("verifyCheckpoint: a signature on a v2 checkpoint with only the log's name or its key's hint -> not the log's", () => {
  const { log } = made();
  const line = (name: string, hint: Uint8Array) =>
    `\u2014 ${name} ${Buffer.concat([hint, Buffer.alloc(64)]).toString("base64")}\n`;
  const hint = log.id.subarray(0, 4);
  for (const beside of [line(V2, Buffer.from("none")), line("witness.example", hint)]) {
    judge(made({ after: (text) => text + beside }));
    judge(made({ after: (text) => text.replace("\n\n", `\n\n${beside}`) }));
    refused({ after: (text) => text.replace(/\n\n.*\n$/, `\n\n${beside}`) }, /not signed by/);
  }
});

test("verifyCheckpoint: a log key of an unsupported type -> refused", () => {
  const { publicKey } = generateKeyPairSync("x25519");
  const { entry, log } = made();
  const fails = (error: unknown) => error instanceof CheckFailed && /not signed by/.test(error.message);
  assert.throws(() => judge({ entry, log: { ...log, key: publicKey } }), fails);
});

test("verifyCheckpoint: a size, root hash or index that differs from the inclusion proof -> refused", () => {
  refused({ proof: { treeSize: "9" } }, /different trees/);
  refused({ proof: { rootHash: Buffer.alloc(32) } }, /different trees/);
  refused({ logIndex: "2" }, /index 2, but its inclusion proof is for index 3/);
  refused({ logIndex: "4" }, /index 4, but its inclusion proof is for index 3/);
  refused({ origin: V1, logIndex: "2" }, /index 2/);
  judge(made({ origin: V1, logIndex: "3" }));
  judge(made({ origin: V1, logIndex: "4" })); // v1 numbers entries across several trees
});

test("verifyCheckpoint: a text that two parsers could split differently -> refused", () => {
  for (const character of ["\0", "\t", "\v", "\r", "\x1f", "\x7f"]) {
    refused({ after: (text) => text.replace("log", `l${character}og`) }, /control characters/);
  }
  for (const after of [
    (text: string) => text.replace("\n\n", "\n"),
    (text: string) => `${text}\n\u2014 a AAAAAAAA\n`,
    (text: string) => text.slice(0, -1),
  ]) {
    refused({ after }, /expected one text followed by signatures/);
  }
  for (const size of ["01", "-1", "1x", "x1", "12345678901234567"])
    refused({ size, proof: { treeSize: size } }, /tree size/);
  refused({ origin: "" }, /origin mismatch|tree size/);
  refused({ after: (text) => text.replace(/^(.*\n){3}/, "\n") }, /tree size/);
  judge(made({ size: "0", proof: { treeSize: "0" } }));
  judge(made({ size: "1234567890123456", proof: { treeSize: "1234567890123456" } }));
  const encoded = ROOT.toString("base64");
  for (const root of [
    "AAAA",
    encoded.slice(0, -1),
    `${encoded.slice(0, -2)}9=`,
    encoded.replaceAll("+", "-").replaceAll("/", "_").replace(/=$/, ""),
  ]) {
    refused({ root }, /root hash/);
  }
  for (const line of [
    "\u2014 log AAAAAA==",
    "\u2014 log ",
    "- log AAAAAAAA",
    "\u2014 l+og AAAAAAAA",
    "\u2014 log AAAAAAA",
    "\u2014 log AAAAAAAAA",
    "\u2014 log AAAAAAAA x",
    " \u2014 log AAAAAAAA",
  ]) {
    refused({ after: (text) => `${text}${line}\n` }, /malformed signature/);
  }
  const many = (count: number) => (text: string) => text + "\u2014 w AAAAAAAA\n".repeat(count);
  judge(made({ after: many(99) }));
  refused({ after: many(100) }, /more than 100 signatures/);
});
