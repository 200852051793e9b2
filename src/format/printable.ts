/**
 * Characters that could control a terminal or hide text in a log: control characters (C0, DEL, C1), line and paragraph separators,
 * format characters (bidirectional overrides, zero-width ones), other invisible characters, and lone surrogates.
 */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Default_Ignorable_Code_Point}]/gu;
const SHORT: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/**
 * Makes untrusted text safe to print on one line: unprintable characters become JSON escapes (`\n`, `\u202e`), so that they are
 * visible, and JSON on one line keeps its meaning.
 */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, (character) => SHORT[character] ?? escaped(character));
}

/** The same for text of several lines: keeps line feeds and tabs. */
export function printableLines(text: string): string {
  return text.replace(UNPRINTABLE, (character) => (/[\n\t]/.test(character) ? character : escaped(character)));
}

/** JSON's `\uXXXX`, twice for characters beyond U+FFFF (RFC 8259 section 7). */
function escaped(character: string): string {
  return Array.from({ length: character.length }, (_, index) => {
    return `\\u${character.charCodeAt(index).toString(16).padStart(4, "0")}`;
  }).join("");
}
