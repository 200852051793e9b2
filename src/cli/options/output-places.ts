import { dirname } from "node:path";
import { TsignError, withHint } from "../../errors.ts";
import type { FileFacts, Io } from "../../io/io.ts";
import { isStdin } from "../../io/stdin.ts";
import { flagValue } from "../help/flag-values.ts";
import { flagName } from "../parser/argv.ts";
import type { Command, Flags } from "../parser/define.ts";

type FilesIo = Pick<Io, "files">;

/** A file that the command line names: how it is shown, and its path. */
interface Named {
  readonly shown: string;
  readonly path: string;
}

/** What a command line says about files. */
export interface FileUse {
  readonly command: Pick<Command, "usage">;
  /** All its flags, those of every command included. */
  readonly flags: Flags;
  readonly values: Readonly<Record<string, unknown>>;
  readonly args: readonly string[];
}

/** Positional arguments that are files, in a usage line. */
const FILE_ARGUMENTS = /[<[](file|bundle|manifest|Dockerfile|key)\b/;
/** Two names of one output. */
const ALIASES: ReadonlySet<string> = new Set(["--output", "--output-signature"]);

/**
 * Looks at the files of a command line before the command does anything: what could not be written afterwards would leave a
 * signature made, and perhaps made public, that nobody has; an output over an input destroys it; and what reads standard
 * input second finds it empty.
 *
 * @throws TsignError "usage" or "input"
 */
export async function requireSoundFiles(io: FilesIo, use: FileUse): Promise<void> {
  const outputs = outputsOf(use);
  const inputs = inputsOf(use);
  const piped = inputs.filter(({ path }) => isStdin(path));
  if (piped.length > 1) {
    const shown = piped.map((each) => each.shown).join(" and ");
    throw new TsignError("usage", `standard input can be read once, and is named by ${shown}`, {
      hint: "keep one of them in a file",
    });
  }
  if (outputs.length === 0) return;
  await requirePlaces(
    io,
    outputs.map(({ path }) => path),
  );
  await requireApart(io, outputs, inputs);
}

function outputsOf({ flags, values }: FileUse): Named[] {
  return Object.entries(flags)
    .filter(([, { output }]) => output === true)
    .map(([key]) => ({ shown: `--${flagName(key)}`, path: String(values[key] ?? "") }))
    .filter(({ path }) => path !== "");
}

function inputsOf({ command, flags, values, args }: FileUse): Named[] {
  const named = Object.entries(flags)
    .filter(
      ([key, { output, kind }]) =>
        output !== true && ["string", "strings", "texts"].includes(kind) && namesFile(key, flags),
    )
    .flatMap(([key]) =>
      [values[key]].flat().map((path) => ({ shown: `--${flagName(key)}`, path: String(path ?? "") })),
    );
  const positional = FILE_ARGUMENTS.test(command.usage) ? args.map((path) => ({ shown: path, path })) : [];
  return [...named, ...positional].filter(({ path }) => path !== "");
}

function namesFile(key: string, flags: Flags): boolean {
  const { name, sort } = flagValue(key, flags);
  return name === "spec" || (sort !== "text" && sort !== "folder");
}

/**
 * Refuses places that could not be written.
 *
 * @param paths "" for a file that was not asked for, "-" for stdout
 * @throws TsignError "input"
 */
export async function requirePlaces(io: FilesIo, paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    if (path === "" || path === "-") continue;
    const folder = dirname(path);
    if ((await io.files.stat(folder))?.kind !== "directory") {
      throw new TsignError("input", `cannot write ${path}: there is no folder ${folder}`);
    }
    await io.files.requireWritable(path);
  }
}

/**
 * Refuses outputs that lead, by whatever name or link, to one file, or to an input.
 *
 * @throws TsignError "usage"
 */
export async function requireApart(io: FilesIo, outputs: readonly Named[], inputs: readonly Named[]): Promise<void> {
  for (const [index, output] of outputs.entries()) {
    for (const other of outputs.slice(0, index)) {
      if (ALIASES.has(output.shown) && ALIASES.has(other.shown)) continue;
      if (output.path === "-" ? other.path === "-" : await isSame(io, output.path, other.path)) {
        throw new TsignError(
          "usage",
          `${other.shown} and ${output.shown} would be written to one place: ${output.path}`,
        );
      }
    }
    for (const input of inputs) {
      for (const path of pathsIn(input.path)) {
        if (path === "-" || output.path === "-" || !(await isSame(io, output.path, path))) continue;
        throw new TsignError("usage", `${output.shown} ${output.path} would be written over ${path}, which is read`, {
          hint: "name another file to write to",
        });
      }
    }
  }
}

/** A value that may hold paths among other things: `url=…,certificate-chain=FILE`, `FILE:linux/amd64`. */
function pathsIn(value: string): string[] {
  const parts = new Set([value, ...value.split(/[,=]/), value.replace(/:[^:]*$/, "")]);
  return [...parts].filter((path) => path !== "" && !path.includes("://"));
}

/** Whether two paths are one file, or would be once it is made. Devices and pipes are shared by nature. */
async function isSame(io: FilesIo, one: string, other: string): Promise<boolean> {
  const [first, second] = [await look(io, one), await look(io, other)];
  if (first && second) return first.kind === "file" && first.identity === second.identity;
  return !first && !second && one === other;
}

async function look(io: FilesIo, path: string): Promise<FileFacts | undefined> {
  try {
    return await io.files.stat(path);
  } catch (error) {
    if (error instanceof TsignError && error.code === "input") return undefined; // a value that is no path
    throw error;
  }
}

/**
 * Writes what a command made to the file that was asked for, `-` for stdout. It may be the only copy of something that is
 * public already: if it cannot be written, it goes to stdout, and the error says so.
 *
 * @returns whether a file was written
 * @throws TsignError "input"
 */
export async function writeOutput(
  io: Pick<Io, "files" | "stdout">,
  output: { path: string; content: string | Uint8Array; mode?: number },
): Promise<boolean> {
  const { path, content, mode = 0o600 } = output;
  if (path === "-") {
    print(io, content);
    return false;
  }
  try {
    await io.files.write(path, content, { mode });
    return true;
  } catch (error) {
    print(io, content);
    throw error instanceof TsignError
      ? withHint(error, "what belongs into it was printed to stdout: keep that")
      : error;
  }
}

/**
 * Writes a file that was asked for, and says so on stderr.
 *
 * @param file.kind what it holds, for the message: "bundle", "certificate"
 * @param file.path "" where it was not asked for, "-" for stdout
 * @throws TsignError "input"
 */
export async function writeRequested(
  io: Pick<Io, "files" | "stderr" | "stdout">,
  file: { path: string; kind: string; content: string | Uint8Array },
): Promise<void> {
  if (file.path === "") return;
  const written = await writeOutput(io, file);
  if (written) io.stderr.write(`Wrote ${file.kind} to file ${file.path}\n`);
}

/** Text gets a line end. */
function print(io: Pick<Io, "stdout">, content: string | Uint8Array): void {
  io.stdout.data(typeof content === "string" && !content.endsWith("\n") ? `${content}\n` : content);
}
