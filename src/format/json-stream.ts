/** Character codes. */
const [QUOTE, BACKSLASH, BRACE, BRACE_END, BRACKET, BRACKET_END] = [0x22, 0x5c, 0x7b, 0x7d, 0x5b, 0x5d];

/**
 * Splits a sequence of JSON documents, with or without line breaks between them, in linear time. It only finds where each document
 * ends; text between objects becomes a piece of its own, for the parser to refuse.
 */
export function splitJsonStream(text: string): string[] {
  const pieces: string[] = [];
  let depth = 0;
  let from = 0;
  const cut = (to: number) => {
    const piece = text.slice(from, to).trim();
    if (piece !== "") pieces.push(piece);
    from = to;
  };
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case QUOTE:
        at = endOfString(text, at);
        break;
      case BRACE:
      case BRACKET:
        if (depth++ === 0) cut(at);
        break;
      case BRACE_END:
      case BRACKET_END:
        if (--depth === 0) cut(at + 1);
        break;
    }
  }
  cut(text.length);
  return pieces;
}

/** The position of a string's closing quote; the end of the text if it is missing. */
function endOfString(text: string, start: number): number {
  for (let at = text.indexOf('"', start + 1); at >= 0; at = text.indexOf('"', at + 1)) {
    let first = at;
    while (text.charCodeAt(first - 1) === BACKSLASH) first--;
    if ((at - first) % 2 === 0) return at;
  }
  return text.length;
}
