/**
 * What could act on a terminal or hide in a log: control characters (C0, DEL, C1), line and paragraph separators, format
 * characters (bidirectional overrides, zero-width ones), whatever else Unicode gives no shape, and half surrogate pairs.
 */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Default_Ignorable_Code_Point}]/gu;
const SHORT: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/**
 * Text from outside on one line, safe to print: what a terminal would obey is written as a JSON escape (`\n`, `\u202e`), so
 * that it is seen, and so that JSON in one line keeps its meaning. Text without such characters is returned as it is.
 */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, (character) => SHORT[character] ?? escaped(character));
}

/** The same for text of several lines, which keeps its line feeds and tabs. */
export function printableLines(text: string): string {
  return text.replace(UNPRINTABLE, (character) => (/[\n\t]/.test(character) ? character : escaped(character)));
}

/** JSON's `\uXXXX`, twice for what lies beyond U+FFFF (RFC 8259 section 7). */
function escaped(character: string): string {
  return Array.from({ length: character.length }, (_, index) => {
    return `\\u${character.charCodeAt(index).toString(16).padStart(4, "0")}`;
  }).join("");
}
