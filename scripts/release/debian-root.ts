import { execFileSync } from "node:child_process";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { TOOLS } from "../tools.ts";
import { type Entry, sha256 } from "./archive.ts";
import type { Component } from "./components.ts";

/** Debian's architectures by tsign's processors. */
const ARCHITECTURES = { x64: "amd64", arm64: "arm64" } as const;
export type Processor = keyof typeof ARCHITECTURES;

/** Debian 12's packages that the image is made of, with the digests of their files. `apt-cache show` prints those of newer ones. */
const PACKAGES: readonly { name: string; version: string; digests: Readonly<Record<Processor, string>> }[] = [
  {
    name: "libc6",
    version: "2.36-9+deb12u14",
    digests: {
      x64: "ba4f88f73dbc3ae9055f3c20f4523bfdbaf1ad13ff95e258924f77d20b4fbedf",
      arm64: "01f4330719fd4f65580e16ea5a0527f372fca750e8f588d26deaf09f2d3b1cf4",
    },
  },
  {
    name: "ca-certificates",
    version: "20250419~deb12u2",
    digests: {
      x64: "b9f76b5271a7ac373fd5e7e1b5b826a71ddd702b42a0d104955ecb1acfffc94b",
      arm64: "b9f76b5271a7ac373fd5e7e1b5b826a71ddd702b42a0d104955ecb1acfffc94b",
    },
  },
];

/** The loader, the parts of the C library that the program is linked with, and what it looks names up with. */
const LIBRARIES = /(^|\/)(ld-linux-[^/]+|lib(c|m|dl|rt|pthread|resolv|nss_dns|nss_files)\.so\.\d+)$/;
/** User and group of the image, the number that distroless images have. */
export const NONROOT = 65532;

interface Source {
  readonly processor: Processor;
  /** Takes the current version of a package whose pinned one is not served any more. */
  readonly currentDebian: boolean;
}

/**
 * Returns the files of a minimal root: C library, CA certificates, a user, and folders for temporary files and the user's home;
 * and the packages that they are from.
 *
 * @throws Error when a package is not served any more, or has another digest
 */
export function debianRoot(source: Source): { entries: Entry[]; parts: Component[] } {
  const packages = PACKAGES.map((each) => downloaded(each, source));
  const [libc, certificates] = packages.map(extracted);
  const libraries = (libc ?? []).filter(({ path }) => LIBRARIES.test(path));
  const roots = (certificates ?? []).filter(({ path }) => path.endsWith(".crt"));
  if (libraries.length < 8 || roots.length < 50) throw new Error("make image: files are missing in Debian's packages");
  const copyrights = [...(libc ?? []), ...(certificates ?? [])].filter(({ path }) => path.endsWith("/copyright"));
  const text = (path: string, content: string): Entry => ({ path, content: Buffer.from(content) });
  const folder = (path: string, mode: number, owner = 0): Entry => ({ path, content: Buffer.alloc(0), mode, owner });
  const entries = [
    ...libraries,
    ...copyrights,
    { path: "etc/ssl/certs/ca-certificates.crt", content: Buffer.concat(roots.map(({ content }) => content)) },
    text(
      "etc/passwd",
      `root:x:0:0:root:/:/sbin/nologin\nnonroot:x:${NONROOT}:${NONROOT}:nonroot:/home/nonroot:/sbin/nologin\n`,
    ),
    text("etc/group", `root:x:0:\nnonroot:x:${NONROOT}:\n`),
    text("etc/nsswitch.conf", "hosts: files dns\n"),
    folder("tmp/", 0o1777),
    folder("home/nonroot/", 0o700, NONROOT),
  ];
  return { entries, parts: packages.map(component) };
}

/** What a package's file says of itself. */
function component(file: string): Component {
  const field = (name: string) => execFileSync("dpkg-deb", ["--field", file, name], { encoding: "utf8" }).trim();
  const [name, version, architecture] = [field("Package"), field("Version"), field("Architecture")];
  return { name, version, kind: "deb", architecture, license: "NOASSERTION", texts: [] };
}

/** The files of a package, with paths relative to `/`. */
function extracted(file: string): Entry[] {
  const folder = mkdtempSync(join(tmpdir(), "tsign-debian-"));
  try {
    execFileSync("dpkg-deb", ["--extract", file, folder]);
    const found: Entry[] = [];
    for (const { name, parentPath } of readdirSync(folder, { recursive: true, withFileTypes: true })) {
      const place = join(parentPath, name);
      const stat = lstatSync(place);
      const path = relative(folder, place);
      if (stat.isSymbolicLink()) found.push({ path, content: Buffer.alloc(0), mode: 0o777, link: readlinkSync(place) });
      else if (stat.isFile()) found.push({ path, content: readFileSync(place), mode: stat.mode & 0o777 });
    }
    return found.sort((a, b) => (a.path < b.path ? -1 : 1));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Returns a package's file from TSIGN_TOOLS, where apt puts it the first time. */
function downloaded({ name, version, digests }: (typeof PACKAGES)[number], source: Source): string {
  const pinned = digests[source.processor];
  const kept = join(TOOLS, "debian");
  if (existsSync(join(kept, `${pinned}.deb`))) return join(kept, `${pinned}.deb`);
  const work = mkdtempSync(join(tmpdir(), "tsign-apt-"));
  try {
    const apt = aptIn(work, source.processor);
    apt("update");
    let current = false;
    try {
      apt("download", `${name}=${version}`);
    } catch (error) {
      if (!source.currentDebian) throw error;
      process.stderr.write(`${name} ${version} is not served; taking the current version\n`);
      current = true;
      apt("download", name);
    }
    const made = join(work, readdirSync(work).find((each) => each.endsWith(".deb")) ?? "");
    const actual = sha256(readFileSync(made));
    if (actual !== pinned && !current) throw new Error(`${made}: sha256 mismatch: got ${actual}, want ${pinned}`);
    const file = join(kept, `${actual}.deb`);
    mkdirSync(kept, { recursive: true });
    execFileSync("cp", [made, `${file}.new`]);
    renameSync(`${file}.new`, file);
    return file;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Returns a function that runs apt-get with lists of its own in a folder. apt compares what it downloads with Debian's signed index. */
function aptIn(work: string, processor: Processor): (...args: readonly string[]) => void {
  for (const folder of ["state/lists/partial", "cache/archives/partial"])
    mkdirSync(join(work, folder), { recursive: true });
  const settings = {
    "Dir::State": join(work, "state"),
    "Dir::Cache": join(work, "cache"),
    "Dir::State::status": "/dev/null",
    "APT::Architecture": ARCHITECTURES[processor],
    "APT::Architectures": ARCHITECTURES[processor],
    "APT::Sandbox::User": "root",
    "APT::Get::AllowUnauthenticated": "false",
    "Acquire::AllowInsecureRepositories": "false",
  };
  const flags = Object.entries(settings).flatMap(([key, value]) => ["-o", `${key}=${value}`]);
  return (...args) => {
    execFileSync("apt-get", [...flags, "-qq", ...args], { cwd: work, stdio: ["ignore", "ignore", "inherit"] });
  };
}
