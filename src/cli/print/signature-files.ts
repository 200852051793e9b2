import { TsignError } from "../../errors.ts";
import { certificatePem, legacyBlobBundle } from "../../evidence/legacy/write.ts";
import type { Evidence } from "../../evidence/model.ts";
import { encodeBase64 } from "../../format/base64.ts";
import { type Digest, parseDigest } from "../../format/digest.ts";
import type { Io } from "../../io/io.ts";
import type { PublicKey } from "../../keys/types.ts";
import { assertWritable, writeOutput, writeRequested } from "../options/output-places.ts";

/** The files `sign` can be asked for. */
export interface SignatureFileFlags {
  readonly bundle: string;
  readonly outputCertificate: string;
  readonly outputPayload: string;
  readonly outputSignature: string;
  readonly recursive: boolean;
}

/** A signature and what it is over; an image has several when it is signed under several names. */
export interface SignedPayload {
  readonly evidence: Evidence;
  readonly payload: Uint8Array;
}

/**
 * Refuses, before anything is signed, what could not be written afterwards: the files of several images in one, and places
 * that are not there. With --recursive the digest is part of a file's name, but not of a bundle's.
 *
 * @throws TsignError "usage" or "input"
 */
export async function requireSignatureFiles(
  io: Pick<Io, "files">,
  flags: SignatureFileFlags,
  images: readonly { digest: Digest }[],
): Promise<void> {
  const { bundle, outputPayload, outputSignature, recursive } = flags;
  const shared = recursive
    ? { bundle }
    : { bundle, "output-signature": outputSignature, "output-payload": outputPayload };
  const [name] = Object.entries(shared).find(([, path]) => path !== "") ?? [];
  if (images.length > 1 && name !== undefined) {
    throw new TsignError("usage", `${images.length} images cannot be signed into the one file of --${name}`, {
      hint: "sign them one by one, or without the flag",
    });
  }
  if (!recursive) return; // looked at with the command line
  const places = [outputPayload, outputSignature].flatMap((path) =>
    images.map((image) => placeFor(path, flags, image)),
  );
  await assertWritable(io, places);
}

/** Where the part of one image goes; "" for what was not asked for. */
function placeFor(path: string, { recursive }: SignatureFileFlags, { digest }: { digest: Digest }): string {
  return recursive && path !== "" && path !== "-" ? `${path}-sha256-${parseDigest(digest).hex}` : path;
}

/**
 * Writes what --output-signature, --output-payload and --output-certificate ask for: base64 and payloads a line each, and
 * the certificate, or the public key of a key that has none.
 */
export async function writeSignatureFiles(
  io: Pick<Io, "files" | "stderr" | "stdout" | "signal">,
  options: {
    flags: SignatureFileFlags;
    image: { digest: Digest };
    signed: readonly SignedPayload[];
    key: PublicKey;
  },
): Promise<void> {
  const { flags, image, signed, key } = options;
  const write = async (path: string, lines: readonly (string | Uint8Array)[]) => {
    if (path === "") return;
    await writeOutput(io, { path: placeFor(path, flags, image), content: joinLines(lines) });
  };
  await write(
    flags.outputSignature,
    signed.map(({ evidence }) => encodeBase64(evidence.content.signature)),
  );
  await write(
    flags.outputPayload,
    signed.map(({ payload }) => payload),
  );
  if (flags.outputCertificate === "") return;
  const [made] = signed;
  const pem = made?.evidence.key.kind === "certificate" ? certificatePem(made.evidence.key.leaf) : key.pem;
  const written = await writeOutput(io, { path: flags.outputCertificate, content: pem });
  if (written) io.stderr.write(`Certificate wrote in the file ${flags.outputCertificate}\n`);
}

/** Writes legacy signatures to --bundle in the form `sign-blob` has, a line each: `verify-blob` takes them over the payload. */
export async function writeLegacyBundles(
  io: Pick<Io, "files" | "stderr" | "stdout" | "signal">,
  path: string,
  signed: readonly SignedPayload[],
): Promise<void> {
  const documents = signed.map(({ evidence }) => legacyBlobBundle(evidence));
  await writeRequested(io, { path, kind: "bundle", content: joinLines(documents) });
}

function joinLines(lines: readonly (string | Uint8Array)[]): Uint8Array {
  return Buffer.concat(lines.flatMap((line, index) => [Buffer.from(index === 0 ? "" : "\n"), Buffer.from(line)]));
}
