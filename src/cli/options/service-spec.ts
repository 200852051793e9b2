import { TsignError } from "../../errors.ts";

/** A service described on the command line: `url=…,start-time=…`. */
export type ServiceSpec = Readonly<Record<string, string>>;

/**
 * Reads `key=value` pairs with commas between them, as `signing-config create` and `trusted-root create` take them. Values
 * cannot contain commas.
 *
 * @param what the flag's name without dashes, for messages: `fulcio`
 * @throws TsignError "usage" for a pair without `=`, a key that is unknown or repeated, a required one that is missing
 */
export function parseServiceSpec(
  text: string,
  options: { what: string; required: readonly string[]; optional: readonly string[] },
): ServiceSpec {
  const { what, required, optional } = options;
  const known = [...required, ...optional];
  const invalid = (reason: string) =>
    new TsignError("usage", `parsing ${what} spec: ${reason}`, { hint: `--${what} takes ${known.join("=…,")}=…` });
  const spec: Record<string, string> = {};
  for (const pair of text.split(",")) {
    const at = pair.indexOf("=");
    const key = pair.slice(0, Math.max(at, 0)).trim();
    if (at < 0) throw invalid(`"${pair}" is not key=value`);
    if (!known.includes(key)) throw invalid(`unknown key '${key}'`);
    if (Object.hasOwn(spec, key)) throw invalid(`the key '${key}' is given twice`);
    spec[key] = pair.slice(at + 1).trim();
  }
  const missing = required.find((key) => !spec[key]);
  if (missing) throw invalid(`missing required key '${missing}'`);
  return spec;
}

/**
 * An RFC 3339 time, as protobuf JSON writes it: in UTC, with no fraction of a second or one of 3, 6 or 9 digits.
 *
 * @throws TsignError "usage", also for a day that its month does not have
 */
function parseTime(text: string, what: string): string {
  const [, day = "", time = "", fraction = "", zone = ""] =
    /^(\d{4}-\d{2}-\d{2})T([01]\d:\d{2}:\d{2}|2[0-3]:\d{2}:\d{2})(?:\.(\d{1,9})\d*)?(Z|[+-]\d{2}:\d{2})$/.exec(text) ??
    [];
  const date = new Date(`${day}T${time}${zone}`);
  if (day === "" || Number.isNaN(date.getTime()) || !new Date(`${day}T00:00:00Z`).toISOString().startsWith(day)) {
    throw new TsignError("usage", `${what} is not an RFC 3339 time: "${text}"`, {
      hint: "such as 2026-01-31T00:00:00Z",
    });
  }
  const digits = fraction.replace(/0+$/, "");
  const padded = digits === "" ? "" : `.${digits.padEnd(Math.ceil(digits.length / 3) * 3, "0")}`;
  return date.toISOString().replace(".000Z", `${padded}Z`);
}

/**
 * A period of validity from a spec's start-time and end-time; fields left out are absent.
 *
 * @param options.start where the spec has none: what ends before it was never valid, which is no mistake in the spec
 * @throws TsignError "usage"
 */
export function validityOf(
  spec: ServiceSpec,
  options: { what: string; start?: string },
): { start?: string; end?: string } {
  const { what } = options;
  const named = spec["start-time"] ? parseTime(spec["start-time"], `${what}: start-time`) : undefined;
  const end = spec["end-time"] ? parseTime(spec["end-time"], `${what}: end-time`) : undefined;
  if (named && end && Date.parse(end) < Date.parse(named))
    throw new TsignError("usage", `${what}: end-time is before start-time`);
  const start = named ?? options.start;
  return { ...(start ? { start } : {}), ...(end ? { end } : {}) };
}
