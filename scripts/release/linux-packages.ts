import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { TOOLS } from "../tools.ts";
import { type Documents, type Installation, systemEntries } from "./contents.ts";
import { DESCRIPTION, HOMEPAGE, PROGRAM } from "./names.ts";

const NFPM = "v2.43.4";

interface Options {
  readonly version: string;
  readonly seconds: number;
  readonly maintainer: string;
}

/** Kinds of package by C library: Alpine's have musl. */
const KINDS = { glibc: ["deb", "rpm"], musl: ["apk"] } as const;

/** Returns nfpm (github.com/goreleaser/nfpm), which is compiled once from the Go module proxy into TSIGN_TOOLS. */
function nfpm(): string {
  const folder = join(TOOLS, `nfpm-${NFPM}`);
  const program = join(folder, "nfpm");
  if (existsSync(program)) return program;
  process.stderr.write("compiling nfpm: one to three minutes, once\n");
  const env = { ...process.env, GOBIN: folder, CGO_ENABLED: "0", GOFLAGS: "-trimpath", GOWORK: "off" };
  execFileSync("go", ["install", `github.com/goreleaser/nfpm/v2/cmd/nfpm@${NFPM}`], {
    env,
    stdio: ["ignore", "ignore", "inherit"],
  });
  return program;
}

/** Returns the packages for a platform as [file name, content]; none for systems other than Linux. */
export function linuxPackages(
  made: Installation,
  docs: Documents,
  options: Options,
): [name: string, content: Buffer][] {
  const [system, processor, libc = "glibc"] = made.platform.split("-");
  if (system !== "linux") return [];
  const work = mkdtempSync(join(tmpdir(), "tsign-packages-"));
  try {
    const config = join(work, "nfpm.json");
    writeFileSync(config, JSON.stringify(configuration(work, made, docs, options)));
    const env = { ...process.env, SOURCE_DATE_EPOCH: String(options.seconds), TZ: "UTC" };
    return KINDS[libc === "musl" ? "musl" : "glibc"].map((kind) => {
      const name = `${PROGRAM}-${options.version}-linux-${processor}.${kind}`;
      const target = join(work, name);
      execFileSync(nfpm(), ["package", "--config", config, "--packager", kind, "--target", target], {
        env,
        stdio: ["ignore", "ignore", "inherit"],
      });
      return [name, readFileSync(target)];
    });
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** The folders that belong to the program alone; rpm removes only those that the package names. */
function ownFolders(paths: readonly string[]): string[] {
  const found = new Set<string>();
  for (const path of paths) {
    for (let folder = dirname(path); folder.includes(`/${PROGRAM}`); folder = dirname(folder)) found.add(folder);
  }
  return [...found].sort();
}

/** Writes the files into a folder and returns the description that nfpm reads (JSON is YAML). */
function configuration(work: string, made: Installation, docs: Documents, { version, seconds, maintainer }: Options) {
  const mtime = new Date(seconds * 1000).toISOString();
  const entries = systemEntries(made, docs);
  const files = entries.map(({ path, content, mode = 0o644, link }) => {
    if (link !== undefined) return { src: link, dst: `/${path}`, type: "symlink", file_info: { mtime } };
    const src = join(work, "root", path);
    mkdirSync(dirname(src), { recursive: true });
    writeFileSync(src, content);
    utimesSync(src, seconds, seconds);
    return { src, dst: `/${path}`, file_info: { mode, mtime } };
  });
  const folders = ownFolders(entries.map(({ path }) => path));
  const contents = [
    ...folders.map((path) => ({ dst: `/${path}`, type: "dir", file_info: { mode: 0o755, mtime } })),
    ...files,
  ];
  const musl = made.platform.endsWith("-musl");
  return {
    name: PROGRAM,
    arch: made.platform.includes("arm64") ? "arm64" : "amd64",
    platform: "linux",
    version,
    mtime,
    section: "utils",
    priority: "optional",
    maintainer,
    description: DESCRIPTION,
    homepage: HOMEPAGE,
    license: "Apache-2.0",
    contents,
    depends: musl ? ["libstdc++", "libgcc"] : [],
    recommends: ["ca-certificates"],
    overrides: { deb: { depends: ["libc6 (>= 2.17)"] }, rpm: { depends: ["glibc >= 2.17"] } },
    rpm: { buildhost: "localhost", packager: maintainer },
  };
}
