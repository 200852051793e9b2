import { TsignError } from "../errors.ts";
import { directive } from "./dockerfile-lines.ts";
import { trimStart } from "./white-space.ts";

/**
 * The frontend image that BuildKit runs to parse a Dockerfile, from its `# syntax=` directive (frontend/dockerfile/parser,
 * DetectSyntax), which may follow a `#!` line.
 *
 * @returns its name as written; undefined if BuildKit's built-in frontend is used
 * @throws TsignError "input" for a frontend in a file that is not a Dockerfile, or that only some versions of BuildKit use
 */
export function frontendImage(text: string, path: string): string | undefined {
  const lines = text.replace(/^\uFEFF/, "").split("\n", MAX_DIRECTIVES);
  const first = lines[0]?.startsWith("#!") ? 1 : 0;
  for (const mark of ["#", "//"]) {
    const found = findSyntax(lines.slice(first), mark);
    if (!found) continue;
    const where = `${path}:${first + found.line}`;
    const [image = ""] = found.value.split(" ");
    if (mark === "#" && !found.late) return image;
    throw new TsignError("input", `${where}: not every version of BuildKit uses ${image} as the frontend`, {
      hint: "write `# syntax=IMAGE` as the first line, or leave it out",
    });
  }
  const image = trimStart(text).startsWith("{") ? syntaxOfJson(text) : undefined;
  if (image === undefined) return undefined;
  throw new TsignError("input", `${path} requires the frontend ${image} and is not a Dockerfile`);
}

/**
 * Whether an image is one of Docker's own frontends, built from BuildKit's sources. Only Docker can push them; they are not signed,
 * and nearly every syntax line names one.
 *
 * @param image as written in the Dockerfile, with or without tag or digest
 */
export function isDockersFrontend(image: string): boolean {
  return /^((index\.)?docker\.io\/)?docker\/dockerfile(-upstream)?([:@]|$)/.test(image);
}

/** Most lines to search for directives. */
const MAX_DIRECTIVES = 100;

/**
 * The value of the syntax directive among the lines that look like directives.
 *
 * @returns late: it follows an unknown directive, where only older versions of BuildKit find it
 */
function findSyntax(
  lines: readonly string[],
  mark: string,
): { value: string; line: number; late: boolean } | undefined {
  let late = false;
  for (const [index, line] of lines.entries()) {
    const found = directive(line.replace(/\r$/, ""), mark);
    if (!found) return undefined;
    const [name, value] = found;
    if (name === "syntax") return { value, line: index + 1, late };
    if (name !== "escape" && name !== "check") late = true;
  }
  return undefined;
}

function syntaxOfJson(text: string): string | undefined {
  try {
    const { syntax } = JSON.parse(text);
    return typeof syntax === "string" ? syntax : undefined;
  } catch {
    return undefined;
  }
}
