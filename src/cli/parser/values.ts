import { TsignError } from "../../errors.ts";
import { didYouMean } from "../../format/nearest.ts";
import type { Flag } from "./define.ts";

const TRUE = new Set(["1", "t", "T", "true", "TRUE", "True"]);
const FALSE = new Set(["0", "f", "F", "false", "FALSE", "False"]);
const UNIT: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

/**
 * Returns the value of a flag from the texts that it was given, in order: the last one, or all for a list.
 *
 * @param shown the flag or variable, for the error
 * @throws TsignError "usage"
 */
export function parseValue(flag: Flag, texts: readonly string[], shown: string): unknown {
  const text = texts.at(-1) ?? "";
  const invalid = (expected: string) => invalidValue(text, shown, expected);
  switch (flag.kind) {
    case "string":
      if (flag.closed && text !== "") requireChoice(text, flag, shown);
      return text;
    case "texts":
      return texts;
    case "strings": {
      const list = texts.flatMap((each) => splitList(each, shown));
      if (flag.closed) for (const each of list) requireChoice(each, flag, shown);
      return list;
    }
    case "bool":
      if (!TRUE.has(text) && !FALSE.has(text)) throw invalid("expected true or false");
      return TRUE.has(text);
    case "int":
      if (!/^[+-]?\d{1,15}$/.test(text)) throw invalid("expected a whole number");
      if (flag.typeName === "uint" && Number(text) < 0) throw invalid("expected a whole number from 0");
      requireInRange(Number(text), flag, invalid);
      return Number(text);
    case "duration": {
      const milliseconds = parseDuration(text);
      if (milliseconds === undefined) throw invalid("expected a duration such as 30s or 1m30s");
      return milliseconds;
    }
    case "choice":
      requireChoice(text, flag, shown);
      return text;
  }
}

function invalidValue(text: string, shown: string, expected: string, hint?: string): TsignError {
  const named = `"${shown}"${shown.startsWith("-") ? " flag" : ""}`;
  return new TsignError("usage", `invalid argument "${text}" for ${named}: ${expected}`, { hint });
}

function requireChoice(text: string, flag: Flag, shown: string): void {
  const choices = (flag.choices ?? []).filter((choice) => choice !== "");
  if (choices.includes(text)) return;
  const listed = choices.map((choice) => `"${choice}"`).join(", ");
  throw invalidValue(text, shown, `must be one of ${listed}`, didYouMean(text, choices));
}

function requireInRange(value: number, { range }: Flag, invalid: (expected: string) => TsignError): void {
  if (!range || (value >= range[0] && value <= range[1])) return;
  throw invalid(`expected a whole number from ${range[0]} to ${range[1]}`);
}

/** Parses a duration like Go's time.ParseDuration. Returns milliseconds; undefined for an invalid duration. */
export function parseDuration(text: string): number | undefined {
  const [, sign, body = ""] = /^([+-]?)(.+)$/.exec(text) ?? [];
  if (body === "0") return 0;
  const parts = [...body.matchAll(/(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/g)];
  if (parts.length === 0 || parts.map(([part]) => part).join("") !== body) return undefined;
  const total = parts.reduce((sum, [, number, unit = ""]) => sum + Number(number) * (UNIT[unit] ?? 0), 0);
  return sign === "-" ? -total : total;
}

/** Formats milliseconds like Go's time.Duration: `3m0s`. */
export function formatDuration(milliseconds: number): string {
  if (milliseconds !== 0 && Math.abs(milliseconds) < 1000) return shortDuration(milliseconds);
  if (milliseconds < 0) return `-${formatDuration(-milliseconds)}`;
  const seconds = milliseconds / 1000;
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor(seconds / 60) % 60;
  const rest = `${Math.round((seconds % 60) * 1000) / 1000}s`;
  if (hours > 0) return `${hours}h${minutes}m${rest}`;
  return minutes > 0 ? `${minutes}m${rest}` : rest;
}

/** Formats less than a second in the largest unit whose number is at least 1: `1.5ms`. */
function shortDuration(milliseconds: number): string {
  const nanoseconds = Math.round(milliseconds * 1e6);
  const size = Math.abs(nanoseconds);
  if (size >= 1e6) return `${nanoseconds / 1e6}ms`;
  return size >= 1e3 ? `${nanoseconds / 1e3}µs` : `${nanoseconds}ns`;
}

/** Splits a line of CSV (RFC 4180), like pflag splits a list. */
function splitList(text: string, shown: string): string[] {
  if (text === "") return [];
  const fields: string[] = [];
  const field = /(?:"((?:[^"]|"")*)"|([^",]*))(,|$)/y;
  while (field.lastIndex < text.length || fields.length === 0 || text.endsWith(",")) {
    const match = field.exec(text);
    if (!match) throw invalidValue(text, shown, "invalid quotes in the list");
    fields.push(match[1]?.replaceAll('""', '"') ?? match[2] ?? "");
    if (match[3] === "") break;
  }
  return fields;
}
