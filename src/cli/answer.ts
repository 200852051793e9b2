import type { TsignError } from "../errors.ts";

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
  return `${JSON.stringify(document, (_, value) => (typeof value === "string" ? mask(value) : value))}\n`;
}

/** Whether a command line that cannot be parsed asks for JSON. */
export function asksForJson(argv: readonly string[]): boolean {
  const end = argv.indexOf("--");
  return (end < 0 ? argv : argv.slice(0, end)).some((word) => word === "--json" || word === "--json=true");
}
