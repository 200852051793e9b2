/**
 * A word as a POSIX shell (and fish) reads it back: as it is where no character is special, else in single quotes.
 *
 * @param text one line, without control characters
 */
export function shellQuoted(text: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
