import { isAbsolute } from "node:path";
import { TsignError } from "../../errors.ts";
import { type LoadPackage, loadPackages } from "../../packages.ts";
import { readable } from "./pkcs11-errors.ts";
import type { ProviderIo } from "./types.ts";

/** The constants used (PKCS#11 v3.1, pkcs11t.h). */
export const CK = {
  publicKeyObject: 2,
  privateKeyObject: 3,
  certificateObject: 1,
  class: 0,
  label: 3,
  value: 0x11,
  keyType: 0x100,
  id: 0x102,
  sign: 0x108,
  modulus: 0x120,
  publicExponent: 0x122,
  ecParams: 0x180,
  ecPoint: 0x181,
  alwaysAuthenticate: 0x202,
  rsa: 0,
  ec: 3,
  edwards: 0x40,
  rsaPkcs: 1,
  ecdsa: 0x1041,
  eddsa: 0x1057,
} as const;

const CKF_SERIAL_SESSION = 4;
const CKF_LOGIN_REQUIRED = 0x4;
const CKF_TOKEN_INITIALIZED = 0x400;
const CKF_PROTECTED_AUTHENTICATION_PATH = 0x100;
const CKU_USER = 1;
const CKU_CONTEXT_SPECIFIC = 2;

type Handle = Buffer;
interface Attribute {
  readonly type: number;
  readonly value?: Uint8Array | number | boolean;
}

/** The part of pkcs11js that is used. */
export interface Cryptoki {
  load(path: string): void;
  close(): void;
  C_Initialize(): void;
  C_Finalize(): void;
  C_GetSlotList(tokenPresent: boolean): Handle[];
  C_GetTokenInfo(slot: Handle): {
    label: string;
    manufacturerID: string;
    model: string;
    serialNumber: string;
    flags: number;
  };
  C_OpenSession(slot: Handle, flags: number): Handle;
  C_CloseSession(session: Handle): void;
  C_Login(session: Handle, userType: number, pin?: string): void;
  C_FindObjectsInit(session: Handle, template: readonly Attribute[]): void;
  C_FindObjects(session: Handle, count: number): Handle[];
  C_FindObjectsFinal(session: Handle): void;
  C_GetAttributeValue(session: Handle, object: Handle, template: readonly Attribute[]): { value: Buffer }[];
  C_SignInit(session: Handle, mechanism: { mechanism: number }, key: Handle): void;
  C_Sign(session: Handle, data: Buffer, out: Buffer): Buffer;
}

/** How a module is found, opened and logged in to. */
export interface Access {
  readonly modulePath: string;
  /** Which of the tokens; several are tried in order. */
  readonly wanted: (token: { slot: number; label: string }) => boolean;
  /** What was looked for, when none is: `token "x"`. */
  readonly described: string;
  /** Asked for only when the token wants one. */
  readonly pin: (token: string) => Promise<string>;
  readonly load?: LoadPackage | undefined;
}

/** Which key of a token. */
export interface KeyName {
  readonly id: Uint8Array | undefined;
  readonly label: string;
}

/** The id when there is one, else the label. */
export function nameAttribute({ id, label }: KeyName): { type: number; value: Uint8Array } {
  return id ? { type: CK.id, value: Buffer.from(id) } : { type: CK.label, value: Buffer.from(label) };
}

/** A session with a token. Objects are named by handles that count in this session only. */
export interface Token {
  readonly label: string;
  readonly serial: string;
  find(template: readonly Attribute[]): Handle[];
  /** The value of an attribute; undefined when the object has none, or will not tell. */
  attribute(object: Handle, type: number): Buffer | undefined;
  /** Does nothing for a token that needs none, and the second time. */
  login(): Promise<void>;
  sign(key: Handle, options: { mechanism: number; data: Uint8Array; size: number }): Promise<Uint8Array>;
}

/**
 * Opens each wanted token until `use` gives a result, and closes everything again.
 *
 * @returns undefined when no token had one
 * @throws TsignError: the module, the token or the PIN is not what it should be
 */
