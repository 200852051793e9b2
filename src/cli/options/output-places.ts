import { basename, dirname } from "node:path";
import { TsignError, withHint } from "../../errors.ts";
import type { FileFacts, Io } from "../../io/io.ts";
import { isStdin } from "../../io/stdin.ts";
import { recordFile } from "../effects.ts";
import { flagValue } from "../help/flag-values.ts";
import { flagName } from "../parser/argv.ts";
import type { Command, Flags } from "../parser/define.ts";

type FilesIo = Pick<Io, "files">;

/** A file named on the command line: how messages show it, and its path. */
interface Named {
  readonly shown: string;
  readonly path: string;
}

/** A parsed command line, to find its files in. */
export interface FileUse {
  readonly command: Pick<Command, "usage">;
  /** All flags, the global ones included. */
  readonly flags: Flags;
  readonly values: Readonly<Record<string, unknown>>;
  readonly args: readonly string[];
}

/** Positional arguments that are files, in a usage line. */
const FILE_ARGUMENTS = /[<[](file|bundle|manifest|Dockerfile|key|policy)\b/;
/** Two flags for the same output. */
const ALIASES: ReadonlySet<string> = new Set(["--output", "--output-signature"]);

/**
 * Checks the files of a command line before the command does anything. A signature that cannot be written may already be
 * logged; an output over an input destroys the input; standard input is empty when it is read a second time.
 *
 * @throws TsignError "usage" or "input"
 */
export async function requireSoundFiles(io: FilesIo, use: FileUse): Promise<void> {
  const outputs = outputsOf(use);
  const inputs = inputsOf(use);
  const piped = inputs.filter(({ path }) => isStdin(path));
  if (piped.length > 1) {
    const shown = piped.map((each) => each.shown).join(" and ");
    throw new TsignError("usage", `standard input can be read only once: ${shown} are both "-"`, {
      hint: "save one of them to a file and pass its path",
    });
  }
  if (outputs.length === 0) return;
  await assertWritable(
    io,
    outputs.map(({ path }) => path),
  );
  await assertDistinct(io, outputs, inputs);
}

function outputsOf({ flags, values }: FileUse): Named[] {
  return Object.entries(flags)
    .filter(([, { output }]) => output === true)
    .flatMap(([key]) => namedBy(key, values));
}

function inputsOf({ command, flags, values, args }: FileUse): Named[] {
  const named = Object.entries(flags)
    .filter(([, { output, kind }]) => output !== true && ["string", "strings", "texts"].includes(kind))
    .map(([key]) => ({ key, paths: namedBy(key, values) }))
    // Of the few that are set.
    .filter(({ key, paths }) => paths.length > 0 && namesFile(key, flags))
    .flatMap(({ paths }) => paths);
  const positional = FILE_ARGUMENTS.test(command.usage) ? args.map((path) => ({ shown: path, path })) : [];
  return [...named, ...positional.filter(({ path }) => path !== "")];
}

/** What is in the values of a flag. */
function namedBy(key: string, values: FileUse["values"]): Named[] {
  const paths = [values[key]].flat().map((path) => String(path ?? ""));
  return paths.filter((path) => path !== "").map((path) => ({ shown: `--${flagName(key)}`, path }));
}

function namesFile(key: string, flags: Flags): boolean {
  const { name, sort } = flagValue(key, flags);
  return name === "spec" || (sort !== "text" && sort !== "folder");
}

/**
 * Refuses paths that cannot be written.
 *
 * @param paths "" for an output that is not wanted, "-" for stdout
 * @throws TsignError "input"
 */
export async function assertWritable(io: FilesIo, paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    if (path === "" || path === "-") continue;
    const folder = dirname(path);
    if ((await io.files.stat(folder))?.kind !== "directory") {
      throw new TsignError("input", `write ${path}: there is no folder ${folder}`);
    }
    await io.files.requireWritable(path);
  }
}

/**
 * Refuses two outputs that are the same file, and an output that is an input, also through links.
 *
 * @throws TsignError "usage"
 */
export async function assertDistinct(io: FilesIo, outputs: readonly Named[], inputs: readonly Named[]): Promise<void> {
  for (const [index, output] of outputs.entries()) {
    for (const other of outputs.slice(0, index)) {
      if (ALIASES.has(output.shown) && ALIASES.has(other.shown)) continue;
      if (output.path === "-" ? other.path === "-" : await isSame(io, output.path, other.path)) {
        throw new TsignError("usage", `${other.shown} and ${output.shown} cannot both be written to ${output.path}`);
      }
    }
    for (const input of inputs) {
      for (const path of pathsIn(input.path)) {
        if (path === "-" || output.path === "-" || !(await isSame(io, output.path, path))) continue;
        throw new TsignError("usage", `${output.shown} ${output.path} would overwrite ${path}, which is an input`, {
          hint: "write to another file",
        });
      }
    }
  }
}

/** The paths in a value, which may have other parts: `url=…,certificate-chain=FILE`, `FILE:linux/amd64`. */
function pathsIn(value: string): string[] {
  const parts = new Set([value, ...value.split(/[,=]/), value.replace(/:[^:]*$/, "")]);
  return [...parts].filter((path) => path !== "" && !path.includes("://"));
}

/** Whether two paths are the same file, or will be once it exists. Devices and pipes may be shared. */
async function isSame(io: FilesIo, one: string, other: string): Promise<boolean> {
  const [first, second] = [await look(io, one), await look(io, other)];
  if (first && second) return first.kind === "file" && first.identity === second.identity;
  if (first || second || basename(one) !== basename(other)) return false;
  const [folder, otherFolder] = [await look(io, dirname(one)), await look(io, dirname(other))];
  return one === other || (folder !== undefined && folder.identity === otherFolder?.identity);
}

async function look(io: FilesIo, path: string): Promise<FileFacts | undefined> {
  try {
    return await io.files.stat(path);
  } catch (error) {
    if (error instanceof TsignError && error.code === "input") return undefined; // the value is not a path
    throw error;
  }
}

/**
 * Writes an output to its file, or with `-` to stdout. If the file cannot be written, the content is printed on stdout and the
 * error's hint says so: it may be the only copy of a signature that is already logged.
 *
 * @returns whether a file was written
 * @throws TsignError "input"
 */
export async function writeOutput(
  io: Pick<Io, "files" | "stdout" | "signal">,
  output: { path: string; content: string | Uint8Array; mode?: number },
): Promise<boolean> {
  const { path, content, mode = 0o600 } = output;
  if (path === "-") {
    print(io, content);
    return false;
  }
  try {
    await io.files.write(path, content, { mode });
    recordFile(io, path);
    return true;
  } catch (error) {
    print(io, content);
    throw error instanceof TsignError ? withHint(error, "save what was printed on stdout: it is the only copy") : error;
  }
}

/**
 * Writes an optional output and reports it on stderr.
 *
 * @param file.kind its content, for the message: "bundle", "certificate"
 * @param file.path "" if it is not wanted, "-" for stdout
 * @throws TsignError "input"
 */
export async function writeRequested(
  io: Pick<Io, "files" | "stderr" | "stdout" | "signal">,
  file: { path: string; kind: string; content: string | Uint8Array },
): Promise<void> {
  if (file.path === "") return;
  const written = await writeOutput(io, file);
  if (written) io.stderr.write(`Wrote ${file.kind} to file ${file.path}\n`);
}

/** Prints content; text gets a final line feed. */
function print(io: Pick<Io, "stdout">, content: string | Uint8Array): void {
  io.stdout.data(typeof content === "string" && !content.endsWith("\n") ? `${content}\n` : content);
}
