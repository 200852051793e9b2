import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";

/** Readers of the formats of files that this machine cannot run, written apart from those that make them. */

/** What a system needs to run an executable. */
export interface Needs {
  readonly format: "ELF" | "Mach-O" | "PE";
  readonly processor: string | undefined;
  /** Path of the loader (ELF); undefined for a static executable. */
  readonly loader?: string | undefined;
  /** Names of the shared libraries, of PE those that are loaded at the first use as well. */
  readonly libraries: readonly string[];
  /** Mach-O: whether every page has the hash that the code signature states. PE: false. Undefined without a signature. */
  readonly signed?: boolean | undefined;
}

const MACHINES: Readonly<Record<number, string>> = { 62: "x64", 183: "arm64", 34404: "x64", 43620: "arm64" };
const MACH_PROCESSORS: Readonly<Record<number, string>> = { 16777223: "x64", 16777228: "arm64" };

/** Reads the headers of an executable. @throws Error for another format */
export function needsOf(file: Buffer, path: string): Needs {
  if (file.readUInt32BE(0) === 0x7f454c46) return elf(file, path);
  if (file.readUInt32LE(0) === 0xfeedfacf) return machO(file);
  if (file.toString("latin1", 0, 2) === "MZ") return pe(file);
  throw new Error("neither ELF, Mach-O nor PE");
}

function elf(file: Buffer, path: string): Needs {
  const text = execFileSync("readelf", ["--wide", "--program-headers", "--dynamic", path], { encoding: "utf8" });
  const [, loader] = /program interpreter: ([^\]]+)\]/.exec(text) ?? [];
  const libraries = [...text.matchAll(/\(NEEDED\)[^[]*\[([^\]]+)\]/g)].map(([, name = ""]) => name);
  return { format: "ELF", processor: MACHINES[file.readUInt16LE(18)], loader, libraries };
}

/** The headers of a 64-bit PE file (learn.microsoft.com, PE Format: optional header, import and delay-load directories). */
function pe(file: Buffer): Needs {
  const at = file.readUInt32LE(0x3c);
  if (file.toString("latin1", at, at + 4) !== "PE\0\0") throw new Error("an MZ file without a PE header");
  const optional = at + 24;
  if (file.readUInt16LE(optional) !== 0x20b) throw new Error("a PE file for 32 bits");
  const sections = optional + file.readUInt16LE(at + 20);
  const count = file.readUInt16LE(at + 6);
  const placeOf = (address: number) => {
    for (let section = sections; section < sections + count * 40; section += 40) {
      const start = file.readUInt32LE(section + 12);
      if (address < start || address >= start + file.readUInt32LE(section + 16)) continue;
      return address - start + file.readUInt32LE(section + 20);
    }
    throw new Error(`no section of the PE file has the address ${address}`);
  };
  const directory = (index: number) => file.readUInt32LE(optional + 112 + index * 8);
  const libraries: string[] = [];
  for (const { index, size, field } of [
    { index: 1, size: 20, field: 12 },
    { index: 13, size: 32, field: 4 },
  ]) {
    if (directory(index) === 0) continue;
    for (let entry = placeOf(directory(index)); file.readUInt32LE(entry + field) !== 0; entry += size) {
      const name = placeOf(file.readUInt32LE(entry + field));
      libraries.push(file.toString("latin1", name, file.indexOf(0, name)).toLowerCase());
    }
  }
  // The files are not signed for Windows; one of Bun's signatures would no longer fit.
  const signed = directory(4) === 0 ? undefined : false;
  return { format: "PE", processor: MACHINES[file.readUInt16LE(at + 4)], libraries, signed };
}

function machO(file: Buffer): Needs {
  const libraries: string[] = [];
  let signed: boolean | undefined;
  let at = 32;
  for (let left = file.readUInt32LE(16); left > 0; left--) {
    const command = file.readUInt32LE(at);
    if (command === 0xc) {
      const name = file.subarray(at + file.readUInt32LE(at + 8), at + file.readUInt32LE(at + 4)).toString("latin1");
      libraries.push(name.replace(/\0+$/, ""));
    }
    if (command === 0x1d) signed = pagesMatch(file, file.readUInt32LE(at + 8));
    at += file.readUInt32LE(at + 4);
  }
  return { format: "Mach-O", processor: MACH_PROCESSORS[file.readUInt32LE(4)], libraries, signed };
}

/** Compares the hashes of the code directory, the first part of the signature, with those of the pages. */
function pagesMatch(file: Buffer, signature: number): boolean {
  const directory = signature + file.readUInt32BE(signature + 16);
  if (file.readUInt32BE(directory) !== 0xfade0c02) return false;
  const [hashes, count, limit] = [16, 28, 32].map((field) => file.readUInt32BE(directory + field)) as [
    number,
    number,
    number,
  ];
  const page = 1 << file[directory + 39]!;
  for (let index = 0; index < count; index++) {
    const bytes = file.subarray(index * page, Math.min((index + 1) * page, limit));
    const stated = file.subarray(directory + hashes + index * 32, directory + hashes + (index + 1) * 32);
    if (!createHash("sha256").update(bytes).digest().equals(stated)) return false;
  }
  return count === Math.ceil(limit / page);
}
