import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import {
  answers,
  type Program,
  type SignJob,
  sigstoreJs,
  sigstorePython,
  stackVariables,
  token,
  type VerifyJob,
} from "./ecosystem-kit.ts";
import { COSIGN, folder, must, pushImage, run, TSIGN } from "./support.ts";

/**
 * sigstore-python, and the JavaScript libraries that npm has, on the shared stack: they verify bundles that tsign makes, with
 * the same answers as to cosign's, and tsign verifies theirs.
 */
const ALICE = "alice@example.com";
const MALLORY = "mallory@example.com";
const PREDICATE = { predicateType: "https://ci.example/type", predicate: { tested: true } };
const IN_TOTO_V1 = "https://in-toto.io/Statement/v1";

/**
 * What sigstore-python's model of statements does not take: the version 0.1 that cosign's `attest` writes, and a subject
 * without a name, as `sign` of an image writes. The signature is accepted before, and the twins below are refused before.
 */
const UNREAD = {
  attestation: /^unread: malformed in-toto statement: .*Input should be 'https:\/\/in-toto.io\/Statement\/v1'/s,
  image: /^unread: malformed in-toto statement: .*subject\.0\.name\s+Field required/s,
};
const ACCEPTED = /^accepted$/;

/** The reasons of each library, by what is wrong. */
const REASONS = {
  python: {
    identity: /^refused: Certificate's SANs do not match mallory@example\.com; actual SANs: \{'alice@example\.com'\}$/,
    issuer: /^refused: Certificate's OIDCIssuer(V2)? does not match/,
    blob: /^refused: Bundle message digest mismatch$/,
    statement: /^refused: no such subject$/,
    signature: /^refused: (Signature is invalid for input|DSSE: invalid signature)$/,
    entry: /^refused: .*(invalid log entry|inconsistent|does not match|do not match)/,
  },
  js: {
    identity: /^refused: certificate identity error - expected \S+, got alice@example\.com$/,
    issuer: /^refused: invalid certificate extension - expected issuer=/,
    blob: /^refused: signature verification failed$/,
    statement: /^refused: no such subject$/,
    signature: /^refused: signature verification failed$/,
    entry: /^refused: .*(mismatch|verification failed|inclusion)/,
  },
};
