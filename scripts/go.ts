import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { inflateRawSync } from "node:zlib";
import { TOOLS } from "./tools.ts";

/** The version that is downloaded where Go is missing, and its digests in the checksum database (sum.golang.org), by platform. */
const VERSION = "go1.26.8";
const DIGESTS: Readonly<Record<string, string>> = {
  "linux-amd64": "h1:ZOmGe1OnfREDMIdb1Qi4G9JSuDPBLGExZMQ4nis1RXM=",
  "linux-arm64": "h1:sYL/O6MqS68ML0kjsQ36WoYIpJqkw60TxizWUYUKQMc=",
  "darwin-amd64": "h1:7/9KPPN8PckcA9s91hm2jmQMhzW4KyTJXHIs45L0C9M=",
  "darwin-arm64": "h1:dFjGhY6f8DTsY8/rLchUTDRRfjJP4pCrGCwxvHFT2Fg=",
};

/** Returns this machine's platform as named by Go. */
export function goPlatform(): { os: string; arch: string } {
  return {
    os: process.platform === "win32" ? "windows" : process.platform,
    arch: process.arch === "x64" ? "amd64" : process.arch,
  };
}

/**
 * Returns a Go program: `go` if PATH has version 1.21 or newer, which gets a newer one itself where it is needed. Otherwise Go's
 * toolchain module is downloaded from the Go module proxy (72 MB), checked against the checksum database's digest, and kept in
 * TSIGN_TOOLS.
 *
 * @throws Error for a platform without a digest, a failed download, and another digest
 */
export async function goProgram(): Promise<string> {
  if (hasGo()) return "go";
  const { os, arch } = goPlatform();
  const folder = join(TOOLS, `${VERSION}.${os}-${arch}`);
  const program = join(folder, "bin", os === "windows" ? "go.exe" : "go");
  if (existsSync(program)) return program;
  const digest = DIGESTS[`${os}-${arch}`];
  if (digest === undefined) throw new Error(`Go is not in PATH, and there is none to download for ${os}-${arch}`);
  const name = `golang.org/toolchain/@v/v0.0.1-${VERSION}.${os}-${arch}.zip`;
  const proxy = (process.env["GOPROXY"] ?? "").split(/[,|]/).find((each) => /^https?:/.test(each));
  const url = `${proxy ?? "https://proxy.golang.org"}/${name}`;
  process.stderr.write(`Go is not in PATH; downloading ${url}\n`);
  const response = await fetch(url);
  if (!response.ok) throw new Error(`download ${url}: the server returned ${response.status}`);
  const files = unzip(Buffer.from(await response.arrayBuffer()));
  const found = moduleDigest(files);
  if (found !== digest) throw new Error(`download ${url}: digest mismatch: got ${found}, want ${digest}`);
  write(files, folder);
  return program;
}

function hasGo(): boolean {
  try {
    const version = execFileSync("go", ["version"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
    const [, major, minor] = /\bgo(\d+)\.(\d+)/.exec(version) ?? [];
    return Number(major) > 1 || Number(minor) >= 21;
  } catch {
    return false;
  }
}

/** Writes the files of a toolchain module into a folder, which then has all of them or does not exist. */
function write(files: ReadonlyMap<string, Buffer>, folder: string): void {
  const work = `${folder}.${process.pid}`;
  try {
    for (const [name, content] of files) {
      const [, path = ""] = /^golang\.org\/toolchain@[^/]+\/(.+)$/.exec(name) ?? [];
      if (path === "" || path.split("/").includes("..")) throw new Error(`unpack Go: invalid path ${name}`);
      const target = join(work, path);
      mkdirSync(dirname(target), { recursive: true });
      writeFileSync(target, content);
      // Module zips have no modes; these are Go's programs.
      if (/^(bin|pkg\/tool)\//.test(path)) chmodSync(target, 0o755);
    }
    rmSync(folder, { recursive: true, force: true });
    renameSync(work, folder);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/**
 * Returns the digest of a Go module as go.sum states it.
 *
 * @param files content by name
 * @see golang.org/x/mod/sumdb/dirhash, Hash1
 */
export function moduleDigest(files: ReadonlyMap<string, Uint8Array>): string {
  const summary = createHash("sha256");
  for (const name of [...files.keys()].sort()) {
    const digest = createHash("sha256").update(files.get(name) ?? Buffer.alloc(0));
    summary.update(`${digest.digest("hex")}  ${name}\n`);
  }
  return `h1:${summary.digest("base64")}`;
}

const END_OF_DIRECTORY = 0x06054b50;
const DIRECTORY_ENTRY = 0x02014b50;

/**
 * Returns the files of a zip archive of less than 4 GiB (APPNOTE.TXT, sections 4.3.12 and 4.3.16).
 *
 * @throws Error for another kind of archive
 */
export function unzip(zip: Buffer): Map<string, Buffer> {
  let end = zip.length - 22;
  while (end >= 0 && zip.readUInt32LE(end) !== END_OF_DIRECTORY) end--;
  if (end < 0) throw new Error("read zip archive: missing directory");
  const files = new Map<string, Buffer>();
  let at = zip.readUInt32LE(end + 16);
  for (let left = zip.readUInt16LE(end + 10); left > 0; left--) {
    if (zip.readUInt32LE(at) !== DIRECTORY_ENTRY) throw new Error("read zip archive: invalid directory");
    const [method, size] = [zip.readUInt16LE(at + 10), zip.readUInt32LE(at + 20)];
    const [nameLength, extra, comment] = [28, 30, 32].map((offset) => zip.readUInt16LE(at + offset)) as [
      number,
      number,
      number,
    ];
    const name = zip.toString("utf8", at + 46, at + 46 + nameLength);
    const local = zip.readUInt32LE(at + 42);
    const start = local + 30 + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28);
    const content = zip.subarray(start, start + size);
    if (!name.endsWith("/")) files.set(name, method === 0 ? content : inflateRawSync(content));
    at += 46 + nameLength + extra + comment;
  }
  return files;
}