export async function withToken<T>(
  io: ProviderIo,
  access: Access,
  use: (token: Token) => Promise<T | undefined>,
): Promise<T | undefined> {
  const pkcs11 = await openModule(io, access);
  try {
    const slots = readableSlots(pkcs11);
    const wanted = slots.filter(({ handle, info }) =>
      access.wanted({ slot: slotNumber(handle), label: info.label.trim() }),
    );
    if (wanted.length === 0)
      throw noToken(
        access,
        slots.map(({ info }) => info.label.trim()),
      );
    for (const { handle, info } of wanted) {
      const session = pkcs11.C_OpenSession(handle, CKF_SERIAL_SESSION);
      try {
        const result = await use(tokenOf(pkcs11, { session, info, access }));
        if (result !== undefined) return result;
      } finally {
        pkcs11.C_CloseSession(session);
      }
    }
    return undefined;
  } catch (error) {
    throw readable(error, access);
  } finally {
    pkcs11.C_Finalize();
    pkcs11.close();
  }
}

/** Slots with a token that can be read: one that was never set up, or is of another kind, is none. */
function readableSlots(pkcs11: Cryptoki) {
  return pkcs11.C_GetSlotList(true).flatMap((handle) => {
    try {
      const info = pkcs11.C_GetTokenInfo(handle);
      return (info.flags & CKF_TOKEN_INITIALIZED) === 0 ? [] : [{ handle, info }];
    } catch {
      return [];
    }
  });
}

/** The module, loaded and initialized; whoever opens it finalizes and closes it. */
export async function openModule(
  io: ProviderIo,
  { modulePath, load }: Pick<Access, "modulePath" | "load">,
): Promise<Cryptoki> {
  if (!isAbsolute(modulePath)) {
    throw new TsignError("input", `the path of the PKCS#11 module is not absolute: ${modulePath}`);
  }
  if ((await io.files.stat(modulePath))?.kind !== "file") {
    throw new TsignError("input", `there is no PKCS#11 module at ${modulePath}`, {
      hint: "module-path in the reference, or COSIGN_PKCS11_MODULE_PATH, names the vendor's library",
    });
  }
  type Library = { PKCS11: new () => Cryptoki };
  const [library] = await loadPackages<[Library & { default?: Library }]>(["pkcs11js"], { purpose: "pkcs11:", load });
  const pkcs11 = new (library.default ?? library).PKCS11();
  try {
    pkcs11.load(modulePath);
    pkcs11.C_Initialize();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.split("\n", 1)[0] : String(cause);
    throw new TsignError("input", `the PKCS#11 module ${modulePath} does not load: ${reason}`, { cause });
  }
  return pkcs11;
}

function tokenOf(
  pkcs11: Cryptoki,
  by: { session: Handle; info: { label: string; serialNumber: string; flags: number }; access: Access },
): Token {
  const { session, info, access } = by;
  const label = info.label.trim();
  let loggedIn = (info.flags & CKF_LOGIN_REQUIRED) === 0;
  /** A token with its own keypad asks itself. */
  const pin = async () => ((info.flags & CKF_PROTECTED_AUTHENTICATION_PATH) === 0 ? access.pin(label) : undefined);
  const attribute = (object: Handle, type: number) => {
    try {
      return pkcs11.C_GetAttributeValue(session, object, [{ type }])[0]?.value;
    } catch {
      return undefined; // this kind of object has no such attribute, or hides it
    }
  };
  return {
    label,
    serial: info.serialNumber.trim(),
    attribute,
    find(template) {
      pkcs11.C_FindObjectsInit(session, template);
      try {
        return pkcs11.C_FindObjects(session, 2);
      } finally {
        pkcs11.C_FindObjectsFinal(session);
      }
    },
    async login() {
      if (loggedIn) return;
      pkcs11.C_Login(session, CKU_USER, await pin());
      loggedIn = true;
    },
    async sign(key, { mechanism, data, size }) {
      const again = attribute(key, CK.alwaysAuthenticate)?.[0] === 1;
      const entered = again ? await pin() : undefined;
      pkcs11.C_SignInit(session, { mechanism }, key);
      if (again) pkcs11.C_Login(session, CKU_CONTEXT_SPECIFIC, entered);
      return Uint8Array.from(pkcs11.C_Sign(session, Buffer.from(data), Buffer.alloc(size)));
    },
  };
}

/** A handle is a C integer in the machine's order, which is little-endian on everything Node runs on but s390x. */
export function slotNumber(handle: Handle): number {
  return handle.length >= 8 ? Number(handle.readBigUInt64LE()) : handle.readUInt32LE();
}

function noToken({ described, modulePath }: Access, labels: readonly string[]): TsignError {
  const there = labels.length === 0 ? "it has no token at all: is it plugged in?" : `it has: ${labels.join(", ")}`;
  return new TsignError("input", `no ${described} in the PKCS#11 module ${modulePath}`, { hint: there });
}
