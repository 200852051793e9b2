import { TsignError } from "../../errors.ts";
import { encodeBase64 } from "../../format/base64.ts";
import type { HashName } from "../../format/digest.ts";
import { parseJson } from "../../format/json.ts";
import { publicKeyFromPem } from "../public-key.ts";
import type { PublicKey } from "../types.ts";
import { remoteSigner } from "./remote.ts";
import { bytesOf, textAt } from "./rest.ts";
import type { OpenProvider, ProviderIo } from "./types.ts";

const PROTOCOL = "v1";
/** Numbers of the hash functions in the protocol: those of Go's crypto.Hash. */
const HASH_NUMBER: Readonly<Record<HashName, number>> = { sha256: 5, sha384: 6, sha512: 7 };
/** Bytes. An Ed25519 message is written to the program's stdin as a whole. */
const MAX_MESSAGE = 128 * 1024 * 1024;

interface Plugin {
  readonly program: string;
  readonly key: string;
}

/**
 * Opens a key of another key service through the program `sigstore-kms-<scheme>` on the PATH. It is called with the protocol
 * version and one JSON object, and prints one JSON object (sigstore, pkg/signature/kms/cliplugin).
 */
export const openPlugin: OpenProvider = (io, reference) => {
  const [scheme = "", key = ""] = reference.split(/:\/\/(.*)/s);
  const plugin = { program: `sigstore-kms-${scheme}`, key };
  const service = `the plugin ${plugin.program}`;
  const publicKey = () => readPublicKey(io, plugin);
  return {
    service,
    publicKey,
    signer: async () => {
      const key = await publicKey();
      return remoteSigner({
        service,
        publicKey: key,
        signDigest: (digest) => sign(io, plugin, { hash: key.hash, digest }),
        signMessage: (message) => sign(io, plugin, { hash: key.hash, message }),
        maxMessage: MAX_MESSAGE,
      });
    },
    facts: async () => ({ id: reference }),
    create: async () => {
      const preferred = await invoke(io, plugin, { method: "defaultAlgorithm", args: {} });
      const algorithm = textAt(preferred, "defaultAlgorithm");
      const made = await invoke(io, plugin, { method: "createKey", args: { algorithm } });
      return pemOf(plugin, made);
    },
  };
};

const RPC_OPTIONS = { keyVersion: "", remoteVerification: false };

async function readPublicKey(io: ProviderIo, plugin: Plugin): Promise<PublicKey> {
  const args = { publicKeyOptions: { rpcOptions: RPC_OPTIONS } };
  return pemOf(plugin, await invoke(io, plugin, { method: "publicKey", args }));
}

function pemOf({ program }: Plugin, answer: unknown): PublicKey {
  const encoded = textAt(answer, "publicKeyPEM");
  if (encoded === "") throw new TsignError("service", `${program} returned no public key`);
  return publicKeyFromPem(Buffer.from(bytesOf(program, encoded)).toString("utf8"));
}

/** Signs like Sigstore's CryptoSigner: with a digest and an empty message, or with the message. */
async function sign(
  io: ProviderIo,
  plugin: Plugin,
  input: { hash: HashName; digest?: Uint8Array; message?: Uint8Array },
): Promise<Uint8Array> {
  const { hash, digest, message } = input;
  const messageOptions = digest ? { digest: encodeBase64(digest), hashFunc: HASH_NUMBER[hash] } : { digest: null };
  const answer = await invoke(io, plugin, {
    method: "signMessage",
    args: { signOptions: { rpcOptions: RPC_OPTIONS, messageOptions } },
    hash,
    ...(message ? { stdin: message } : {}),
  });
  const signature = textAt(answer, "signature");
  if (signature === "") throw new TsignError("service", `${plugin.program} returned no signature`);
  return bytesOf(plugin.program, signature);
}

async function invoke(
  io: ProviderIo,
  { program, key }: Plugin,
  call: { method: string; args: Record<string, unknown>; hash?: HashName; stdin?: Uint8Array },
): Promise<unknown> {
  const { method, args, hash = "sha256", stdin } = call;
  const request = {
    initOptions: {
      protocolVersion: PROTOCOL,
      keyResourceID: key,
      hashFunc: HASH_NUMBER[hash],
      rpcOptions: RPC_OPTIONS,
    },
    methodName: method,
    [method]: args,
  };
  const { code, stdout, stderr } = await io
    .spawn(program, [PROTOCOL, JSON.stringify(request)], stdin ? { stdin } : {})
    .catch((error: unknown) => Promise.reject(explainMissingProgram(error, program)));
  for (const line of stderr.split(/\r?\n/)) if (line !== "") io.stderr.write(`${program}: ${line}\n`);
  let answer: unknown;
  try {
    answer = parseJson(Buffer.from(stdout), `output of ${program}`);
  } catch (cause) {
    throw new TsignError("service", `${program} printed invalid JSON for ${method} (exit code ${code})`, {
      cause,
    });
  }
  const refused = textAt(answer, "errorMessage");
  if (refused !== "") throw new TsignError("input", `${program} refused ${method}: ${refused}`);
  return typeof answer === "object" && answer !== null ? (answer as Record<string, unknown>)[method] : undefined;
}

/** Converts "no such program" to an error about the scheme, which is most often mistyped; returns other errors unchanged. */
function explainMissingProgram(error: unknown, program: string): unknown {
  const { cause } = error as { cause?: { code?: string } };
  if (!(error instanceof TsignError) || cause?.code !== "ENOENT") return error;
  const scheme = program.slice("sigstore-kms-".length);
  return new TsignError("input", `unrecognized scheme: ${scheme}:// (program ${program} not found on the PATH)`, {
    hint: "use pkcs11:, awskms://, gcpkms://, azurekms://, hashivault://, openbao://, k8s://, gitlab:// or github://",
    cause: error,
  });
}
