/** An authentication challenge (RFC 9110 section 11.6.1). Scheme and parameter names are in lower case. */
export interface Challenge {
  readonly scheme: string;
  readonly parameters: ReadonlyMap<string, string>;
}

const TOKEN = /[!#$%&'*+.^_`|~0-9A-Za-z-]+/y;
/** Longest header that is parsed, in characters; servers send some hundred. */
const MAX_HEADER = 64 * 1024;

/**
 * Parses a WWW-Authenticate header with one or more challenges (repeated headers are joined). An invalid part is skipped up to
 * the next comma.
 */
export function parseChallenges(header: string): Challenge[] {
  const text = header.slice(0, MAX_HEADER);
  const challenges: { scheme: string; parameters: Map<string, string> }[] = [];
  let at = 0;
  const space = () => {
    while (text[at] === " " || text[at] === "\t") at++;
  };
  const token = (): string | undefined => {
    TOKEN.lastIndex = at;
    const [found] = TOKEN.exec(text) ?? [];
    at += found?.length ?? 0;
    return found;
  };
  while (at < text.length) {
    while (at < text.length && /[\s,]/.test(text[at] ?? "")) at++;
    const name = token();
    space();
    if (name === undefined) {
      at = nextComma(text, at);
    } else if (text[at] === "=" && challenges.length > 0) {
      at++;
      space();
      const value = text[at] === '"' ? quoted(text, at) : undefined;
      at = value ? value.end : at;
      challenges.at(-1)?.parameters.set(name.toLowerCase(), value ? value.text : (token() ?? ""));
    } else if (text[at] === "=") {
      at = nextComma(text, at);
    } else {
      challenges.push({ scheme: name.toLowerCase(), parameters: new Map() });
    }
  }
  return challenges;
}

/** Returns the position of the next comma, or the end. */
function nextComma(text: string, at: number): number {
  const comma = text.indexOf(",", at);
  return comma < 0 ? text.length : comma;
}

/** Reads a quoted string (RFC 9110 section 5.6.4) that starts at `at`; without a closing quote it ends with the text. */
function quoted(text: string, at: number): { text: string; end: number } {
  const pieces: string[] = [];
  let end = at + 1;
  for (; end < text.length && text[end] !== '"'; end++) {
    if (text[end] === "\\") end++;
    pieces.push(text[end] ?? "");
  }
  return { text: pieces.join(""), end: end + 1 };
}
