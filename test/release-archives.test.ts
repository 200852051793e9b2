import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { lstatSync, readFileSync, readlinkSync, statSync, writeFileSync } from "node:fs";
import { join, matchesGlob } from "node:path";
import { test } from "node:test";
import { crc32, inflateRawSync } from "node:zlib";
import { tarGz, ZIP_TIMES, zip } from "../scripts/release/archive.ts";
import { homebrewFormula, scoopManifest } from "../scripts/release/formulas.ts";
import { installers } from "../scripts/release/installers.ts";
import { releaseTime } from "../scripts/release/release.ts";
import { cyclonedx, spdx } from "../scripts/release/sbom.ts";
import { signingFlags } from "../scripts/release/sign.ts";
import { temporaryFolder } from "./support/test-io.ts";

const SECONDS = 1_700_000_000;
const long = `${"folder/".repeat(16)}${"n".repeat(90)}`;
const entries = [
  { path: "a/program", content: Buffer.alloc(5000, "p"), mode: 0o755 },
  { path: "a/empty", content: Buffer.alloc(0) },
  { path: long, content: Buffer.from("long") },
];

test("tarGz: the same entries in any order -> the same bytes, which tar unpacks", (t) => {
  const cwd = temporaryFolder(t);
  const link = { path: "a/link", content: Buffer.alloc(0), mode: 0o777, link: "program" };
  const packed = tarGz([...entries, link, { path: "b/", content: Buffer.alloc(0), mode: 0o700 }], SECONDS);
  const again = tarGz([{ path: "b/", content: Buffer.alloc(0), mode: 0o700 }, link, ...entries.toReversed()], SECONDS);
  assert.ok(packed.equals(again));
  writeFileSync(join(cwd, "x.tar.gz"), packed);
  execFileSync("tar", ["-xzf", "x.tar.gz"], { cwd });
  for (const { path, content } of entries) assert.ok(readFileSync(join(cwd, path)).equals(content), path);
  assert.equal(statSync(join(cwd, "a/program")).mode & 0o777, 0o755);
  assert.equal(statSync(join(cwd, "a/empty")).mtimeMs, SECONDS * 1000);
  assert.equal(readlinkSync(join(cwd, "a/link")), "program");
  assert.ok(lstatSync(join(cwd, "b")).isDirectory());
  assert.throws(() => tarGz([{ path: "n".repeat(101), content: Buffer.alloc(0) }], SECONDS), /path too long/);
});

/** Reads a zip archive by its directory, which is at its end. */
function unzip(packed: Buffer): Map<string, Buffer> {
  const end = packed.subarray(-22);
  const found = new Map<string, Buffer>();
  let at = end.readUInt32LE(16);
  for (let left = end.readUInt16LE(10); left > 0; left--) {
    assert.equal(packed.readUInt32LE(at), 0x02014b50);
    const nameLength = packed.readUInt16LE(at + 28);
    const name = packed.toString("utf8", at + 46, at + 46 + nameLength);
    const file = packed.readUInt32LE(at + 42);
    assert.equal(packed.readUInt32LE(file), 0x04034b50);
    const data = file + 30 + packed.readUInt16LE(file + 26) + packed.readUInt16LE(file + 28);
    const content = inflateRawSync(packed.subarray(data, data + packed.readUInt32LE(at + 20)));
    assert.equal(content.length, packed.readUInt32LE(at + 24));
    assert.equal(crc32(content), packed.readUInt32LE(at + 16));
    found.set(name, content);
    at += 46 + nameLength;
  }
  return found;
}

test("zip: the same entries in any order -> the same bytes, with the content of each", () => {
  const packed = zip(entries, SECONDS);
  assert.ok(packed.equals(zip(entries.toReversed(), SECONDS)));
  const found = unzip(packed);
  assert.equal(found.size, entries.length);
  for (const { path, content } of entries) assert.ok(found.get(path)?.equals(content), path);
});

test("zip: a time that the format cannot have -> the nearest one", () => {
  const dated = (seconds: number) => {
    const packed = zip(entries.slice(0, 1), seconds);
    const [time, date] = [packed.readUInt16LE(10), packed.readUInt16LE(12)];
    const parts = [1980 + (date >> 9), (date >> 5) & 15, date & 31, time >> 11, (time >> 5) & 63, (time & 31) * 2];
    return new Date(Date.UTC(parts[0]!, parts[1]! - 1, ...parts.slice(2))).toISOString();
  };
  assert.equal(dated(SECONDS), "2023-11-14T22:13:20.000Z");
  for (const seconds of [0, ZIP_TIMES.first - 1, ZIP_TIMES.first])
    assert.equal(dated(seconds), "1980-01-01T00:00:00.000Z");
  for (const seconds of [ZIP_TIMES.last, 8_000_000_000]) assert.equal(dated(seconds), "2107-12-31T23:59:58.000Z");
});

