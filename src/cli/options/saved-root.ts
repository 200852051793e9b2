import { TsignError } from "../../errors.ts";
import { digestOf } from "../../format/digest.ts";
import type { Io } from "../../io/io.ts";
import { readBlob } from "../../net/input.ts";
import { archiveFiles } from "../../oci/layout/archive-files.ts";
import type { LayoutFiles } from "../../oci/layout/files.ts";
import { distributedTarget } from "../../services/trust/sources.ts";
import { firstEnd, hasEnded } from "../../trust/expiry.ts";
import { printDone } from "../print/stored.ts";
import { orWithoutMirror } from "./unreachable.ts";

/** Name of the trusted root in an archive. */
export const SAVED_ROOT = "trusted_root.json";
/** Largest trusted root in an archive, in bytes. */
const MAX_ROOT = 4 * 1024 * 1024;

/** A trusted root stored with images. */
export interface SavedRoot {
  readonly bytes: Uint8Array;
  /** Of the bytes. */
  readonly digest: string;
  /** What ends first, and when: `certificate authority expires 2031-10-05`; "" if nothing ends. */
  readonly expiry: string;
  /** Whether nothing in it is current any more. */
  readonly ended: boolean;
}

/**
 * Returns the trusted root to save: a file, or the one of the TUF repository.
 *
 * @param path "" for the TUF repository's
 * @throws TsignError for a root that cannot be read, fetched or used
 */
export async function rootToSave(io: Io, path: string): Promise<SavedRoot> {
  if (path !== "") return describeRoot(io, await readBlob(io, path), path);
  const bytes = await orWithoutMirror(() => distributedTarget(io, SAVED_ROOT), {
    operation: "fetch the trusted root",
    hint: "pass --trusted-root FILE, or --include-trusted-root=false to save the images without one",
  });
  return describeRoot(io, bytes, SAVED_ROOT);
}

/** Returns the trusted root in an archive. @throws TsignError "input" when there is none */
export async function readSavedRoot(io: Io, path: string): Promise<Uint8Array> {
  const bytes = await savedRootIn(await archiveFiles(io, path));
  if (bytes) return bytes;
  throw new TsignError("input", `read ${path}: the archive contains no trusted root`, {
    hint: "pass a trusted root file with --trusted-root",
  });
}

/** Returns the trusted root among a layout's files; undefined when there is none. */
export async function savedRootIn(files: LayoutFiles): Promise<Uint8Array | undefined> {
  if ((await files.size(SAVED_ROOT)) === undefined) return undefined;
  return files.read(SAVED_ROOT, { maxBytes: MAX_ROOT });
}

/** Prints the digest of a trusted root and when it ends, and warns if it has ended. */
export function printRoot(
  io: Pick<Io, "stderr" | "tty" | "env">,
  { digest, expiry, ended }: SavedRoot,
  done: string,
): void {
  printDone(io, `${done}: ${digest}${expiry === "" ? "" : `, ${expiry}`}`);
  if (ended) io.stderr.write("WARNING: the trusted root has expired; new signatures do not verify with it\n");
}

/** Parses a trusted root and says when it ends. @param path its name in errors @throws TsignError "untrusted" */
export async function describeRoot(io: Pick<Io, "now">, bytes: Uint8Array, path: string): Promise<SavedRoot> {
  const { readTrustedRoot } = await import("../../trust/trusted-root.ts");
  const trust = readTrustedRoot(bytes, path);
  const first = firstEnd(trust, io.now());
  const expiry = first ? `${first.what} expires ${first.end.toISOString().slice(0, 10)}` : "";
  return { bytes, digest: digestOf(bytes), expiry, ended: hasEnded(trust, io.now()) };
}
