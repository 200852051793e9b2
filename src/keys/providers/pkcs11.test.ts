import assert from "node:assert/strict";
import { createPublicKey, type KeyObject } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { KINDS, refuses, signDigestRaw, signPure } from "../../../test/support/fake-service.ts";
import { type TestOptions, temporaryFolder, testIo } from "../../../test/support/test-io.ts";
import { type HashName, hash, messageOf } from "../../format/digest.ts";
import { verifySignature } from "../verify.ts";
import { openSecurityKey, pkcs11Provider } from "./pkcs11.ts";
import { CK } from "./pkcs11-token.ts";
import { parsePkcs11Uri, withoutPin } from "./pkcs11-uri.ts";

const PIN = "86429753";
const MESSAGE = Buffer.from("message");
const CURVE_OIDS: Record<string, string> = {
  prime256v1: "06082a8648ce3d030107",
  secp384r1: "06052b81040022",
  secp521r1: "06052b81040023",
};

interface Fake {
  readonly key?: KeyObject;
  readonly label?: string;
  /** No public key object: the key is visible after login only, by its private key object. */
  readonly hidden?: boolean;
  readonly canSign?: boolean;
  readonly alwaysAuthenticate?: boolean;
  readonly tokens?: readonly string[];
  readonly rawPoint?: boolean;
}

/** A module with tokens in slots from 0, each with the same key pair, id 01. Records logins. */
function library(fake: Fake, logins: [number, string | undefined][] = []) {
  const key = fake.key ?? KINDS["P-256"]?.() ?? assert.fail();
  const publicObject = Buffer.from([1]);
  const privateObject = Buffer.from([2]);
  const slots = (fake.tokens ?? ["token"]).map((_, index) => {
    const handle = Buffer.alloc(8);
    handle.writeBigUInt64LE(BigInt(index));
    return handle;
  });
  const fails = (name: string) => Object.assign(new Error(name), { code: 1 });
  type Attribute = { type: number; value?: unknown };
  class PKCS11 {
    found: Buffer[] = [];
    loggedIn = false;
    load() {}
    close() {}
    C_Initialize() {}
    C_Finalize() {}
    C_GetSlotList = () => slots;
    C_GetTokenInfo = (slot: Buffer) => ({
      label: (fake.tokens ?? ["token"])[Number(slot.readBigUInt64LE())]?.padEnd(32) ?? "",
      serialNumber: "0042",
      flags: 0x404,
    });
    C_OpenSession = () => Buffer.from([9]);
    C_CloseSession() {}
    C_Login(_session: Buffer, user: number, pin?: string) {
      logins.push([user, pin]);
      if (pin !== PIN) throw fails("CKR_PIN_INCORRECT");
      this.loggedIn = true;
    }
    C_FindObjectsInit(_session: Buffer, [kind, name]: Attribute[]) {
      const wanted = Buffer.from(name?.value as Uint8Array).toString("latin1");
      const named = name?.type === CK.id ? wanted === "\x01" : wanted === (fake.label ?? "key");
      const isPublic = kind?.value === CK.publicKeyObject && !(fake.hidden && !this.loggedIn);
      const isPrivate = kind?.value === CK.privateKeyObject && this.loggedIn;
      this.found = named ? [...(isPublic ? [publicObject] : []), ...(isPrivate ? [privateObject] : [])] : [];
    }
    C_FindObjects = () => this.found;
    C_FindObjectsFinal() {}
    C_GetAttributeValue(_session: Buffer, object: Buffer, [wanted]: Attribute[]) {
      const value = (object === publicObject ? publicAttributes(key, fake.rawPoint) : privateAttributes(fake)).get(
        wanted?.type ?? -1,
      );
      if (!value) throw fails("CKR_ATTRIBUTE_TYPE_INVALID");
      return [{ value }];
    }
    mechanism = 0;
    C_SignInit(_session: Buffer, { mechanism }: { mechanism: number }) {
      this.mechanism = mechanism;
    }
    C_Sign(_session: Buffer, data: Buffer) {
      if (this.mechanism === CK.eddsa) return signPure(key, data);
      const name =
        data.length === 32 || this.mechanism === CK.rsaPkcs ? "sha256" : (`sha${data.length * 8}` as HashName);
      return signDigestRaw(key, this.mechanism === CK.rsaPkcs ? data.subarray(-32) : data, name);
    }
  }
  return async () => ({ PKCS11 });
}

