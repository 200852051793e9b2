const ESCAPED: Readonly<Record<string, string>> = {
  "<": "\\u003c",
  ">": "\\u003e",
  "&": "\\u0026",
  "\u2028": "\\u2028",
  "\u2029": "\\u2029",
};

/**
 * Writes JSON like Go's encoding/json: compact, keys in the given order, and `<`, `>`, `&`, U+2028 and U+2029 escaped.
 * Used for signed payloads and manifests, whose bytes are compared.
 */
export function goJson(value: unknown): string {
  return JSON.stringify(value).replace(/[<>&\u2028\u2029]/g, (character) => ESCAPED[character] ?? character);
}
