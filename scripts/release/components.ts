import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { build } from "esbuild";
import { BUN_VERSION, bundleOptions } from "../executable.ts";

const ROOT = resolve(import.meta.dirname, "../..");

/** A part of the release that somebody else wrote. */
export interface Component {
  readonly name: string;
  readonly version: string;
  /** `deb` and `oci` are what the container image consists of besides the program: packages of Debian, or a base image. */
  readonly kind: "npm" | "golang" | "runtime" | "deb" | "oci";
  /** Debian's name of the processor, for `deb`. */
  readonly architecture?: string;
  /** Where the image comes from, without tag and digest, for `oci`; the version is its digest. */
  readonly repository?: string;
  /** An expression of SPDX; "NOASSERTION" when the package does not state one. */
  readonly license: string;
  /** The texts of its licence files. */
  readonly texts: readonly string[];
}

/** For packages that state this licence and do not contain its text. */
const APACHE = "Licensed under the Apache License, Version 2.0; its text is in the file LICENSE.";

/** Returns the components of a release, sorted by kind and name: npm packages, Go modules of the policy engine, and Bun. */
export async function components(): Promise<Component[]> {
  return [...(await npmPackages()), ...goModules(), runtime()];
}

/** The packages of which the bundler takes at least one file. */
async function npmPackages(): Promise<Component[]> {
  const { metafile } = await build({ ...bundleOptions, metafile: true });
  const folders = new Set<string>();
  for (const path of Object.keys(metafile.inputs)) {
    const [, folder] = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path) ?? [];
    if (folder !== undefined) folders.add(join(ROOT, folder));
  }
  return [...folders].sort().map((folder) => {
    const { name, version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    const found = licenceTexts(folder);
    const texts = found.length > 0 || license !== "Apache-2.0" ? found : [APACHE];
    return { name, version, kind: "npm" as const, license: license ?? recognized(texts), texts };
  });
}

function goModules(): Component[] {
  const template = "{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}} {{.Dir}}{{end}}{{end}}";
  const env = { ...process.env, GOFLAGS: "-mod=readonly", GOWORK: "off" };
  const cwd = join(ROOT, "policy-engine");
  const listed = execFileSync("go", ["list", "-deps", "-f", template, "."], { cwd, env, encoding: "utf8" });
  const modules = [...new Set(listed.split("\n"))].filter((line) => line !== "").sort();
  const library = execFileSync("go", ["env", "GOROOT", "GOVERSION"], { cwd, env, encoding: "utf8" }).trim().split("\n");
  return [...modules, `std ${library[1]} ${library[0]}`].map((line) => {
    const [name = "", version = "", folder = ""] = line.split(" ");
    const texts = licenceTexts(folder);
    return { name, version, kind: "golang" as const, license: recognized(texts), texts };
  });
}

/** Bun's packages contain no licence text; its documentation lists those of its parts. */
function runtime(): Component {
  const text = `Bun is available under the MIT licence. It links JavaScriptCore and other parts of WebKit statically, which are available
under the LGPL 2.0 or later and the BSD licence, and further libraries, BoringSSL, mimalloc, libarchive, zlib and others. Their
licences, and how to relink Bun with another version of WebKit, are on https://bun.com/docs/project/license`;
  return { name: "bun", version: BUN_VERSION, kind: "runtime", license: "MIT AND LGPL-2.0-or-later", texts: [text] };
}

function licenceTexts(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => /^(licen[cs]e|notice|copying)/i.test(name) && !/\.(js|ts)$/.test(name))
    .sort()
    .map((name) => readFileSync(join(folder, name), "utf8").trim());
}

/** The licence that a text is recognizably, by its first words. */
function recognized(texts: readonly string[]): string {
  const text = texts.join("\n");
  if (/Apache License\s+Version 2\.0/.test(text)) return "Apache-2.0";
  if (/Mozilla Public License,? (version|v\.) ?2\.0/i.test(text)) return "MPL-2.0";
  if (/Redistribution and use in source and binary forms/.test(text)) {
    return /Neither the name|names of its contributors/i.test(text) ? "BSD-3-Clause" : "BSD-2-Clause";
  }
  if (/Permission is hereby granted, free of charge/.test(text)) return "MIT";
  if (/Permission to use, copy, modify, and(\/or)? distribute/i.test(text)) return "ISC";
  return "NOASSERTION";
}

/** Returns the file with all licences. @throws Error when a component has no text */
export function licenceFile(parts: readonly Component[]): string {
  const silent = parts.filter(({ texts }) => texts.length === 0).map(({ name }) => name);
  if (silent.length > 0) throw new Error(`collect licences: no text in ${silent.join(", ")}`);
  const line = "=".repeat(80);
  return parts
    .map(
      ({ name, version, license, texts }) =>
        `${line}\n${name} ${version} (${license})\n${line}\n\n${texts.join("\n\n")}\n`,
    )
    .join("\n");
}
