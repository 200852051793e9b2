import { Answer, answerText, asksForJson } from "./cli/answer.ts";
import type { Flags, Invocation } from "./cli/parser/define.ts";
import { globalFlagsOf } from "./cli/parser/global-flags.ts";
import { guardedOutput, lineOf } from "./cli/print/guard.ts";
import { knownSecrets, type Secrets } from "./cli/print/secrets.ts";
import { parseCommandLine, type Request } from "./cli/program.ts";
import { usageHint } from "./cli/suggestions.ts";
import { withTimeout } from "./cli/time-limit.ts";
import { loadCommand, loadRun } from "./commands.ts";
import { type ExitCodes, TsignError, withHint } from "./errors.ts";
import { withParts } from "./format/parts.ts";
import type { Io, Lines, Output } from "./io/io.ts";

/**
 * Runs the program.
 *
 * @param argv the command line without node and script
 * @returns the exit code; never 0 after an error
 */
export async function main(argv: readonly string[], unguarded: Io): Promise<number> {
  const secrets = knownSecrets(argv, unguarded.env);
  const output = guardedOutput(unguarded, secrets);
  const { stdout, stderr, tty } = output;
  const mask = (text: string) => secrets.mask(text);
  const io = withParts(unguarded, {
    stdout,
    stderr,
    tty,
    http: (sent) => {
      secrets.addRequest(sent); // the answer may repeat them
      return unguarded.http(sent);
    },
  });
  let exitCodes: ExitCodes = {};
  let verbose = false;
  let usage = "run `tsign --help` for a list of commands";
  let isParsed = false;
  try {
    const request = await parseCommandLine(argv, io, loadCommand);
    if (request.kind === "print") {
      output.end();
      unguarded.stdout.data(request.text); // the program's own words, in lines and bold
      return 0;
    }
    exitCodes = exitCodesFor(request);
    usage = usageHint(request.entry);
    verbose = request.flags["verbose"] === true;
    const quiet = request.flags["quiet"] === true;
    if (quiet && verbose) throw new TsignError("usage", "--quiet and --verbose cannot be used together");
    output.begin({ quiet });
    isParsed = true;
    await runCommand(request, verbose ? withTrace(io) : io, { secrets, usage });
    output.end();
    return 0;
  } catch (error) {
    const known = knownError(error, usage);
    if (!isParsed && asksForJson(argv, io.env))
      stdout.data(answerText({ command: "", result: undefined, error: known }, mask));
    output.end(); // a command that was stopped may go on for a moment, and writes nothing more
    const onTerminal = unguarded.tty.stderr;
    report(known, { stderr: io.stderr, verbose, onTerminal });
    return known.exitCode ?? exitCodes[known.code] ?? 1;
  }
}

type RunRequest = Extract<Request, { kind: "run" }>;

/** The exit codes by error code, for the flags. */
function exitCodesFor({ command, flags }: RunRequest): ExitCodes {
  const { exitCodes = {}, strictExitCodes } = command;
  return flags["exitCodes"] === "strict" && strictExitCodes ? strictExitCodes : exitCodes;
}

/** The error as a TsignError, with a hint if the command line is wrong. */
function knownError(error: unknown, usage: string): TsignError {
  const known = error instanceof TsignError ? error : unexpected(error);
  return known.code === "usage" ? withHint(known, usage) : known;
}

