import type { TsignError } from "../errors.ts";
import type { Io, Output } from "../io/io.ts";
import { effects } from "./effects.ts";
import type { Command } from "./parser/define.ts";
import { lineOf } from "./print/guard.ts";
import type { Secrets } from "./print/secrets.ts";

/** An error as data. */
export interface ErrorRecord {
  readonly code: string;
  readonly message: string;
  /** What to do about it. */
  readonly hint?: string;
  /** `service`, `status`, `url`, `check`, `expected` and `actual`, where they apply. */
  readonly fields: Readonly<Record<string, string | number>>;
}

/** Members of an error that are fields for programs; errors.ts documents them. */
const FIELDS = ["service", "status", "url", "check", "expected", "actual"] as const;

/** Converts an error to data. */
export function errorRecord(error: TsignError): ErrorRecord {
  const { code, message, hint } = error;
  const fields = FIELDS.flatMap((name): [string, string | number][] => {
    const value = error[name];
    return value === undefined ? [] : [[name, value]];
  });
  return { code, message, ...(hint === undefined ? {} : { hint }), fields: Object.fromEntries(fields) };
}

/**
 * Writes the document of a command with --json: one line of JSON. docs/schema has a schema for each command.
 *
 * @param answer.result what the command reported; it may have reported it before it failed
 * @param mask replaces secrets, as in all printed text
 */
export function answerText(
  answer: { command: string; result: unknown; error: TsignError | undefined },
  mask: (text: string) => string,
): string {
  const { command, result, error } = answer;
  const document = {
    ok: error === undefined,
    command,
    ...(result === undefined ? {} : { result }),
    ...(error === undefined ? {} : { error: errorRecord(error) }),
  };
  return `${maskedJson(document, mask)}\n`;
}

function maskedJson(value: unknown, mask: (text: string) => string): string {
  return JSON.stringify(value, (_, each) => (typeof each === "string" ? mask(each) : each));
}

/** Collects what a command with --json answers. */
export class Answer {
  /** Takes what the command prints for people. */
  readonly stdout: Output;
  readonly #command: Pick<Command, "result">;
  readonly #printed: Uint8Array[] = [];
  readonly #secrets: Secrets;
  #io: Pick<Io, "signal"> | undefined;
  #result: unknown;

  constructor(command: Pick<Command, "result">, secrets: Secrets) {
    this.#command = command;
    this.#secrets = secrets;
    const keep = (content: string | Uint8Array) => this.#printed.push(Buffer.from(content));
    const kept = { write: (text: string) => keep(lineOf(text, secrets)), data: keep };
    this.stdout = command.result === undefined ? kept : { write: () => {}, data: () => {} };
  }

  /** Notes that the command begins. Until then it has done nothing. */
  begin(io: Pick<Io, "signal">): void {
    this.#io = io;
  }

  /** Sets the result; undefined keeps the one that is there. */
  set(result: unknown): void {
    this.#result = result ?? this.#result;
  }

  /** Sets the result, and returns a copy in which secrets are masked, for other documents than --json's. */
  report<T>(result: T): T {
    this.set(result);
    return JSON.parse(maskedJson(result, (text) => this.#secrets.mask(text)));
  }

  /** The result, or what the command did; undefined for a command that failed before it did anything. */
  result({ failed }: { failed: boolean }): unknown {
    if (this.#result !== undefined || this.#command.result !== undefined || !this.#io) return this.#result;
    const done = effects(this.#io, Buffer.concat(this.#printed));
    const isEmpty = Object.values(done).every((value) => value.length === 0);
    return failed && isEmpty ? undefined : done;
  }
}

/** Whether a command line that cannot be parsed asks for JSON, or the environment does. */
export function asksForJson(argv: readonly string[], { COSIGN_JSON = "" }: Io["env"]): boolean {
  const end = argv.indexOf("--");
  const flags = (end < 0 ? argv : argv.slice(0, end)).filter((word) => /^--json(=|$)/.test(word));
  const last = flags.at(-1);
  return last === undefined ? isTrue(COSIGN_JSON) : last === "--json" || isTrue(last.slice("--json=".length));
}

/** As in Go's strconv.ParseBool. */
function isTrue(text: string): boolean {
  return ["1", "t", "T", "true", "TRUE", "True"].includes(text);
}
