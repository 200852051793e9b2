import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { buildExecutables, PLATFORMS } from "../executable.ts";
import { policyEngineFor } from "../policy-engine.ts";
import { buildProgram } from "../program.ts";
import { sha256, tarGz, ZIP_TIMES, zip } from "./archive.ts";
import { type Component, components, licenceFile } from "./components.ts";
import { archiveEntries, type Documents, documents, type Installation } from "./contents.ts";
import { type Archive, homebrewFormula, scoopManifest } from "./formulas.ts";
import { writeImages } from "./image.ts";
import { installers } from "./installers.ts";
import { linuxPackages } from "./linux-packages.ts";
import { DEFAULT_BASE_URL, DEFAULT_MAINTAINER, NPM_NAME, PROGRAM } from "./names.ts";
import { mainPackage, platformPackage } from "./npm.ts";
import { cyclonedx, provenance, spdx } from "./sbom.ts";
import { type Predicates, signFiles, signImages, signingFlags } from "./sign.ts";

const ROOT = resolve(import.meta.dirname, "../..");
/** Where the program is built: dist/ of the clone may be in use. Optional packages of the clone are found from there. */
const BUILT = join(ROOT, "release/.built");

const USAGE = `Usage: npm run release -- VERSION [flags]

Builds a release into release/VERSION. The same commit gives the same bytes.

      --platform P         build only for P (may be repeated); one of ${Object.keys(PLATFORMS).join(", ")}
      --key REF            key to sign with; without it, an identity token from the environment is used, or nothing is signed
      --base IMAGE         base of the container image; without it, a minimal root from Debian's packages
      --current-debian     take Debian's current packages for it where the pinned ones are no longer served
      --base-url URL       where the files will be downloaded from; VERSION in it stands for the version
      --maintainer M       maintainer of the Linux packages, as "Name <address>"
`;

/** What a release is made from. */
export interface Release {
  readonly version: string;
  /** Time of all files, in seconds since 1970: SOURCE_DATE_EPOCH, or the date of the commit. */
  readonly seconds: number;
  readonly folder: string;
  readonly baseUrl: string;
  readonly maintainer: string;
}

/** Reads the command line. @throws Error for a version that package.json does not have */
function settings() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      platform: { type: "string", multiple: true },
      key: { type: "string" },
      base: { type: "string" },
      "current-debian": { type: "boolean", default: false },
      "base-url": { type: "string", default: DEFAULT_BASE_URL },
      maintainer: { type: "string", default: DEFAULT_MAINTAINER },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  const [version = ""] = positionals;
  const { version: own } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { version: string };
  if (!values.help && version !== own)
    throw new Error(`version mismatch: got ${version || "none"}, want ${own}, the version in package.json`);
  const release: Release = {
    version,
    seconds: releaseTime(process.env["SOURCE_DATE_EPOCH"]),
    folder: join(ROOT, "release", version),
    baseUrl: values["base-url"].replaceAll("VERSION", version),
    maintainer: values.maintainer,
  };
  return { release, values, platforms: values.platform ?? Object.keys(PLATFORMS) };
}

/**
 * Returns the time of a release, in seconds since 1970, and says so when a zip archive cannot have it.
 *
 * @param given the value of SOURCE_DATE_EPOCH (reproducible-builds.org); without it, the date of the commit
 * @throws Error for another value than a number of seconds that tar can store
 */
export function releaseTime(given: string | undefined): number {
  const text = given ?? execFileSync("git", ["log", "-1", "--format=%ct"], { cwd: ROOT, encoding: "utf8" }).trim();
  if (!/^\d{1,10}$/.test(text) || Number(text) > 0o77777777777)
    throw new Error(`read SOURCE_DATE_EPOCH: got ${JSON.stringify(text)}, want seconds since 1970`);
  const seconds = Number(text);
  if (seconds < ZIP_TIMES.first)
    process.stderr.write(`SOURCE_DATE_EPOCH ${text}: a zip archive has no times before 1980; it gets 1980-01-01\n`);
  if (seconds > ZIP_TIMES.last)
    process.stderr.write(`SOURCE_DATE_EPOCH ${text}: a zip archive has no times after 2107; it gets 2107-12-31\n`);
  return seconds;
}

/** Builds the executable and the engine for each platform, and their archives and npm packages. */
async function buildPlatforms(release: Release, platforms: readonly string[], docs: Documents) {
  const made: Installation[] = [];
  const archives: Archive[] = [];
  const engines = new Map<string, Buffer>();
  for (const platform of platforms) engines.set(platform, readFileSync(await policyEngineFor(platform)));
  await buildExecutables(platforms, (platform, executable) => {
    const program = platform.startsWith("windows") ? `${PROGRAM}.exe` : PROGRAM;
    const installation = { platform, program, executable, engine: engines.get(platform) };
    const name = `${PROGRAM}-${release.version}-${platform}`;
    const entries = archiveEntries(name, installation, docs);
    const windows = platform.startsWith("windows");
    const content = windows ? zip(entries, release.seconds) : tarGz(entries, release.seconds);
    const archive = { platform, name: `${name}.${windows ? "zip" : "tar.gz"}`, content };
    save(release, archive.name, content);
    save(release, `${NPM_NAME}-${platform}-${release.version}.tgz`, platformPackage(installation, docs, release));
    for (const [file, packed] of linuxPackages(installation, docs, release)) save(release, file, packed);
    archives.push(archive);
    made.push(installation);
  });
  return { made, archives };
}

