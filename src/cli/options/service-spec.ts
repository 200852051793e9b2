import { TsignError } from "../../errors.ts";

/** A service described on the command line: `url=…,start-time=…`. */
export type ServiceSpec = Readonly<Record<string, string>>;

/**
 * Parses the comma-separated `key=value` pairs of `signing-config create` and `trusted-root create`. Values cannot contain
 * commas.
 *
 * @param options.name the flag without dashes, for messages: `fulcio`
 * @throws TsignError "usage" for a pair without `=`, a key that is unknown or repeated, a required one that is missing
 */
export function parseServiceSpec(
  text: string,
  options: { name: string; required: readonly string[]; optional: readonly string[] },
): ServiceSpec {
  const { name, required, optional } = options;
  const known = [...required, ...optional];
  const invalid = (reason: string) =>
    new TsignError("usage", `parsing ${name} spec: ${reason}`, { hint: `use --${name} ${known.join("=…,")}=…` });
  const spec: Record<string, string> = {};
  for (const pair of text.split(",")) {
    const at = pair.indexOf("=");
    const key = pair.slice(0, Math.max(at, 0)).trim();
    if (at < 0) throw invalid(`"${pair}" is not key=value`);
    if (!known.includes(key)) throw invalid(`unknown key '${key}'`);
    if (Object.hasOwn(spec, key)) throw invalid(`duplicate key '${key}'`);
    spec[key] = pair.slice(at + 1).trim();
  }
  const missing = required.find((key) => !spec[key]);
  if (missing) throw invalid(`missing required key '${missing}'`);
  return spec;
}

/**
 * Returns an RFC 3339 time in the form of protobuf JSON: UTC, without a fraction of a second or with 3, 6 or 9 digits.
 *
 * @throws TsignError "usage", also for a day that its month does not have
 */
function parseTime(text: string, name: string): string {
  const [, day = "", time = "", fraction = "", zone = ""] =
    /^(\d{4}-\d{2}-\d{2})T([01]\d:\d{2}:\d{2}|2[0-3]:\d{2}:\d{2})(?:\.(\d{1,9})\d*)?(Z|[+-]\d{2}:\d{2})$/.exec(text) ??
    [];
  const date = new Date(`${day}T${time}${zone}`);
  if (day === "" || Number.isNaN(date.getTime()) || !new Date(`${day}T00:00:00Z`).toISOString().startsWith(day)) {
    throw new TsignError("usage", `${name} is not an RFC 3339 time: "${text}"`, {
      hint: "use a time such as 2026-01-31T00:00:00Z",
    });
  }
  const digits = fraction.replace(/0+$/, "");
  const padded = digits === "" ? "" : `.${digits.padEnd(Math.ceil(digits.length / 3) * 3, "0")}`;
  return date.toISOString().replace(".000Z", `${padded}Z`);
}

/**
 * Returns the validity period of a spec's start-time and end-time; what the spec leaves out is absent.
 *
 * @param options.start used where the spec has none; it may be after the end-time
 * @throws TsignError "usage"
 */
export function validityOf(
  spec: ServiceSpec,
  options: { name: string; start?: string },
): { start?: string; end?: string } {
  const { name } = options;
  const named = spec["start-time"] ? parseTime(spec["start-time"], `${name}: start-time`) : undefined;
  const end = spec["end-time"] ? parseTime(spec["end-time"], `${name}: end-time`) : undefined;
  if (named && end && Date.parse(end) < Date.parse(named))
    throw new TsignError("usage", `${name}: end-time is before start-time`);
  const start = named ?? options.start;
  return { ...(start ? { start } : {}), ...(end ? { end } : {}) };
}
