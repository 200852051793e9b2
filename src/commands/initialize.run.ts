import { createHash } from "node:crypto";
import type { Run } from "../cli/parser/define.ts";
import { TsignError, withSubject } from "../errors.ts";
import type { Io } from "../io/io.ts";
import { readBlob } from "../net/input.ts";
import { readDistributedRoot } from "../services/trust/distributed-root.ts";
import { STAGING_MIRROR } from "../services/tuf/addresses.ts";
import { cacheFolder, noPlaceToKeep, openCache } from "../services/tuf/cache.ts";
import { openTuf } from "../services/tuf/index.ts";
import { readMetadata } from "../services/tuf/metadata.ts";
import { embeddedRoot, parseMirror } from "../services/tuf/mirrors.ts";
import type definition from "./initialize.ts";

export const run: Run<typeof definition> = async (io, { flags, given }) => {
  const reason = await noPlaceToKeep(io);
  if (reason !== undefined) {
    throw new TsignError("input", `store trust material: ${reason}`, {
      hint: "set HOME, or set TUF_ROOT to a folder",
    });
  }
  const mirror = flags.staging ? new URL(STAGING_MIRROR) : parseMirror(flags.mirror, "--mirror");
  const root = flags.staging || flags.root === "" ? undefined : await readRoot(io, flags);
  if (root) await withSubject(flags.root, () => readMetadata("root", root));
  const cache = await openCache(io, mirror, { usual: true });
  const anchor = root ?? embeddedRoot(mirror) ?? cache.root;
  if (!anchor) {
    throw new TsignError("usage", `no root is known for ${mirror.href}`, {
      hint: "pass its root.json with --root FILE",
    });
  }
  // Metadata that was stored under another root is not used.
  const fresh = { ...cache, known: { timestamp: undefined, snapshot: undefined, targets: undefined } };
  const hint = given.has("mirror")
    ? "check that timestamp.json is in the folder of --mirror; for a copy on disk pass a file:// URL"
    : "check the network and HTTPS_PROXY; for a copy on disk pass --mirror file://FOLDER";
  const tuf = await openTuf(io, { mirror, anchor, cache: fresh, hint });
  await readDistributedRoot(tuf, (text) => io.stderr.write(`WARNING: ${text}\n`)); // a root that cannot be used fails here
  try {
    await tuf.target("signing_config.v0.2.json");
  } catch (error) {
    if (!(error instanceof TsignError)) throw error;
    io.stderr.write(`WARNING: the repository has no signing config: ${error.message}\n`);
  }
  const address = mirror.href.replace(/\/$/, "");
  await io.files.replace(`${cacheFolder(io)}/remote.json`, JSON.stringify({ mirror: address }), { mode: 0o600 });
  return { mirror: address, folder: cacheFolder(io) };
};

async function readRoot(io: Io, flags: { root: string; rootChecksum: string }): Promise<Uint8Array> {
  const bytes = await readBlob(io, flags.root);
  if (flags.rootChecksum === "") {
    if (/^https?:\/\//.test(flags.root)) {
      io.stderr.write("WARNING: the root was downloaded without a checksum; pass --root-checksum\n");
    }
    return bytes;
  }
  const [, algorithm, hex = ""] = /^(?:(sha256|sha512):)?([0-9a-fA-F]+)$/.exec(flags.rootChecksum) ?? [];
  const name = algorithm ?? (hex.length === 128 ? "sha512" : "sha256");
  if (hex.length !== (name === "sha512" ? 128 : 64)) {
    throw new TsignError("usage", `--root-checksum is not a SHA-256 or SHA-512 checksum: "${flags.rootChecksum}"`);
  }
  const found = createHash(name).update(bytes).digest("hex");
  if (found !== hex.toLowerCase()) {
    throw new TsignError(
      "untrusted",
      `${name} mismatch for ${flags.root}: got ${found}, want ${hex}; nothing was changed`,
    );
  }
  return bytes;
}
