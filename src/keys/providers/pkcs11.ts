import { TsignError } from "../../errors.ts";
import type { LoadPackage } from "../../packages.ts";
import type { PublicKey } from "../types.ts";
import { DIGEST_INFO } from "../verify.ts";
import { readTokenKey } from "./pkcs11-keys.ts";
import { type Access, CK, type KeyName, nameAttribute, type Token, withToken } from "./pkcs11-token.ts";
import { parsePkcs11Uri, withoutPin } from "./pkcs11-uri.ts";
import { ecdsaDer, remoteSigner } from "./remote.ts";
import type { KeyProvider, OpenProvider, ProviderIo } from "./types.ts";

const MAX_MESSAGE = 128 * 1024 * 1024;
/** Usual paths of the modules for PIV tokens: Yubico's first, then OpenSC's, which supports all of them. */
const PIV_MODULES = [
  "/usr/lib/x86_64-linux-gnu/libykcs11.so",
  "/usr/lib/aarch64-linux-gnu/libykcs11.so",
  "/usr/lib64/libykcs11.so",
  "/usr/local/lib/libykcs11.dylib",
  "/opt/homebrew/lib/libykcs11.dylib",
  "C:\\Program Files\\Yubico\\Yubico PIV Tool\\bin\\libykcs11.dll",
  "/usr/lib/x86_64-linux-gnu/opensc-pkcs11.so",
  "/usr/lib/aarch64-linux-gnu/opensc-pkcs11.so",
  "/usr/lib64/opensc-pkcs11.so",
  "/Library/OpenSC/lib/opensc-pkcs11.so",
  "/opt/homebrew/lib/opensc-pkcs11.so",
  "C:\\Program Files\\OpenSC Project\\OpenSC\\pkcs11\\opensc-pkcs11.dll",
];
/** CKA_ID of the keys in the PIV slots 9A, 9C, 9D and 9E (NIST SP 800-73-4), in Yubico's module and in OpenSC. */
const PIV_SLOTS: Readonly<Record<string, number>> = {
  authentication: 1,
  signature: 2,
  "key-management": 3,
  "card-authentication": 4,
};

interface Location {
  readonly shown: string;
  readonly key: KeyName;
  readonly access: () => Promise<Access>;
}

/** Opens keys in a PKCS#11 token: `pkcs11:token=…;object=…?module-path=…&pin-value=…`. */
export const openPkcs11: OpenProvider = (io, reference) => pkcs11Provider(io, reference);

/** Like openPkcs11, with a loader for the library in tests. */
export function pkcs11Provider(io: ProviderIo, reference: string, load?: LoadPackage): KeyProvider {
  const uri = parsePkcs11Uri(reference);
  const modulePath = uri.modulePath || io.env["COSIGN_PKCS11_MODULE_PATH"] || "";
  if (modulePath === "") {
    throw new TsignError("input", `${withoutPin(reference)}: missing PKCS#11 module`, {
      hint: "add ?module-path=/path/to/module.so, or set COSIGN_PKCS11_MODULE_PATH",
    });
  }
  const access: Access = {
    modulePath,
    wanted: ({ slot, label }) => (uri.slot === undefined ? label === uri.token : slot === uri.slot),
    described: uri.slot === undefined ? `token "${uri.token}"` : `token in slot ${uri.slot}`,
    pin: pinSource(io, uri.pin),
    load,
  };
  return provider(io, "PKCS#11", { shown: withoutPin(reference), key: uri, access: async () => access });
}

/** Opens a key on a PIV token, for --sk: `sk://SLOT`, with cosign's names of the slots. */
export const openSecurityKey: OpenProvider = (io, reference) => {
  const slot = reference.slice("sk://".length) || "signature";
  const id = PIV_SLOTS[slot];
  if (id === undefined) {
    throw new TsignError("usage", `unknown --slot: ${slot}`, {
      hint: `use one of: ${Object.keys(PIV_SLOTS).join(", ")}`,
    });
  }
  const access = async (): Promise<Access> => ({
    modulePath: await findPivModule(io),
    wanted: () => true,
    described: "security key",
    pin: pinSource(io, ""),
  });
  return provider(io, "security key", {
    shown: `slot ${slot} of the security key`,
    key: { id: Uint8Array.of(id), label: "" },
    access,
  });
};

async function findPivModule(io: ProviderIo): Promise<string> {
  const given = io.env["COSIGN_PKCS11_MODULE_PATH"];
  if (given) return given;
  for (const path of PIV_MODULES) if (await io.files.stat(path)) return path;
  throw new TsignError("input", "--sk requires a PKCS#11 module for security keys, and none was found", {
    hint: "install Yubico's ykcs11 or OpenSC, or set COSIGN_PKCS11_MODULE_PATH to the path of the module",
  });
}

/** Returns the PIN of the reference, else COSIGN_PKCS11_PIN, else asks on the terminal, once. */
function pinSource(io: ProviderIo, given: string): Access["pin"] {
  let pin = given || io.env["COSIGN_PKCS11_PIN"];
  return async (token) => {
    if (pin) return pin;
    if (!io.tty.stdin) {
      throw new TsignError("auth", `token "${token}" requires a PIN`, {
        hint: "set COSIGN_PKCS11_PIN, add pin-value to the reference, or run in a terminal",
      });
    }
    pin = await io.tty.prompt(`Enter PIN for PKCS11 token '${token}': `, { secret: true });
    return pin;
  };
}

function provider(io: ProviderIo, service: string, { shown, key, access }: Location): KeyProvider {
  const using = async <T>(use: (token: Token) => Promise<T | undefined>): Promise<T> => {
    const result = await withToken(io, await access(), use);
    if (result !== undefined) return result;
    throw new TsignError("input", `key not found: ${shown}`, {
      hint: "run `tsign pkcs11-tool list-keys-uris` to list the keys of a token",
    });
  };
  const publicKey = () => using((token) => readTokenKey(token, key));
  return {
    service,
    publicKey,
    signer: async () => {
      const own = await publicKey();
      const sign = (data: Uint8Array) => using((token) => signWith(token, { key, own, data }));
      return remoteSigner({
        service: shown,
        publicKey: own,
        signDigest: async (digest) => {
          if (own.kind.type === "ecdsa") return ecdsaDer(await sign(digest));
          return sign(Buffer.concat([Buffer.from(DIGEST_INFO[own.hash], "hex"), digest]));
        },
        signMessage: sign,
        maxMessage: MAX_MESSAGE,
      });
    },
    facts: () => using(async ({ label, serial }) => ({ id: `${shown} on token "${label}", serial number ${serial}` })),
  };
}

async function signWith(
  token: Token,
  { key, own, data }: { key: KeyName; own: PublicKey; data: Uint8Array },
): Promise<Uint8Array | undefined> {
  await token.login();
  const [found, another] = token.find([{ type: CK.class, value: CK.privateKeyObject }, nameAttribute(key)]);
  if (!found) return undefined;
  if (another) {
    throw new TsignError("input", `ambiguous key: token "${token.label}" has several private keys with this label`, {
      hint: "use the id of the key in place of its label, such as id=%01",
    });
  }
  if (token.attribute(found, CK.sign)?.[0] === 0) {
    throw new TsignError("input", "this key cannot sign: its CKA_SIGN attribute is false");
  }
  const mechanism = { ecdsa: CK.ecdsa, rsa: CK.rsaPkcs, ed25519: CK.eddsa }[own.kind.type];
  const size = own.kind.type === "rsa" ? Math.ceil(own.kind.bits / 8) : 256;
  return token.sign(found, { mechanism, data, size });
}
