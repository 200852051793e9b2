import { isAbsolute } from "node:path";
import { TsignError } from "../../errors.ts";
import { type LoadPackage, loadPackages } from "../../packages.ts";
import { explainPkcs11Error } from "./pkcs11-errors.ts";
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

/** How to open a module and log in to its token. */
export interface Access {
  readonly modulePath: string;
  /** Selects tokens; several are tried in order. */
  readonly wanted: (token: { slot: number; label: string }) => boolean;
  /** What `wanted` selects, for the error that it was not found: `token "x"`. */
  readonly described: string;
  /** Called only when the token requires a PIN. */
  readonly pin: (token: string) => Promise<string>;
  readonly load?: LoadPackage | undefined;
}

/** Identifies a key on a token. */
export interface KeyName {
  readonly id: Uint8Array | undefined;
  readonly label: string;
}

/** Returns the attribute to search by: the id if there is one, else the label. */
export function nameAttribute({ id, label }: KeyName): { type: number; value: Uint8Array } {
  return id ? { type: CK.id, value: Buffer.from(id) } : { type: CK.label, value: Buffer.from(label) };
}

/** A session with a token. Handles of objects are valid in this session only. */
export interface Token {
  readonly label: string;
  readonly serial: string;
  find(template: readonly Attribute[]): Handle[];
  /** The value of an attribute; undefined when the object has none or does not reveal it. */
  attribute(object: Handle, type: number): Buffer | undefined;
  /** Logs in once; does nothing for a token that requires no login. */
  login(): Promise<void>;
  sign(key: Handle, options: { mechanism: number; data: Uint8Array; size: number }): Promise<Uint8Array>;
}

/**
 * Opens each wanted token until `use` returns a result, then closes everything.
 *
 * @returns undefined when `use` returned no result for any token
 * @throws TsignError "input" for a missing module or token, "auth" for the PIN, "service" for an error of the module
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
      throw tokenNotFound(
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
    throw explainPkcs11Error(error, access);
  } finally {
    pkcs11.C_Finalize();
    pkcs11.close();
  }
}

/** Returns the slots with an initialized token that can be read. */
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

/** Loads and initializes a module. The caller must finalize and close it. */
export async function openModule(
  io: ProviderIo,
  { modulePath, load }: Pick<Access, "modulePath" | "load">,
): Promise<Cryptoki> {
  if (!isAbsolute(modulePath)) {
    throw new TsignError("input", `PKCS#11 module path is not absolute: ${modulePath}`);
  }
  if ((await io.files.stat(modulePath))?.kind !== "file") {
    throw new TsignError("input", `PKCS#11 module not found: ${modulePath}`, {
      hint: "set module-path in the reference, or COSIGN_PKCS11_MODULE_PATH, to the path of the vendor's library",
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
    throw new TsignError("input", `load PKCS#11 module ${modulePath}: ${reason}`, { cause });
  }
  return pkcs11;
}

function tokenOf(
  pkcs11: Cryptoki,
  opened: { session: Handle; info: { label: string; serialNumber: string; flags: number }; access: Access },
): Token {
  const { session, info, access } = opened;
  const label = info.label.trim();
  let loggedIn = (info.flags & CKF_LOGIN_REQUIRED) === 0;
  /** Undefined for a token with a keypad of its own, which asks for the PIN itself. */
  const pin = async () => ((info.flags & CKF_PROTECTED_AUTHENTICATION_PATH) === 0 ? access.pin(label) : undefined);
  const attribute = (object: Handle, type: number) => {
    try {
      return pkcs11.C_GetAttributeValue(session, object, [{ type }])[0]?.value;
    } catch {
      return undefined; // this object does not have the attribute or does not reveal it
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

/** Returns the number of a slot. A handle is a C integer in native byte order: little-endian on all of Node's platforms except s390x. */
export function slotNumber(handle: Handle): number {
  return handle.length >= 8 ? Number(handle.readBigUInt64LE()) : handle.readUInt32LE();
}

function tokenNotFound({ described, modulePath }: Access, labels: readonly string[]): TsignError {
  const hint =
    labels.length === 0
      ? "check that the token is plugged in; the module found none"
      : `use one of the tokens of this module: ${labels.join(", ")}`;
  return new TsignError("input", `${described} not found in the PKCS#11 module ${modulePath}`, { hint });
}
