/** Whether a text is one character of white space to Go's unicode.IsSpace, which is not what JavaScript takes for it. */
export function isSpace(character: string): boolean {
  return IS_SPACE.test(character);
}

const IS_SPACE = /^[\t-\r \x85\xA0\u1680\u2000-\u200A\u2028\u2029\u202F\u205F\u3000]$/;

/** Cuts white space off the start, as Go's unicode.IsSpace knows it. By steps: a pattern for the end would be quadratic. */
export function trimStart(text: string): string {
  let start = 0;
  while (isSpace(text.charAt(start))) start++;
  return text.slice(start);
}

/** Cuts white space off both ends, as Go's strings.TrimSpace does. */
export function trimSpace(text: string): string {
  let end = text.length;
  while (isSpace(text.charAt(end - 1))) end--;
  return trimStart(text.slice(0, end));
}

/** Cuts characters off the end. */
export function trimEnd(text: string, characters: string): string {
  let end = text.length;
  while (end > 0 && characters.includes(text.charAt(end - 1))) end--;
  return text.slice(0, end);
}

/** The words between what BuildKit splits at, which is less than what it trims. */
export function splitAtSpaces(text: string): string[] {
  return text === "" ? [] : text.split(/[\t\v\f\r ]+/);
}
