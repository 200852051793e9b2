import assert from "node:assert/strict";
import { constants, createPublicKey, generateKeyPairSync, type KeyObject, privateEncrypt, sign } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import { p256, p384, p521 } from "@noble/curves/nist.js";
import { TsignError } from "../../src/errors.ts";
import type { HashName } from "../../src/format/digest.ts";
import type { HttpRequest, HttpResponse, Io } from "../../src/io/io.ts";
import { ecdsaDer } from "../../src/keys/providers/remote.ts";
import { DIGEST_INFO } from "../../src/keys/verify.ts";
import { testIo } from "./test-io.ts";

/** A request to a fake service, with its JSON or form body parsed. */
export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly json: Record<string, unknown>;
  readonly request: HttpRequest;
}

export interface FakeReply {
  readonly status?: number;
  readonly json?: unknown;
  readonly text?: string;
  readonly headers?: Record<string, string>;
}

/** An Io whose network is a function and whose pauses take no time; `asked` lists all requests. */
export function serviceIo(
  answer: (asked: Asked) => FakeReply | undefined,
  options: { env?: Record<string, string>; io?: Partial<Io> } = {},
) {
  const asked: Asked[] = [];
  const http = async (request: HttpRequest): Promise<HttpResponse> => {
    const text = request.body instanceof Uint8Array ? Buffer.from(request.body).toString("utf8") : "{}";
    const path = request.url.pathname + request.url.search;
    const type = request.headers["content-type"] ?? "";
    const isForm = type.startsWith("application/x-www-form-urlencoded");
    const isOther = type === "application/timestamp-query";
    const json = isForm ? Object.fromEntries(new URLSearchParams(text)) : isOther ? {} : JSON.parse(text);
    const one = { method: request.method, path, headers: request.headers, json, request };
    asked.push(one);
    const reply = answer(one);
    if (!reply) {
      const refused = Object.assign(new Error("refused"), { code: "ECONNREFUSED" });
      throw new TsignError("network", `connect to ${request.url.origin}: connection refused`, { cause: refused });
    }
    const bytes = Buffer.from(reply.text ?? (reply.json === undefined ? "" : JSON.stringify(reply.json)));
    const body = (async function* () {
      if (bytes.length > 0) yield bytes;
    })();
    return { status: reply.status ?? 200, headers: reply.headers ?? {}, body, discard: () => {} };
  };
  /** Timeouts are real; pauses between attempts take no time. */
  const sleep: Io["sleep"] = async (milliseconds, signal) => {
    if (milliseconds >= 20_000)
      await setTimeout(milliseconds, undefined, signal ? { signal, ref: false } : { ref: false });
  };
  const io = testIo({ ...(options.env ? { env: options.env } : {}), io: { http, sleep, ...options.io } });
  return { io, asked };
}

/** Expects a failure with this code whose message and hint match, on one line each and without secrets. */
export async function refuses(
  attempt: Promise<unknown> | (() => unknown),
  by: { code: string; text: RegExp; secrets?: readonly string[] },
): Promise<void> {
  await assert.rejects(typeof attempt === "function" ? async () => attempt() : attempt, (error: unknown) => {
    assert.ok(error instanceof TsignError, String(error));
    const said = `${error.message}\n${error.hint ?? ""}`;
    assert.equal(error.code, by.code, said);
    assert.match(said, by.text);
    assert.ok(!error.message.includes("\n"), "more than one line");
    for (const secret of by.secrets ?? []) assert.ok(!said.includes(secret), said);
    return true;
  });
}

export const KINDS: Readonly<Record<string, () => KeyObject>> = {
  "P-256": () => generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey,
  "P-384": () => generateKeyPairSync("ec", { namedCurve: "P-384" }).privateKey,
  "P-521": () => generateKeyPairSync("ec", { namedCurve: "P-521" }).privateKey,
  "RSA 2048": () => generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey,
  Ed25519: () => generateKeyPairSync("ed25519").privateKey,
};

/** Signs a digest as a service does; ECDSA as the concatenation of r and s. */
export function signDigestRaw(key: KeyObject, digest: Uint8Array, hash: HashName): Uint8Array {
  if (key.asymmetricKeyType === "rsa") {
    const block = Buffer.concat([Buffer.from(DIGEST_INFO[hash], "hex"), digest]);
    return privateEncrypt({ key, padding: constants.RSA_PKCS1_PADDING }, block);
  }
  const { crv = "", d = "" } = key.export({ format: "jwk" });
  const curve = { "P-256": p256, "P-384": p384, "P-521": p521 }[crv] ?? assert.fail(crv);
  const secret = Uint8Array.from(Buffer.from(d, "base64url"));
  return curve.sign(Uint8Array.from(digest), secret, { prehash: false, lowS: false, format: "compact" });
}

/** Signs a digest with a signature in DER. */
export function signDigestDer(key: KeyObject, digest: Uint8Array, hash: HashName): Uint8Array {
  const raw = signDigestRaw(key, digest, hash);
  return key.asymmetricKeyType === "rsa" ? raw : ecdsaDer(raw);
}

export const signPure = (key: KeyObject, message: Uint8Array): Uint8Array => sign(null, message, key);

export function pemOf(key: KeyObject): string {
  return String(createPublicKey(key).export({ type: "spki", format: "pem" }));
}

/** Fails like import() for a package that is not installed. */
export const notInstalled = async (name: string): Promise<never> => {
  throw Object.assign(new Error(`Cannot find package '${name}' imported from here`), { code: "ERR_MODULE_NOT_FOUND" });
};
