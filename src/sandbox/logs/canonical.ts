/**
 * Writes canonical JSON for the logs and TUF: keys sorted by UTF-16 code units, no white space, strings as by JSON.stringify
 * (RFC 8785 §3.2; TUF's form is the same for ASCII without control characters). Undefined members are omitted. Numbers must be
 * safe integers.
 */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member)}`).join(",")}}`;
}
