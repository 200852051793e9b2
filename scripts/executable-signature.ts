import { createHash } from "node:crypto";

const MACH_O_64 = 0xfeedfacf;
const LC_CODE_SIGNATURE = 0x1d;
const CODE_DIRECTORY = 0xfade0c02;
const SHA256 = 2;

/**
 * Updates the hashes of an ad-hoc code signature (Mach-O, as Bun signs its executables for macOS) after the file was changed.
 * macOS on arm64 runs no program whose hashes do not match.
 *
 * @returns the number of pages whose hash changed; undefined when the file is not a Mach-O
 * @throws Error when it is one without such a signature
 */
export function signAgain(file: Buffer): number | undefined {
  if (file.readUInt32LE(0) !== MACH_O_64) return undefined;
  const { offset, codeLimit, pageSize, hashes, count } = codeDirectory(file);
  let changed = 0;
  for (let page = 0; page < count; page++) {
    const bytes = file.subarray(page * pageSize, Math.min((page + 1) * pageSize, codeLimit));
    const hash = createHash("sha256").update(bytes).digest();
    const at = offset + hashes + page * hash.length;
    if (!hash.equals(file.subarray(at, at + hash.length))) changed++;
    hash.copy(file, at);
  }
  return changed;
}

/** Finds the code directory: its place in the file, and what it covers, in bytes. */
function codeDirectory(file: Buffer) {
  const blobs = signatureOffset(file);
  const total = file.readUInt32BE(blobs + 8);
  for (let index = 0; index < total; index++) {
    const offset = blobs + file.readUInt32BE(blobs + 12 + index * 8 + 4);
    if (file.readUInt32BE(offset) !== CODE_DIRECTORY) continue;
    if (file.readUInt8(offset + 37) !== SHA256) throw new Error("sign executable: the hashes are not SHA-256");
    return {
      offset,
      hashes: file.readUInt32BE(offset + 16),
      count: file.readUInt32BE(offset + 28),
      codeLimit: file.readUInt32BE(offset + 32),
      pageSize: 2 ** file.readUInt8(offset + 39),
    };
  }
  throw new Error("sign executable: there is no code directory");
}

/** The load command that says where the signature is follows the header of 32 bytes. */
function signatureOffset(file: Buffer): number {
  let at = 32;
  for (let left = file.readUInt32LE(16); left > 0; left--) {
    if (file.readUInt32LE(at) === LC_CODE_SIGNATURE) return file.readUInt32LE(at + 8);
    at += file.readUInt32LE(at + 4);
  }
  throw new Error("sign executable: there is no code signature");
}
