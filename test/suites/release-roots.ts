import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { TOOLS } from "../../scripts/tools.ts";

/** Package managers of other distributions, and a root with musl, made from what Debian and PyPI serve, and kept in TSIGN_TOOLS. */

/** Fills a folder of TSIGN_TOOLS once. */
function kept(name: string, fill: (folder: string) => void): string {
  const folder = join(TOOLS, name);
  if (existsSync(folder)) return folder;
  mkdirSync(dirname(folder), { recursive: true });
  const work = mkdtempSync(`${folder}.`);
  try {
    fill(work);
    renameSync(work, folder);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return folder;
}

/** Runs apt-get with lists and downloads of its own; apt compares packages with Debian's signed index. */
function apt(work: string, settings: Readonly<Record<string, string>>, ...commands: readonly string[][]): void {
  for (const folder of ["state/lists/partial", "cache/archives/partial"])
    mkdirSync(join(work, folder), { recursive: true });
  const all = {
    "Dir::State::lists": join(work, "state/lists"),
    "Dir::Cache": join(work, "cache"),
    "APT::Sandbox::User": "root",
    ...settings,
  };
  const flags = Object.entries(all).flatMap(([key, value]) => ["-o", `${key}=${value}`]);
  for (const command of [["update"], ...commands])
    execFileSync("apt-get", [...flags, "-qq", ...command], { cwd: work, stdio: ["ignore", "ignore", "inherit"] });
}

/** Unpacks a package of Debian, with what it needs and this machine lacks. It is not installed here. */
function unpackedPackage(name: string): string {
  return kept(name, (root) => {
    const work = mkdtempSync(join(tmpdir(), "tsign-apt-"));
    try {
      apt(work, {}, ["install", "--yes", "--no-install-recommends", "--download-only", name]);
      for (const file of globSync("cache/archives/*.deb", { cwd: work }))
        execFileSync("dpkg-deb", ["--extract", join(work, file), root]);
    } finally {
      rmSync(work, { recursive: true, force: true });
    }
  });
}

/** Returns a function that runs Debian's rpm. */
export function rpmProgram(): (...args: readonly string[]) => {
  status: number | null;
  stdout: string;
  stderr: string;
} {
  const folder = unpackedPackage("rpm");
  const [library = ""] = globSync("usr/lib/*-linux-gnu", { cwd: folder });
  const env = { LD_LIBRARY_PATH: join(folder, library), RPM_CONFIGDIR: join(folder, "usr/lib/rpm") };
  return (...args) => spawnSync(join(folder, "usr/bin/rpm"), args, { encoding: "utf8", env });
}

/** Path of a program that runs programs for 64-bit ARM: this machine's, or Debian's. */
export function armEmulator(): string {
  const own = spawnSync("sh", ["-c", "command -v qemu-aarch64-static"], { encoding: "utf8" }).stdout.trim();
  return own === "" ? join(unpackedPackage("qemu-user-static"), "usr/bin/qemu-aarch64-static") : own;
}

/**
 * A package of PyPI whose files for musl contain the C++ library of Alpine, which nobody else serves. Digests of the files by
 * processor.
 */
const WHEEL = {
  name: "greenlet==3.5.6",
  x64: {
    machine: "x86_64",
    debian: "amd64",
    digest: "3dbb4596a6a4e5d47121a33ff20533a81e60f302d9e67b69909a8bc21a43f0a7",
  },
  arm64: {
    machine: "aarch64",
    debian: "arm64",
    digest: "0616b8f878098c5681fd8f0dc92d887551717402342a70f0abcbfea5f5ad8a44",
  },
} as const;

/** Returns a root with musl and the C++ library, which is all that the executable for musl needs. It is copied, not changed. */
export function muslRoot(processor: "x64" | "arm64"): string {
  const { machine, debian, digest } = WHEEL[processor];
  return kept(`musl-root-${processor}`, (root) => {
    const work = mkdtempSync(join(tmpdir(), "tsign-musl-"));
    try {
      // Debian 12's musl does not know the relocations that Alpine's library has.
      execFileSync("sh", ["-c", 'echo "deb http://deb.debian.org/debian trixie main" >sources.list'], { cwd: work });
      const sources = { "Dir::Etc::SourceList": join(work, "sources.list"), "Dir::Etc::SourceParts": "/dev/null" };
      const own = { "Dir::State::status": "/dev/null", "APT::Architecture": debian, "APT::Architectures": debian };
      apt(work, { ...sources, ...own }, ["download", "musl"]);
      const [packed = ""] = globSync("musl_*.deb", { cwd: work });
      execFileSync("dpkg-deb", ["--extract", packed, "musl"], { cwd: work });
      const platform = ["--platform", `musllinux_1_2_${machine}`, "--python-version", "3.12", "--only-binary=:all:"];
      const pip = ["-m", "pip", "download", "--quiet", "--no-deps", ...platform, WHEEL.name];
      execFileSync("python3", pip, { cwd: work, stdio: ["ignore", "ignore", "inherit"] });
      const [wheel = ""] = globSync("*.whl", { cwd: work });
      const actual = createHash("sha256")
        .update(readFileSync(join(work, wheel)))
        .digest("hex");
      if (actual !== digest) throw new Error(`${wheel}: sha256 mismatch: got ${actual}, want ${digest}`);
      execFileSync("unzip", ["-q", wheel, "*.libs/*"], { cwd: work });
      for (const folder of ["lib", "usr/lib", "dev"]) mkdirSync(join(root, folder), { recursive: true });
      mkdirSync(join(root, "proc"), { mode: 0o555 });
      const loader = `ld-musl-${machine}.so.1`;
      cpSync(join(work, "musl/usr/lib", `${machine}-linux-musl`, "libc.so"), join(root, "lib", loader));
      symlinkSync(loader, join(root, `lib/libc.musl-${machine}.so.1`));
      for (const path of globSync("*.libs/*", { cwd: work })) {
        const name = path.replace(/^.*\//, "");
        cpSync(join(work, path), join(root, "usr/lib", name.startsWith("libstdc++") ? "libstdc++.so.6" : name));
      }
    } finally {
      rmSync(work, { recursive: true, force: true });
    }
  });
}

/**
 * Returns what runs a program of a root there, with the current folder of the caller: `[...runner, program, ...args]`. The
 * program's path may start with the root's.
 */
export function insideRoot(root: string): string[] {
  const script = `root=$1 program=\${2#"$1"} && shift 2 && mkdir -p "$root$PWD" && mount -t proc proc "$root/proc" &&
    mount --bind /dev "$root/dev" && mount --bind "$PWD" "$root$PWD" && exec unshare --root="$root" --wd="$PWD" "$program" "$@"`;
  return ["unshare", "--mount", "sh", "-c", script, "sh", root];
}