async function runCommand(
  request: RunRequest,
  io: Io,
  { secrets, usage }: { secrets: Secrets; usage: string },
): Promise<void> {
  const { entry, command, args, given } = request;
  const { timeout, outputFile, quiet: _, ...flags } = request.flags;
  const isJson = flags["json"] === true;
  const isOwn = typeof command.result === "object" && command.result.own === true;
  const answer = new Answer(command, secrets);
  const invocation = {
    args,
    flags,
    given,
    load: loadCommand,
    answer: (result) => answer.report(result),
  } as Invocation<Flags>;
  const captured: Uint8Array[] = [];
  const toFile = typeof outputFile === "string" && outputFile !== "";
  const keep = (content: string | Uint8Array) => captured.push(Buffer.from(content));
  const kept: Output = { write: (text) => keep(lineOf(text, secrets)), data: keep };
  const stdout = isJson && !isOwn ? answer.stdout : toFile ? kept : io.stdout;
  let began = false;
  let failure: TsignError | undefined;
  try {
    const { serves = false, unlimited = serves } = command;
    const limit = unlimited && !given.has("timeout") ? Number.POSITIVE_INFINITY : Number(timeout);
    await withTimeout({ limit, serves }, withParts(io, { stdout }), async (limited) => {
      await requireFiles(limited, request);
      began = true;
      answer.begin(limited);
      const run = await loadRun(entry);
      answer.set(await run(limited, invocation));
    });
  } catch (error) {
    failure = knownError(error, usage);
    throw failure;
  } finally {
    const failed = failure !== undefined;
    if (isJson && (failed || !isOwn)) {
      const result = answer.result({ failed });
      // Secrets that are asked for are the one thing that no way out may hide.
      const mask = (text: string) => (flags["showSensitiveValues"] === true ? text : secrets.mask(text));
      (toFile && began ? kept : io.stdout).data(answerText({ command: entry.name, result, error: failure }, mask));
    }
    // A command that failed without output leaves the file as it was.
    if (toFile && began && (!failed || captured.length > 0)) {
      await writeCaptured(io, String(outputFile), Buffer.concat(captured));
    }
  }
}

/** Checks the files named on the command line. The check is loaded only when there are arguments, for a short start. */
async function requireFiles(io: Io, { command, args, flags, given }: RunRequest): Promise<void> {
  if (args.length === 0 && given.size === 0) return;
  const { requireSoundFiles } = await import("./cli/options/output-places.ts");
  await requireSoundFiles(io, { command, flags: { ...command.flags, ...globalFlagsOf(command) }, values: flags, args });
}

async function writeCaptured(io: Io, path: string, content: Uint8Array): Promise<void> {
  const { writeOutput } = await import("./cli/options/output-places.ts");
  await writeOutput(io, { path, content, mode: 0o644 });
}

/** Prints each HTTP request, without query and credentials. */
function withTrace(io: Io): Io {
  return withParts(io, {
    async http(request) {
      const exchange = `${request.method} ${request.url.origin}${request.url.pathname}`;
      try {
        const response = await io.http(request);
        io.stderr.write(`${exchange}: ${response.status}\n`);
        return response;
      } catch (error) {
        io.stderr.write(`${exchange}: ${error instanceof Error ? error.message : String(error)}\n`);
        throw error;
      }
    },
  });
}

function unexpected(error: unknown): TsignError {
  const text = error instanceof Error ? error.message : String(error);
  return new TsignError("internal", `internal error: ${text}`, {
    cause: error,
    hint: "report this defect of tsign, with the command that caused it",
  });
}

/** Prints an error and its hint, one line each; with --verbose also its causes and its code. */
function report(
  error: TsignError,
  { stderr, verbose, onTerminal }: { stderr: Lines; verbose: boolean; onTerminal: boolean },
): void {
  const always = { always: true };
  const page = onTerminal && error.code !== "cancelled" ? `run \`tsign help ${error.code}\` for its usual causes` : "";
  const hint = error.hint ?? page;
  if (error.message !== "") stderr.write(`Error: ${error.message}\n`, always);
  if (error.message !== "" && hint !== "") stderr.write(`hint: ${hint}\n`, always);
  if (!verbose) return;
  for (let { cause } = error; cause instanceof Error; cause = cause.cause) {
    stderr.write(`caused by: ${cause.message}\n`, always);
  }
  stderr.write(`code: ${error.code}\n`, always);
}