test("releaseTime: seconds, else the commit's date; something else -> refused; a word when zip cannot have it", (t) => {
  const said = t.mock.method(process.stderr, "write", () => true);
  assert.equal(releaseTime(String(SECONDS)), SECONDS);
  assert.ok(releaseTime(undefined) > SECONDS);
  assert.equal(said.mock.callCount(), 0);
  assert.equal(releaseTime("0"), 0);
  assert.match(
    String(said.mock.calls[0]?.arguments[0]),
    /^SOURCE_DATE_EPOCH 0: a zip archive has no times before 1980/,
  );
  assert.equal(releaseTime("8000000000"), 8_000_000_000);
  assert.match(String(said.mock.calls[1]?.arguments[0]), /no times after 2107; it gets 2107-12-31/);
  for (const text of ["", "x", "-1", "1.5", "1e9", "9999999999"])
    assert.throws(() => releaseTime(text), /^Error: read SOURCE_DATE_EPOCH: got ".*", want seconds since 1970$/);
});

test("npm pack of a clone: the JavaScript, and no executable", () => {
  const { files } = JSON.parse(readFileSync(join(import.meta.dirname, "../package.json"), "utf8")) as {
    files: string[];
  };
  const packed = (path: string) =>
    files.some((each) => path === each || path.startsWith(`${each}/`) || matchesGlob(path, each));
  for (const path of ["dist/main.mjs", "dist/lib/index.mjs", "dist/types/lib/index.d.ts", "dist/policy/run.cjs"])
    assert.ok(packed(path), path);
  for (const path of ["dist/tsign", "dist/tsign.exe", "dist/linux-arm64/tsign", "dist/cache/x"])
    assert.ok(!packed(path), path);
});

test("formula, manifest and installers contain the digests of the archives", () => {
  const archives = ["linux-x64", "darwin-arm64", "windows-x64"].map((platform) => ({
    platform,
    name: `tsign-1.0.0-${platform}.${platform.startsWith("windows") ? "zip" : "tar.gz"}`,
    content: Buffer.from(platform),
  }));
  const release = { version: "1.0.0", baseUrl: "https://example.com/v1.0.0" };
  const digests = archives.map(({ content }) => createHash("sha256").update(content).digest("hex"));
  const formula = homebrewFormula(archives, release);
  for (const index of [0, 1]) {
    assert.ok(formula.includes(`url "${release.baseUrl}/${archives[index]?.name}"\n      sha256 "${digests[index]}"`));
  }
  assert.equal(JSON.parse(scoopManifest(archives, release) ?? "").architecture["64bit"].hash, digests[2]);
  assert.equal(scoopManifest(archives.slice(0, 2), release), undefined);
  const files = new Map(installers(archives, release));
  const script = files.get("install.sh") ?? "";
  for (const [index, { platform, name }] of archives.entries()) {
    assert.ok(script.includes(`  ${platform}) archive='${name}' digest=${digests[index]} ;;`));
  }
  const component = files.get("gitlab-component.yml") ?? "";
  assert.ok(component.includes(createHash("sha256").update(script).digest("hex")));
  for (const [name, text] of files) assert.doesNotMatch(text, /@[A-Z_]+@/, name);
});

test("SBOMs: every component, once, with its package URL; identifiers are unique", () => {
  const parts = [
    { name: "@scope/one", version: "1.0.0", kind: "npm", license: "MIT", texts: [] },
    { name: "example.com/two/v2", version: "v2.0.0+incompatible", kind: "golang", license: "NOASSERTION", texts: [] },
    { name: "bun", version: "1.4.5", kind: "runtime", license: "MIT AND LGPL-2.0-or-later", texts: [] },
  ] as const;
  const subject = { version: "1.0.0", seconds: SECONDS, commit: "a".repeat(40) };
  const urls = [
    "pkg:npm/%40scope/one@1.0.0",
    "pkg:golang/example.com/two/v2@v2.0.0%2Bincompatible",
    "pkg:generic/bun@1.4.5",
  ];
  const { packages } = JSON.parse(spdx(parts, subject));
  assert.deepEqual(
    packages
      .slice(1)
      .map((each: { externalRefs: { referenceLocator: string }[] }) => each.externalRefs[0]?.referenceLocator),
    urls,
  );
  assert.equal(new Set(packages.map(({ SPDXID }: { SPDXID: string }) => SPDXID)).size, 4);
  const { components, serialNumber } = JSON.parse(cyclonedx(parts, subject));
  assert.deepEqual(
    components.map(({ purl }: { purl: string }) => purl),
    urls,
  );
  assert.match(serialNumber, /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/);
});

test("signingFlags: a key, else an identity, else nothing is signed", () => {
  assert.deepEqual(signingFlags("k.key", {})?.slice(0, 2), ["--key", "k.key"]);
  assert.deepEqual(signingFlags(undefined, { SIGSTORE_ID_TOKEN: "t" }), ["--yes", "--quiet"]);
  assert.equal(signingFlags(undefined, { SIGSTORE_ID_TOKEN: "" }), undefined);
});