function publicAttributes(key: KeyObject, rawPoint = false): Map<number, Buffer> {
  const type = Buffer.alloc(8);
  const { n = "", e = "", x = "", y = "" } = createPublicKey(key).export({ format: "jwk" });
  const bytes = (text: string) => Buffer.from(text, "base64url");
  if (key.asymmetricKeyType === "rsa") {
    return new Map([
      [CK.keyType, type],
      [CK.modulus, bytes(n)],
      [CK.publicExponent, bytes(e)],
    ] as [number, Buffer][]);
  }
  const edwards = key.asymmetricKeyType === "ed25519";
  type[0] = edwards ? CK.edwards : CK.ec;
  const point = edwards ? bytes(x) : Buffer.concat([Buffer.from([4]), bytes(x), bytes(y)]);
  const wrapped = Buffer.concat([Buffer.from(point.length < 128 ? [4, point.length] : [4, 0x81, point.length]), point]);
  const oid = Buffer.from(CURVE_OIDS[key.asymmetricKeyDetails?.namedCurve ?? ""] ?? "", "hex");
  return new Map([
    [CK.keyType, type],
    [CK.ecParams, oid],
    [CK.ecPoint, rawPoint ? point : wrapped],
  ] as [number, Buffer][]);
}

function privateAttributes({ canSign = true, alwaysAuthenticate = false }: Fake): Map<number, Buffer> {
  const entries: [number, Buffer][] = [
    [CK.id, Buffer.from([1])],
    [CK.sign, Buffer.from([canSign ? 1 : 0])],
    [CK.alwaysAuthenticate, Buffer.from([alwaysAuthenticate ? 1 : 0])],
  ];
  return new Map(entries);
}

/** Returns an Io, and a file in place of the module. */
function setUp(context: TestContext, options: TestOptions = {}) {
  const cwd = temporaryFolder(context);
  const module = join(cwd, "module.so");
  writeFileSync(module, "");
  const env = { COSIGN_PKCS11_MODULE_PATH: module, COSIGN_PKCS11_PIN: PIN };
  return { io: testIo({ cwd, ...options, env: { ...env, ...options.env } }), module };
}

for (const kind of Object.keys(KINDS)) {
  test(`PKCS#11: signs with ${kind} and its default hash`, async (context) => {
    const { io } = setUp(context);
    for (const rawPoint of [false, true]) {
      const load = library({ key: KINDS[kind]?.() ?? assert.fail(), rawPoint });
      for (const reference of ["pkcs11:token=token;object=key", "pkcs11:slot-id=0;id=%01;object=other"]) {
        const provider = pkcs11Provider(io, reference, load);
        const { signature } = await (await provider.signer()).sign(MESSAGE);
        const key = await provider.publicKey();
        assert.ok(await verifySignature({ key, message: messageOf(MESSAGE), signature, hashes: [key.hash] }));
        assert.equal(
          await verifySignature({ key, message: messageOf(hash("sha256", MESSAGE)), signature, hashes: [key.hash] }),
          false,
        );
      }
    }
  });
}

test("PKCS#11: takes the PIN from the reference, the environment or one prompt, and only to sign", async (context) => {
  const logins: [number, string | undefined][] = [];
  let asked = 0;
  const tty = { stdin: true, prompt: async () => (asked++ === 0 ? PIN : assert.fail("asked again")) };
  const { io } = setUp(context, { env: { COSIGN_PKCS11_PIN: "" }, tty });
  const prompted = pkcs11Provider(io, "pkcs11:token=token;object=key", library({}, logins));
  await prompted.publicKey();
  assert.deepEqual(logins, []);
  const signer = await prompted.signer();
  await signer.sign(MESSAGE);
  await signer.sign(MESSAGE);
  assert.deepEqual(logins, [
    [1, PIN],
    [1, PIN],
  ]);
  const { io: piped } = setUp(context, { env: { COSIGN_PKCS11_PIN: "" } });
  await (await pkcs11Provider(piped, `pkcs11:token=token;object=key?pin-value=${PIN}`, library({})).signer()).sign(
    MESSAGE,
  );
  const without = await pkcs11Provider(piped, "pkcs11:token=token;object=key", library({})).signer();
  await refuses(without.sign(MESSAGE), {
    code: "auth",
    text: /requires a PIN\nset COSIGN_PKCS11_PIN/,
  });
});

