import type { Lines, Part, Style } from "../../io/io.ts";
import { writeLine } from "./signed-by.ts";
import { type Look, mark } from "./style.ts";
import { shorten, shortenStart, widthOf } from "./wrap.ts";

/** A row: an image with what is known about its signature, or the reason why it is not verified. */
export interface ImageRow {
  readonly image: string;
  readonly result:
    | {
        readonly ok: true;
        readonly signer: string;
        readonly issuer: string;
        readonly time: string;
        readonly logIndex: string;
      }
    | { readonly ok: false; readonly reason: string };
}

const TITLES = ["IMAGE", "SIGNER", "ISSUER", "SIGNED AT", "LOG INDEX"] as const;
/** Terminals with fewer columns get no issuer; nor do tables of keys, which have none. */
const WIDE_ENOUGH = 100;
const GAP = "  ";
/** A column is not made narrower than this. */
const MIN_WIDTH = 10;
/** Part of the line that an image's name may take where it does not fit. */
const IMAGE_SHARE = 0.45;

/** `6 of 10 images verified`. */
export function summaryOf(rows: readonly ImageRow[]): string {
  return `${rows.filter(({ result }) => result.ok).length} of ${rows.length} images verified`;
}

/**
 * Prints the rows as an aligned table that fits the terminal: names of images that are too long for it are shortened at their
 * start, other cells in the middle. The reasons of images that are not verified take the columns right of the image.
 */
export function printTable(stderr: Lines, rows: readonly ImageRow[], look: Look): void {
  const hasIssuers = look.columns >= WIDE_ENOUGH && rows.some(({ result }) => result.ok && result.issuer !== "");
  const shown = (cells: readonly string[]) => cells.filter((_, column) => column !== 2 || hasIssuers);
  const titles = shown(TITLES);
  const cellsOf = ({ image, result }: ImageRow) =>
    result.ok ? shown([image, result.signer, result.issuer, result.time, result.logIndex]) : [image];
  const good = rows.filter(({ result }) => result.ok);
  const marks = rows.map(({ result }) => mark(result.ok ? "good" : "bad", look));
  const markWidth = Math.max(...marks.map(({ text }) => text.length)) + 1;
  const natural = titles.map((title, column) =>
    Math.max(good.length > 0 ? widthOf(title) : 0, ...rows.map((row) => widthOf(cellsOf(row)[column] ?? ""))),
  );
  const reasons = Math.max(0, ...rows.map(({ result }) => (result.ok ? 0 : widthOf(result.reason))));
  const widths = fitted(natural, { room: look.columns - markWidth, reasons });
  const cell = (text: string, width: number, column: number) => {
    const short = column === 0 ? shortenStart(text, width, look) : shorten(text, width, look);
    return short + " ".repeat(Math.max(0, width - widthOf(short)));
  };
  const line = (first: Part, cells: readonly string[], style?: Style) => {
    const text = cells.map((each, column) => cell(each, widths[column] ?? 0, column)).join(GAP);
    const start = { ...first, text: first.text.padEnd(markWidth) };
    writeLine(stderr, [start, { text: text.trimEnd(), ...(style ? { style } : {}) }]);
  };
  if (good.length > 0) line({ text: "" }, titles, "strong");
  for (const [index, row] of rows.entries()) {
    const { image, result } = row;
    const start = marks[index] ?? { text: "" };
    if (result.ok) {
      line(start, cellsOf(row));
      continue;
    }
    const name = `${cell(image, widths[0] ?? 0, 0)}${GAP}`;
    const parts = [{ ...start, text: start.text.padEnd(markWidth) }, { text: name }, { text: result.reason }];
    writeLine(stderr, parts, { hanging: markWidth + widthOf(name) });
  }
}

/** Widths of the columns: the image gets up to its share of the line, then the widest of the others are made narrower until all fit. */
function fitted(natural: readonly number[], { room, reasons }: { room: number; reasons: number }): number[] {
  const [image = 0, ...others] = natural;
  const gaps = GAP.length * others.length;
  const sum = () => others.reduce((total, width) => total + width, gaps);
  const share = Math.max(MIN_WIDTH, Math.floor(room * IMAGE_SHARE));
  const isRoomy = image + sum() <= room && image + GAP.length + reasons <= room;
  const first = isRoomy ? image : Math.min(image, share);
  while (first + sum() > room) {
    const widest = Math.max(...others);
    if (widest <= MIN_WIDTH) break;
    others[others.indexOf(widest)] = widest - 1;
  }
  return [Math.min(first, Math.max(MIN_WIDTH, room - sum())), ...others];
}
