import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Entry } from "./archive.ts";
import { PROGRAM } from "./names.ts";

const ROOT = resolve(import.meta.dirname, "../..");

/** What is installed on a platform. */
export interface Installation {
  readonly platform: string;
  /** File name of the executable, with `.exe` on Windows. */
  readonly program: string;
  readonly executable: Buffer;
  /** The policy engine; undefined when the release is built without it. */
  readonly engine: Buffer | undefined;
}

/** The files that belong to the program on every platform. */
export interface Documents {
  readonly man: readonly Entry[];
  readonly completions: readonly Entry[];
  readonly licence: Buffer;
  readonly thirdParty: Buffer;
}

const SHELLS: readonly [shell: string, file: string][] = [
  ["bash", `${PROGRAM}.bash`],
  ["zsh", `_${PROGRAM}`],
  ["fish", `${PROGRAM}.fish`],
  ["powershell", `${PROGRAM}.ps1`],
];

/** Reads the manual pages, makes the completions, and takes the licences of the components. */
export function documents(thirdParty: string): Documents {
  const man = readdirSync(join(ROOT, "docs/man"))
    .filter((name) => name.endsWith(".1"))
    .map((name) => ({ path: name, content: readFileSync(join(ROOT, "docs/man", name)) }));
  const completions = SHELLS.map(([shell, path]) => ({
    path,
    content: execFileSync(process.execPath, [join(ROOT, "bin/main.ts"), "completion", shell]),
  }));
  const licence = readFileSync(join(ROOT, "LICENSE"));
  return { man, completions, licence, thirdParty: Buffer.from(thirdParty) };
}

/** Returns the executable with the engine beside it, and the licences. */
export function programEntries({ program, executable, engine }: Installation, docs: Documents): Entry[] {
  const engineName = program.endsWith(".exe") ? "engine.exe" : "engine";
  return [
    { path: program, content: executable, mode: 0o755 },
    ...(engine === undefined ? [] : [{ path: `policy/${engineName}`, content: engine, mode: 0o755 }]),
    { path: "LICENSE", content: docs.licence },
    { path: "THIRD-PARTY-LICENSES.txt", content: docs.thirdParty },
  ];
}

/** Returns the entries of an archive: one folder with the executable, the engine beside it, and the documents. */
export function archiveEntries(folder: string, made: Installation, docs: Documents): Entry[] {
  const entries = [
    ...programEntries(made, docs),
    ...docs.man.map((entry) => ({ ...entry, path: `man/man1/${entry.path}` })),
    ...docs.completions.map((entry) => ({ ...entry, path: `completions/${entry.path}` })),
  ];
  return entries.map((entry) => ({ ...entry, path: `${folder}/${entry.path}` }));
}

/**
 * Returns the entries of a Linux installation below `/`: the program in usr/lib/tsign with the engine beside it, a link in
 * usr/bin, and the documents where the distributions have them.
 */
export function systemEntries({ executable, engine }: Installation, docs: Documents): Entry[] {
  const folder = `usr/lib/${PROGRAM}`;
  const places: Readonly<Record<string, string>> = {
    [`${PROGRAM}.bash`]: `usr/share/bash-completion/completions/${PROGRAM}`,
    [`_${PROGRAM}`]: `usr/share/zsh/vendor-completions/_${PROGRAM}`,
    [`${PROGRAM}.fish`]: `usr/share/fish/vendor_completions.d/${PROGRAM}.fish`,
  };
  const completions = docs.completions.flatMap(({ path, content }) => {
    const place = places[path];
    return place === undefined ? [] : [{ path: place, content }];
  });
  return [
    { path: `${folder}/${PROGRAM}`, content: executable, mode: 0o755 },
    ...(engine === undefined ? [] : [{ path: `${folder}/policy/engine`, content: engine, mode: 0o755 }]),
    { path: `usr/bin/${PROGRAM}`, content: Buffer.alloc(0), mode: 0o777, link: `../lib/${PROGRAM}/${PROGRAM}` },
    {
      path: `usr/share/doc/${PROGRAM}/copyright`,
      content: Buffer.concat([docs.licence, Buffer.from("\n"), docs.thirdParty]),
    },
    ...docs.man.map(({ path, content }) => ({ path: `usr/share/man/man1/${path}`, content })),
    ...completions,
  ];
}
