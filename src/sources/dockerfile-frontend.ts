import { TsignError } from "../errors.ts";
import { directive } from "./dockerfile-lines.ts";
import { trimStart } from "./white-space.ts";

/**
 * The image that BuildKit pulls and runs to read a Dockerfile, from its `# syntax=` directive (frontend/dockerfile/parser,
 * DetectSyntax), which may stand below a `#!` line.
 *
 * @returns its name as it is written; undefined where the Dockerfile is BuildKit's own to read
 * @throws TsignError "input" for a frontend that is named as no Dockerfile names it, or that only some versions take for one
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
    throw new TsignError("input", `${where}: not every version of BuildKit takes ${image} for the frontend`, {
      hint: "write `# syntax=IMAGE` as the first line, or leave it out",
    });
  }
  const image = trimStart(text).startsWith("{") ? syntaxOfJson(text) : undefined;
  if (image === undefined) return undefined;
  throw new TsignError("input", `${path} is read by the frontend ${image}, and is not a Dockerfile`);
}

/**
 * Whether an image is one of those that Docker publishes from the sources of BuildKit's own reader, which nobody else can push
 * to. Their images carry no signature, and nearly every Dockerfile that has a syntax line names one.
 *
 * @param image as the Dockerfile writes it, with or without a tag or digest
 */
export function isDockersFrontend(image: string): boolean {
  return /^((index\.)?docker\.io\/)?docker\/dockerfile(-upstream)?([:@]|$)/.test(image);
}

/** More directives than there are names for them. */
const MAX_DIRECTIVES = 100;

/**
 * The value of the syntax directive among the lines that look like directives.
 *
 * @returns late: it stands behind one that BuildKit does not know, where its older versions found it
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