/** Writes a file of the release and prints its size. */
export function save({ folder }: Release, name: string, content: Uint8Array | string): void {
  writeFileSync(join(folder, name), content);
  const size = Buffer.byteLength(content);
  process.stderr.write(`${name}: ${size < 1e6 ? `${Math.ceil(size / 1e3)} kB` : `${(size / 1e6).toFixed(1)} MB`}\n`);
}

function fileNames({ folder }: Release): string[] {
  const entries = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isFile());
  return entries.map(({ name }) => name).sort();
}

/** Writes SHA256SUMS, as sha256sum prints them, for all files of the release. */
function writeSums(release: Release): void {
  const names = fileNames(release).filter((name) => name !== "SHA256SUMS");
  const sum = (name: string) => sha256(readFileSync(join(release.folder, name)));
  save(release, "SHA256SUMS", names.map((name) => `${sum(name)}  ${name}\n`).join(""));
}

async function main(): Promise<void> {
  const { release, values, platforms } = settings();
  if (values.help) {
    process.stdout.write(USAGE);
    return;
  }
  await buildProgram(BUILT);
  try {
    await make(release, platforms, { ...values, currentDebian: values["current-debian"] });
  } finally {
    rmSync(BUILT, { recursive: true });
  }
}

async function make(
  release: Release,
  platforms: readonly string[],
  options: { base?: string | undefined; currentDebian: boolean; key?: string | undefined },
): Promise<void> {
  rmSync(release.folder, { recursive: true, force: true });
  mkdirSync(release.folder, { recursive: true });
  const parts = await components();
  const docs = documents(licenceFile(parts));
  const { made, archives } = await buildPlatforms(release, platforms, docs);
  save(release, `${NPM_NAME}-${release.version}.tgz`, await mainPackage(made, docs, { ...release, built: BUILT }));
  save(release, `${PROGRAM}.rb`, homebrewFormula(archives, release));
  const scoop = scoopManifest(archives, release);
  if (scoop !== undefined) save(release, `${PROGRAM}.json`, scoop);
  for (const [name, content] of installers(archives, release)) save(release, name, content);
  const commit = execFileSync("git", ["rev-parse", "HEAD"], { cwd: ROOT, encoding: "utf8" }).trim();
  const layout = join(release.folder, `${PROGRAM}-${release.version}-image`);
  const images = await writeImages(layout, made, docs, { base: undefined, ...release, ...options, commit });
  const below = images?.parts ?? [];
  const predicates = writePredicates(release, parts, { commit, platforms, below });
  const signable = Object.entries(images?.digests ?? {}).map(([tag, digest]) => {
    const suffix = tag.slice(release.version.length);
    const own = suffix === "" ? parts : parts.filter(({ kind }) => kind !== "golang");
    const lists = writeLists(release, [...own, ...below], { commit, suffix: `-image${suffix}` });
    return { layout: `${layout}${suffix}`, digest, predicates: { ...predicates, ...lists } };
  });
  if (images !== undefined) save(release, `${basename(layout)}.json`, `${JSON.stringify(images.digests, null, 2)}\n`);
  writeSums(release);
  const flags = signingFlags(options.key, process.env);
  if (flags === undefined) {
    process.stderr.write("not signed: there is neither --key nor an identity token in the environment\n");
    return;
  }
  const signing = { program: join(BUILT, "main.mjs"), flags, folder: release.folder };
  await signFiles(signing, fileNames(release), predicates);
  await signImages(signing, signable);
}

/**
 * Writes the lists of components and the provenance, and returns their paths by type of predicate.
 *
 * @param about.below the parts of the container image below the program
 */
function writePredicates(
  release: Release,
  parts: readonly Component[],
  about: { commit: string; platforms: readonly string[]; below: readonly Component[] },
): Predicates {
  const { commit, platforms } = about;
  const name = `${PROGRAM}-${release.version}.provenance.json`;
  save(release, name, provenance([...parts, ...about.below], { ...release, commit }, { platforms }));
  return { slsaprovenance1: join(release.folder, name), ...writeLists(release, parts, { commit, suffix: "" }) };
}

/** Writes the lists of the components of the program, or of an image, as SPDX and CycloneDX, and returns their paths. */
function writeLists(release: Release, parts: readonly Component[], about: { commit: string; suffix: string }) {
  const name = `${PROGRAM}-${release.version}${about.suffix}`;
  save(release, `${name}.spdx.json`, spdx(parts, { ...release, ...about }));
  save(release, `${name}.cdx.json`, cyclonedx(parts, { ...release, ...about }));
  return { spdxjson: join(release.folder, `${name}.spdx.json`), cyclonedx: join(release.folder, `${name}.cdx.json`) };
}

if (import.meta.main) await main();
