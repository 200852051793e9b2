/**
 * Quotes a word for a POSIX shell (and fish): unchanged if no character is special, otherwise in single quotes.
 *
 * @param text one line, without control characters
 */
export function shellQuoted(text: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
