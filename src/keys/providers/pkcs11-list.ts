import type { LoadPackage } from "../../packages.ts";
import { explainPkcs11Error } from "./pkcs11-errors.ts";
import { CK, type Cryptoki, openModule, slotNumber } from "./pkcs11-token.ts";
import type { ProviderIo } from "./types.ts";

/** Largest number of keys to list from one token. */
const MAX_KEYS = 1000;
const CKF_SERIAL_SESSION = 4;
const CKU_USER = 1;

/** A token, as described by its module. */
export interface TokenFacts {
  readonly slot: number;
  readonly label: string;
  readonly manufacturer: string;
  readonly model: string;
  readonly serial: string;
}

/** A private key on a token. */
export interface KeyFacts {
  readonly label: string;
  readonly id: Uint8Array;
}

/** Lists the tokens of a module, in its order. */
export function listTokens(io: ProviderIo, modulePath: string, load?: LoadPackage): Promise<TokenFacts[]> {
  return withModule(io, { modulePath, load }, async (pkcs11) => slotsOf(pkcs11).map(({ facts }) => facts));
}

/**
 * Lists the private keys on the token in a slot, which requires its PIN.
 *
 * @returns undefined when there is no token in the slot
 */
export function listKeys(
  io: ProviderIo,
  from: { modulePath: string; slot: number; pin: (token: string) => Promise<string> },
  load?: LoadPackage,
): Promise<{ token: TokenFacts; keys: KeyFacts[] } | undefined> {
  return withModule(io, { modulePath: from.modulePath, load }, async (pkcs11) => {
    const found = slotsOf(pkcs11).find(({ facts }) => facts.slot === from.slot);
    if (!found) return undefined;
    const session = pkcs11.C_OpenSession(found.handle, CKF_SERIAL_SESSION);
    try {
      pkcs11.C_Login(session, CKU_USER, await from.pin(found.facts.label));
      return { token: found.facts, keys: privateKeys(pkcs11, session) };
    } finally {
      pkcs11.C_CloseSession(session);
    }
  });
}

async function withModule<T>(
  io: ProviderIo,
  access: { modulePath: string; load: LoadPackage | undefined },
  use: (pkcs11: Cryptoki) => Promise<T>,
): Promise<T> {
  const pkcs11 = await openModule(io, access);
  try {
    return await use(pkcs11);
  } catch (error) {
    throw explainPkcs11Error(error, access);
  } finally {
    pkcs11.C_Finalize();
    pkcs11.close();
  }
}

function slotsOf(pkcs11: Cryptoki): { handle: Buffer; facts: TokenFacts }[] {
  return pkcs11.C_GetSlotList(true).map((handle) => {
    const info = pkcs11.C_GetTokenInfo(handle);
    const facts = {
      slot: slotNumber(handle),
      label: info.label.trim(),
      manufacturer: info.manufacturerID.trim(),
      model: info.model.trim(),
      serial: info.serialNumber.trim(),
    };
    return { handle, facts };
  });
}

function privateKeys(pkcs11: Cryptoki, session: Buffer): KeyFacts[] {
  pkcs11.C_FindObjectsInit(session, [{ type: CK.class, value: CK.privateKeyObject }]);
  let objects: Buffer[];
  try {
    objects = pkcs11.C_FindObjects(session, MAX_KEYS);
  } finally {
    pkcs11.C_FindObjectsFinal(session);
  }
  return objects.map((object) => {
    const [label, id] = pkcs11.C_GetAttributeValue(session, object, [{ type: CK.label }, { type: CK.id }]);
    return { label: Buffer.from(label?.value ?? "").toString("utf8"), id: Buffer.from(id?.value ?? "") };
  });
}
