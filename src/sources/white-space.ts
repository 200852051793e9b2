/** Whether a text is one character of white space by Go's unicode.IsSpace, which differs from JavaScript's `\s`. */
export function isSpace(character: string): boolean {
  return IS_SPACE.test(character);
}

const IS_SPACE = /^[\t-\r \x85\xA0\u1680\u2000-\u200A\u2028\u2029\u202F\u205F\u3000]$/;

/** Removes white space (Go's unicode.IsSpace) from the start. Uses a loop, as do the others: a pattern for the end is quadratic. */
export function trimStart(text: string): string {
  let start = 0;
  while (isSpace(text.charAt(start))) start++;
  return text.slice(start);
}

/** Removes white space from both ends, as Go's strings.TrimSpace does. */
export function trimSpace(text: string): string {
  let end = text.length;
  while (isSpace(text.charAt(end - 1))) end--;
  return trimStart(text.slice(0, end));
}

/** Removes any of the given characters from the end. */
export function trimEnd(text: string, characters: string): string {
  let end = text.length;
  while (end > 0 && characters.includes(text.charAt(end - 1))) end--;
  return text.slice(0, end);
}

/** Splits a text into words at the white space that BuildKit splits at, which is a part of what it trims. */
export function splitAtSpaces(text: string): string[] {
  return text === "" ? [] : text.split(/[\t\v\f\r ]+/);
}