test("PKCS#11: logs in to read a hidden public key, and for each signature if the key requires it", async (context) => {
  const { io } = setUp(context);
  const logins: [number, string | undefined][] = [];
  const provider = pkcs11Provider(
    io,
    "pkcs11:token=token;object=key",
    library({ hidden: true, alwaysAuthenticate: true }, logins),
  );
  await (await provider.signer()).sign(MESSAGE);
  assert.deepEqual(
    logins.map(([user]) => user),
    [1, 1, 2],
  );
});

test("PKCS#11: errors are one clear line without the PIN", async (context) => {
  const { io, module } = setUp(context);
  const wrong = "11112222";
  const provider = (reference: string, fake: Fake = {}) => pkcs11Provider(io, reference, library(fake));
  const signed = async (reference: string, fake: Fake = {}) => (await provider(reference, fake).signer()).sign(MESSAGE);
  const secrets = [PIN, wrong];
  await refuses(signed(`pkcs11:token=token;object=key?pin-value=${wrong}`), {
    code: "auth",
    text: /wrong PIN/,
    secrets,
  });
  const absent = `pkcs11:token=token;object=none?pin-value=${PIN}`;
  await refuses(provider(absent).publicKey(), {
    code: "input",
    text: /key not found: pkcs11:token=token;object=none\?pin-value=\*\*\*/,
    secrets,
  });
  await refuses(provider("pkcs11:token=x;object=key").publicKey(), {
    code: "input",
    text: /token "x" not found in .*\nuse one of .*: token/,
  });
  await refuses(provider("pkcs11:slot-id=7;object=key").publicKey(), {
    code: "input",
    text: /token in slot 7 not found/,
  });
  await refuses(provider("pkcs11:token=x;object=key", { tokens: [] }).publicKey(), {
    code: "input",
    text: /check that the token is plugged in/,
  });
  await refuses(signed("pkcs11:token=token;object=key", { canSign: false }), {
    code: "input",
    text: /this key cannot sign/,
  });
  const gone = provider("pkcs11:token=t;object=o?module-path=/none.so");
  await refuses(gone.publicKey(), { code: "input", text: /PKCS#11 module not found: \/none.so/ });
  const relative = provider("pkcs11:token=t;object=o?module-path=none.so");
  await refuses(relative.publicKey(), { code: "input", text: /not absolute/ });
  const notOne = pkcs11Provider(io, "pkcs11:token=token;object=key", async () => ({
    PKCS11: class {
      load() {
        throw new Error(`${module}: invalid ELF header\n at x`);
      }
    },
  }));
  await refuses(notOne.publicKey(), { code: "input", text: /load PKCS#11 module .*module.so: .*invalid ELF header/ });
  const { io: bare } = setUp(context, { env: { COSIGN_PKCS11_MODULE_PATH: "" } });
  await refuses(() => pkcs11Provider(bare, "pkcs11:token=t;object=o"), {
    code: "input",
    text: /missing PKCS#11 module/,
  });
});

test("parsePkcs11Uri: reads URIs as cosign does", async () => {
  const full = parsePkcs11Uri(
    "pkcs11:token=my%20token;slot-id=3;id=%01%ff;object=k?module-path=/m.so&pin-value=12%2634",
  );
  assert.deepEqual(
    { ...full, id: [...(full.id ?? [])] },
    { slot: 3, token: "my token", id: [1, 255], label: "k", modulePath: "/m.so", pin: "12&34" },
  );
  assert.equal(
    withoutPin("pkcs11:token=t?pin-value=1234&module-path=/x"),
    "pkcs11:token=t?pin-value=***&module-path=/x",
  );
  const bad = [
    "pkcs11:object=k",
    "pkcs11:token=t",
    "pkcs11:slot-id=x;object=k",
    "pkcs11:token=t;object=?pin-value=987654",
  ];
  for (const uri of bad)
    await refuses(() => parsePkcs11Uri(uri), {
      code: "input",
      text: /missing|not a number/,
      secrets: ["987654"],
    });
});

test("--sk: a missing module and an unknown slot are refused", async (context) => {
  const { io } = setUp(context, { env: { COSIGN_PKCS11_MODULE_PATH: "" } });
  const files = { ...io.files, stat: async () => undefined };
  const none = openSecurityKey({ ...io, files }, "sk://");
  await refuses(none.publicKey(), {
    code: "input",
    text: /--sk requires a PKCS#11 module .*\n.*COSIGN_PKCS11_MODULE_PATH/,
  });
  await refuses(() => openSecurityKey(io, "sk://9a"), {
    code: "usage",
    text: /unknown --slot: 9a\nuse one of: authentication, signature/,
  });
});
