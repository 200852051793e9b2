/** Characters that take two columns (UAX #11, wide and fullwidth) and those that take none. */
const WIDE =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u;
const COMBINING = /\p{M}/u;

/** Columns that text takes on a terminal. */
export function widthOf(text: string): number {
  let width = 0;
  for (const character of text) width += COMBINING.test(character) ? 0 : WIDE.test(character) ? 2 : 1;
  return width;
}

/** What a wrapped line is indented by: a label, or blanks with a mark or a bullet. */
const HANGING = /^(?:Error: |WARNING: |hint: |Note: | *(?:(?:[-✓✗x!]|ok) )?)/;
/** Lines that are to be copied as they are: indented by a tab or four blanks. */
const VERBATIM = /^(?:\t| {4})/;

/**
 * Where to break a line so that it fits: indices of the blanks to replace by a line feed and `indent` blanks. A word, and
 * what stands between backticks, is never broken: a terminal wraps those itself, and they can still be copied.
 *
 * @param line without its line feed
 * @param hanging columns to indent by; by default those of the label, mark or bullet that the line begins with
 */
export function breaksOf(line: string, columns: number, hanging?: number): { at: readonly number[]; indent: number } {
  // An indent that leaves no room for words would break at every blank.
  const indent = Math.min(hanging ?? HANGING.exec(line)?.[0].length ?? 0, Math.floor(columns / 2));
  if (VERBATIM.test(line) || widthOf(line) <= columns) return { at: [], indent };
  const at: number[] = [];
  let used = indent;
  let start = indent;
  for (const [word] of line.slice(indent).matchAll(/(?:[^ `]|`[^`]*`|`)+/g)) {
    const from = line.indexOf(word, start);
    const width = widthOf(line.slice(start, from) + word);
    if (used + width > columns && from > indent) {
      at.push(from - 1);
      used = indent + widthOf(word);
    } else used += width;
    start = from + word.length;
  }
  return { at, indent };
}

/** Text shortened to a number of columns, with a mark where something was left out in its middle. */
export function shorten(text: string, columns: number, { unicode }: { unicode: boolean }): string {
  if (widthOf(text) <= columns) return text;
  const gap = unicode ? "…" : "..";
  const left = Math.max(0, columns - gap.length);
  const characters = [...text];
  const end = Math.floor(left / 2);
  return characters.slice(0, left - end).join("") + gap + (end > 0 ? characters.slice(-end).join("") : "");
}

/** Text shortened to a number of columns at its start, for image names, which differ at their ends. */
export function shortenStart(text: string, columns: number, { unicode }: { unicode: boolean }): string {
  if (widthOf(text) <= columns) return text;
  const gap = unicode ? "…" : "..";
  return gap + [...text].slice(-Math.max(1, columns - gap.length)).join("");
}
