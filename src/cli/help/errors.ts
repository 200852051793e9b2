import type { ErrorCode } from "../../errors.ts";
import { ERROR_PAGES } from "./error-pages.ts";
import { type Screen, section, wrap } from "./layout.ts";

/** Every error code, in the order of errors.ts. */
export const ERROR_CODES = Object.keys(ERROR_PAGES) as readonly ErrorCode[];

/**
 * The text of `tsign help CODE`; undefined for anything but one error code.
 *
 * @param words what follows `help`, and perhaps `--help`
 */
export function errorHelp(words: readonly string[], screen: Screen): string | undefined {
  const [word, ...more] = words.filter((each) => each !== "--help");
  const code = ERROR_CODES.find((each) => each === word);
  if (code === undefined || more.length > 0) return undefined;
  const { meaning, causes, remedies, example } = ERROR_PAGES[code];
  const list = (lines: readonly string[]) => lines.map((line) => listItem(line, screen)).join("\n");
  const sections = [
    wrap(`Error ${code}: ${meaning}`, { columns: screen.columns, indent: 0 }),
    section("Usual causes", list(causes), screen),
    section("What to do", list(remedies), screen),
    section("Example", `  $ ${example.command}\n  Error: ${example.error}`, screen),
  ];
  return `${sections.join("\n\n")}\n`;
}

function listItem(text: string, { columns }: Screen): string {
  return `  - ${wrap(text, { columns, indent: 4 }).trimStart()}`;
}
