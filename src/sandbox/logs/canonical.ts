/**
 * Canonical JSON of the values the logs and TUF sign: keys sorted by UTF-16 code units, no white space, strings as
 * JSON.stringify writes them (RFC 8785 §3.2; for ASCII without control characters TUF's form is the same). Members that
 * are undefined are left out. Numbers here are safe integers.
 */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member)}`).join(",")}}`;
}
