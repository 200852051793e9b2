import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { flagValue } from "../../src/cli/help/flag-values.ts";
import { flagName } from "../../src/cli/parser/argv.ts";
import type { Command } from "../../src/cli/parser/define.ts";
import { TABLE } from "../../src/cli/table.ts";
import { loadCommand } from "../../src/commands.ts";
import { TsignError } from "../../src/errors.ts";
import { systemFiles } from "../../src/io/files.ts";
import type { HttpRequest, HttpResponse, Io } from "../../src/io/io.ts";

export interface EveryCommand {
  readonly name: string;
  readonly words: readonly string[];
  readonly command: Command;
}

/** All commands except those that start background programs. */
export async function everyCommand(): Promise<EveryCommand[]> {
  const loaded = TABLE.map(async (entry) => ({
    name: entry.name,
    words: entry.words,
    command: await loadCommand(entry),
  }));
  return Promise.all(loaded);
}

const UNLOGGED = ["--use-signing-config=false", "--tlog-upload=false"];

/** Flags that commands require for a meaningful run. `file` stands for a file of the test,
 * `k.key` and `k.pub` for a key pair with an empty password. */
const NEEDED: Readonly<Record<string, readonly string[]>> = {
  "attach attestation": ["--attestation=file"],
  "attach sbom": ["--sbom=file"],
  "attach signature": ["--signature=file", "--payload=file"],
  attest: ["--predicate=file", "--key=k.key", ...UNLOGGED],
  "attest-blob": ["--predicate=file", "--key=k.key", "--bundle=out", ...UNLOGGED],
  "bundle create": ["--artifact=file", "--bundle=file"],
  clean: ["--force"],
  "dockerfile verify": ["--key=k.pub", "--insecure-ignore-tlog"],
  "import-key-pair": ["--key=file"],
  load: ["--dir=."],
  login: ["--username=bob", "--password=word"],
  "log search": ["--artifact=file"],
  "manifest verify": ["--key=k.pub", "--insecure-ignore-tlog"],
  "public-key": ["--key=k.key"],
  save: ["--dir=saved"],
  sign: ["--key=k.key", ...UNLOGGED],
  "sign-blob": ["--key=k.key", "--bundle=out", ...UNLOGGED],
  "trusted-root create": ["--fulcio=url=https://ca.example,certificate-chain=file"],
  "upload blob": ["--files=file"],
  "upload wasm": ["--file=file"],
  verify: ["--key=k.pub", "--insecure-ignore-tlog"],
  "verify-attestation": ["--key=k.pub", "--insecure-ignore-tlog"],
  "verify-blob": ["--key=k.pub", "--bundle=file", "--insecure-ignore-tlog"],
  "verify-blob-attestation": ["--key=k.pub", "--bundle=file", "--insecure-ignore-tlog"],
};

/**
 * Returns a complete command line: `file` for every file, `image` for every image.
 *
 * @param values.key key reference of signing commands; opening a key is slow
 */
export function commandLine(
  { name, words, command }: EveryCommand,
  values: { file: string; image: string; key: string },
): string[] {
  const names = command.usage.replace(/--\S+ <[^>]*>/g, "").match(/<[^>]+>/g) ?? [];
  const count = Math.max(command.args.min, Math.min(names.length, command.args.max, 2));
  const args = Array.from({ length: count }, (_, index) => {
    const wanted = names[index] ?? names.at(-1) ?? "";
    if (command.args.choices) return command.args.choices[0] ?? "";
    if (/image|registry/.test(wanted)) return values.image;
    return /command/.test(wanted) ? "true" : values.file;
  });
  const needed = (NEEDED[name] ?? []).map((flag) =>
    flag.replace(/=file$/, `=${values.file}`).replace(/=k\.key$/, `=${values.key}`),
  );
  return [...words, ...needed, "--timeout=1h", ...args];
}

/** Returns `--flag` for each flag of a command that takes text, with the kind of its value. */
export function textFlags(command: Command): { key: string; flag: string; isFile: boolean }[] {
  return Object.entries(command.flags).flatMap(([key, { kind }]) => {
    if (kind === "bool") return [];
    return [{ key, flag: `--${flagName(key)}`, isFile: /file|key|folder/.test(flagValue(key, command.flags).sort) }];
  });
}

/** Writes a file with a given text for each kind of file that commands read. */
export function fill(folder: string, files: Readonly<Record<string, string | Uint8Array>>): void {
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
}

/** Returns the names in a folder. */
export const namesIn = (folder: string) => readdirSync(folder).sort();

/**
 * Creates an Io in which all services, programs and sockets return the same text at once. Time runs a thousand times faster.
 */
export function sayingWorld(
  folder: string,
  answer: (request: HttpRequest) => Partial<HttpResponse> & { text: string },
): Partial<Io> {
  const text = answer({
    url: new URL("http://localhost/"),
    method: "GET",
    headers: {},
    signal: new AbortController().signal,
  }).text;
  return {
    files: systemFiles(folder),
    sleep: (milliseconds, signal) =>
      new Promise((done, fail) => {
        const timer = setTimeout(done, milliseconds / 1000);
        signal?.addEventListener("abort", () => {
          clearTimeout(timer);
          fail(signal.reason);
        });
      }),
    http: async (request) => {
      const { text: said, status = 400, headers = {} } = answer(request);
      const body = (async function* () {
        yield Buffer.from(said);
      })();
      return { status, headers, body, discard() {} };
    },
    spawn: async () => ({ code: 1, stdout: text, stderr: text }),
    detach: () => Promise.reject(new TsignError("input", text)),
    unixCall: () => Promise.reject(new TsignError("network", text)),
    listen: () => Promise.reject(new TsignError("input", text)),
  };
}
