import { TsignError } from "../errors.ts";
import { DockerfileArguments } from "./dockerfile-arguments.ts";
import { frontendImage } from "./dockerfile-frontend.ts";
import { type Instruction, readInstructions } from "./dockerfile-lines.ts";
import { readSources, type Source } from "./dockerfile-options.ts";
import { decodeDocument, lineOf, nameOfCharacter } from "./text.ts";
import { splitAtSpaces } from "./white-space.ts";

/** Which images a Dockerfile is built on, as BuildKit resolves them. */
export interface DockerfileImages {
  /** Every image that is built on, copied or mounted from, in order, none twice. The frontend, if there is one, is first. */
  readonly images: readonly string[];
  /** The image of `# syntax=`, which BuildKit runs to read the file, whether it is among the images or not. */
  readonly frontend: string | undefined;
  /** What was passed over, for people. */
  readonly notices: readonly string[];
}

/** How a Dockerfile is built. */
export interface DockerfileOptions {
  /** Names the file in errors. */
  readonly path: string;
  /** Gives build arguments the values that the file does not. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The image that the last stage stands on, and no other but the frontend. */
  readonly baseOnly: boolean;
  /** Whether a frontend is left out of the images; none is without it. */
  readonly ignoreFrontend?: (image: string) => boolean;
  /** The platform that is built for and on, `os/architecture[/variant]`; linux/amd64 by default. */
  readonly platform?: string;
}

/** Real ones have some kilobytes; BuildKit takes 16 MiB. Bytes. */
const MAX_DOCKERFILE = 4 * 1024 * 1024;

/**
 * Finds the images in a Dockerfile as BuildKit v0.34 does (frontend/dockerfile/dockerfile2llb): the frontend of `# syntax=`,
 * `FROM`, `COPY --from`, `RUN --mount=…,from=` and the same in `ONBUILD`, with global build arguments, stage names and
 * numbers resolved. Every stage counts, whether the last one needs it or not.
 *
 * @param content the file's bytes, or its text
 * @throws TsignError "input" (with the line) for what BuildKit refuses, for characters that its readers take for different
 *   things, and where there is no image; "limit" for a file or a build argument that is too large
 */
export function dockerfileImages(content: string | Uint8Array, options: DockerfileOptions): DockerfileImages {
  const { path, baseOnly } = options;
  const text = decodeDocument(content, { path, maxBytes: MAX_DOCKERFILE });
  refuseCharacters(text, path);
  const frontend = frontendImage(text, path);
  const { instructions, escaping } = readInstructions(text, path);
  const found = new Finder();
  const args = new DockerfileArguments({ ...options, escaping });
  const lastStage = instructions.findLast(({ keyword }) => keyword === "FROM");
  args.setTargetStage(lastStage ? stageName(splitAtSpaces(lastStage.rest)) : undefined);
  for (const instruction of instructions) {
    const where = `${path}:${instruction.line}`;
    const sources = [instruction, ...(instruction.trigger ? [instruction.trigger] : [])].flatMap((each) =>
      readSources(each, { where, escaping }),
    );
    if (instruction.keyword === "FROM") found.addStage(readFrom(instruction, { where, args }));
    else if (found.stages > 0) for (const source of sources) found.addSource(source);
    else if (instruction.keyword === "ARG") args.define(instruction.rest, where);
    else throw new TsignError("input", `${where}: ${instruction.keyword} stands before the first FROM`);
  }
  const built = baseOnly ? found.bases : found.images;
  if (built.length === 0) throw new TsignError("input", `no images found in ${path}`);
  const images = [
    ...new Set(frontend === undefined || options.ignoreFrontend?.(frontend) ? built : [frontend, ...built]),
  ];
  return { images, frontend, notices: [...args.notices, ...found.notices] };
}

/**
 * What one reader takes for white space or the end of a line and another does not, and what shows text in another order than
 * it has. White space of other scripts may stand in comments.
 */
const READ_DIFFERENTLY =
  /[\0-\x08\v\f\x0E-\x1F\x7F-\x9F\u061C\u180E\u200B\u200E\u200F\u2028-\u202E\u2060\u2066-\u2069\uFEFF]|\r(?!\n)|[\xA0\u1680\u2000-\u200A\u202F\u205F\u3000]/g;

function refuseCharacters(text: string, path: string): void {
  for (const { 0: character, index } of text.matchAll(READ_DIFFERENTLY)) {
    if (character === "\uFEFF" && index === 0) continue;
    if (/\p{Zs}/u.test(character)) {
      const start = text.lastIndexOf("\n", index) + 1;
      if (/^[ \t]*#/.test(text.slice(start, index))) continue;
    }
    const reason = `${nameOfCharacter(character)} is not read alike by every program that reads Dockerfiles`;
    throw new TsignError("input", `${path}:${lineOf(text, index)}: ${reason}`, { hint: "take the character out" });
  }
}

/** The stages and images met so far. */
class Finder {
  readonly images: string[] = [];
  readonly notices: string[] = [];
  /** How many stages there are. */
  stages = 0;
  /** The image that the last stage stands on; for `scratch`, that of the stage before it. */
  bases: readonly string[] = [];
  /** By name in lower case, the image that the stage stands on; of two stages of a name, the later. */
  readonly #bases = new Map<string, readonly string[]>();

  /** BuildKit compares what FROM names with names in lower case as it is written. */
  addStage({ image, name }: { image: string; name: string | undefined }): void {
    const base = this.#resolve(image, this.#bases.get(image));
    if (name !== undefined) this.#bases.set(name, base);
    if (base.length > 0) this.bases = base;
    this.stages++;
  }

  /** A number is that of an earlier stage. */
  addSource({ name, mayBeIndex }: Source): void {
    const isStage = mayBeIndex && /^[+-]?[0-9]{1,15}$/.test(name) && Number(name) >= 0 && Number(name) < this.stages;
    if (!isStage) this.#resolve(name, this.#bases.get(name.toLowerCase()));
  }

  #resolve(name: string, earlier: readonly string[] | undefined): readonly string[] {
    if (earlier) this.notices.push(`- stage reference ignored: ${name}`);
    else if (name === "scratch") this.notices.push("- scratch image ignored");
    else this.images.push(name);
    return earlier ?? (name === "scratch" ? [] : [name]);
  }
}

/** The name that a stage is given, in lower case. */
function stageName(words: readonly string[]): string | undefined {
  const [, as, name, ...more] = words;
  return as?.toLowerCase() === "as" && more.length === 0 ? name?.toLowerCase() : undefined;
}

function readFrom(
  { rest }: Instruction,
  { where, args }: { where: string; args: DockerfileArguments },
): { image: string; name: string | undefined } {
  const words = splitAtSpaces(rest);
  const name = stageName(words);
  if (words.length !== 1 && name === undefined) {
    throw new TsignError("input", `${where}: FROM takes an image, and AS a name`);
  }
  if (name !== undefined && !/^[a-z][a-z0-9-_.]*$/.test(name)) {
    throw new TsignError("input", `${where}: ${words[2]} cannot be the name of a stage`);
  }
  return { image: args.expandImage(words[0] ?? "", where), name };
}
