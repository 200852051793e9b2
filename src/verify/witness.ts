import { type KeyObject, verify as verifyBytes } from "node:crypto";
import { TsignError } from "../errors.ts";
import { decodeBase64 } from "../format/base64.ts";
import { sameBytes } from "../format/bytes.ts";
import { hash } from "../format/digest.ts";
import { ed25519PublicKey } from "../format/ed25519.ts";
import { parseCheckpoint } from "./checkpoint.ts";
import { CheckFailed } from "./model.ts";

/** Signature type of cosignatures with Ed25519 (C2SP tlog-cosignature). */
const COSIGNATURE = 0x04;
const KEY_LENGTH = 32;
const TIME_LENGTH = 8;
/** `NAME+HINT+KEY` (C2SP signed-note, "Verifier keys"). */
const VERIFIER_KEY = /^([^\s+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]+={0,2})$/;

/** A witness: it cosigns a log's heads only if each continues the last one that it saw. */
export interface Witness {
  readonly name: string;
  /** The first four bytes of the key's ID. */
  readonly hint: Uint8Array;
  readonly key: KeyObject;
}

/** Witnesses, and how many of them must have cosigned a head. */
export interface Witnesses {
  readonly keys: readonly Witness[];
  readonly quorum: number;
}

/** Parses a witness's verifier key. @throws TsignError "input" */
export function parseWitness(text: string): Witness {
  const [, name = "", hint = "", encoded = ""] = VERIFIER_KEY.exec(text) ?? [];
  const bytes = Buffer.from(decodeBase64(encoded) ?? []);
  if (bytes.length !== 1 + KEY_LENGTH || bytes[0] !== COSIGNATURE) {
    throw new TsignError("input", `read witness "${text}": expected a verifier key of an Ed25519 witness`, {
      hint: "pass NAME+HINT+KEY, as the witness publishes it",
    });
  }
  const id = Buffer.from(hash("sha256", Buffer.concat([Buffer.from(`${name}\n`), bytes]))).subarray(0, 4);
  if (id.toString("hex") !== hint) {
    throw new TsignError("input", `read witness "${text}": hint mismatch: got ${hint}, want ${id.toString("hex")}`);
  }
  return { name, hint: id, key: ed25519PublicKey(bytes.subarray(1)) };
}

/**
 * Checks that enough witnesses have cosigned a checkpoint (C2SP tlog-cosignature). Lines of others are ignored, and each witness counts
 * once.
 *
 * @throws CheckFailed "log"
 */
export function verifyWitnesses(envelope: string, { keys, quorum }: Witnesses): void {
  const { text, signatures } = parseCheckpoint(envelope);
  const isCosigned = (witness: Witness) =>
    signatures.some(
      ({ name, hint, bytes }) =>
        name === witness.name && sameBytes(hint, witness.hint) && isSigned(text, witness, bytes),
    );
  const count = keys.filter(isCosigned).length;
  if (count >= quorum) return;
  throw new CheckFailed("log", `head is cosigned by ${count} of the ${quorum} witnesses that are required`);
}

/** @param bytes the time in seconds, and the signature */
function isSigned(text: string, { key }: Witness, bytes: Uint8Array): boolean {
  if (bytes.length <= TIME_LENGTH) return false;
  const time = Buffer.from(bytes).readBigUInt64BE();
  const message = Buffer.from(`cosignature/v1\ntime ${time}\n${text}`);
  try {
    return verifyBytes(null, message, key, bytes.subarray(TIME_LENGTH));
  } catch {
    return false; // OpenSSL refuses the signature's encoding
  }
}
