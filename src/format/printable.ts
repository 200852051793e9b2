/** Text from outside, safe to print: what a terminal would obey (C0, C1, line and bidi controls) is replaced. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu, "\uFFFD");
}
