import { globSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { portableEngine } from "../policy-engine.ts";
import { type Entry, sha256, tarGz } from "./archive.ts";
import { type Documents, type Installation, programEntries } from "./contents.ts";
import { DESCRIPTION, NPM_NAME, npmPlatformName, PROGRAM } from "./names.ts";

const ROOT = resolve(import.meta.dirname, "../..");

interface Manifest {
  readonly version: string;
  readonly engines: Readonly<Record<string, string>>;
  readonly exports: unknown;
  readonly types: string;
  readonly license: string;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly peerDependencies: unknown;
  readonly peerDependenciesMeta: unknown;
}

/** Returns the npm package for one platform: the executable and its engine, which npm installs only where they run. */
export function platformPackage(
  made: Installation,
  docs: Documents,
  release: { version: string; seconds: number },
): Buffer {
  const { platform } = made;
  const [system = "", cpu = "", libc] = platform.split("-");
  const manifest = {
    name: npmPlatformName(platform),
    version: release.version,
    description: `${DESCRIPTION} (the executable for ${platform})`,
    license: "Apache-2.0",
    os: [system === "windows" ? "win32" : system],
    cpu: [cpu],
    ...(system === "linux" ? { libc: [libc === "musl" ? "musl" : "glibc"] } : {}),
    preferUnplugged: true,
  };
  return npmTarball(release.seconds, [json("package.json", manifest), ...programEntries(made, docs)]);
}

/**
 * Returns the npm package with the launcher, the library, and the program as JavaScript for platforms without an executable.
 *
 * @param made the executables of the release, whose digests the launcher compares before it starts one
 * @param release.built folder with the built program and library
 */
export async function mainPackage(
  made: readonly Installation[],
  docs: Documents,
  release: { version: string; seconds: number; built: string },
): Promise<Buffer> {
  const manifest = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as Manifest;
  const packages = Object.fromEntries(made.map(({ platform }) => [npmPlatformName(platform), release.version]));
  const digests = Object.fromEntries(
    made.map(({ platform, program, executable }) => {
      return [platform, { package: npmPlatformName(platform), program, sha256: sha256(executable) }];
    }),
  );
  const { built } = release;
  const { dependencies, ...kept } = published(manifest, built);
  const files = globSync(["*.mjs", "lib/**/*.mjs", "types/**/*.d.ts"], { cwd: built });
  return npmTarball(release.seconds, [
    json("package.json", {
      name: NPM_NAME,
      version: release.version,
      description: DESCRIPTION,
      ...kept,
      bin: { [PROGRAM]: "bin/tsign.cjs" },
      man: docs.man.map(({ path }) => `./man/${path}`),
      dependencies,
      optionalDependencies: packages,
    }),
    json("bin/executables.json", digests),
    { path: "bin/tsign.cjs", content: readFileSync(join(ROOT, "bin/tsign.cjs")), mode: 0o755 },
    ...files.map((path) => ({ path: `dist/${path}`, content: readFileSync(join(built, path)) })),
    ...(await portableEngine()).map(({ path, content }) => ({ path: `dist/policy/${path}`, content })),
    ...docs.man.map(({ path, content }) => ({ path: `man/${path}`, content })),
    { path: "LICENSE", content: docs.licence },
    { path: "THIRD-PARTY-LICENSES.txt", content: docs.thirdParty },
    { path: "README.md", content: readFileSync(join(ROOT, "README.md")) },
    { path: "CHANGELOG.md", content: readFileSync(join(ROOT, "CHANGELOG.md")) },
  ]);
}

/** The fields of package.json that are published. Node 20 may install the package: the launcher needs no more. */
function published(manifest: Manifest, built: string) {
  const { exports, types, license, dependencies, peerDependencies, peerDependenciesMeta } = manifest;
  const imported = new Set<string>();
  for (const path of globSync("{lib,types}/**/*.{mjs,d.ts}", { cwd: built })) {
    const text = readFileSync(join(built, path), "utf8");
    for (const [, name = ""] of text.matchAll(/(?:\bfrom |\bimport\(|\bimport )"((?:@[^/"]+\/)?[^/"]+)/g))
      imported.add(name);
  }
  const named = Object.entries(dependencies).filter(([name]) => imported.has(name));
  return {
    license,
    type: "module",
    engines: { node: ">=20" },
    exports,
    types,
    dependencies: Object.fromEntries(named),
    peerDependencies,
    peerDependenciesMeta,
  };
}

function json(path: string, value: unknown): Entry {
  return { path, content: Buffer.from(`${JSON.stringify(value, null, 2)}\n`) };
}

function npmTarball(seconds: number, entries: readonly Entry[]): Buffer {
  return tarGz(
    entries.map((entry) => ({ ...entry, path: `package/${entry.path}` })),
    seconds,
  );
}
