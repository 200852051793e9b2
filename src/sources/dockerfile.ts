import { TsignError } from "../errors.ts";
import { DockerfileArguments } from "./dockerfile-arguments.ts";
import { frontendImage } from "./dockerfile-frontend.ts";
import { type Instruction, readInstructions } from "./dockerfile-lines.ts";
import { readSources, type Source } from "./dockerfile-options.ts";
import { DockerfilePlaces } from "./dockerfile-places.ts";
import type { NamedImage } from "./named-image.ts";
import { decodeDocument, lineOf, nameOfCharacter } from "./text.ts";
import { splitAtSpaces } from "./white-space.ts";

/** The images that a Dockerfile uses, as BuildKit resolves them. */
export interface DockerfileImages {
  /** Every image in FROM, COPY and RUN --mount, in order, without duplicates; the frontend is first. */
  readonly images: readonly string[];
  /** The same images, once for each place that names them. */
  readonly named: readonly NamedImage[];
  /** The frontend image of `# syntax=`, which BuildKit runs to parse the file; also if it is not in `images`. */
  readonly frontend: string | undefined;
  /** Messages about what was ignored. */
  readonly notices: readonly string[];
}

/** Options of the build. */
export interface DockerfileOptions {
  /** Name of the file in errors. */
  readonly path: string;
  /** Values of build arguments that have none in the file. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Whether to return only the base image of the last stage, and the frontend. */
  readonly baseOnly: boolean;
  /** Whether to leave a frontend out of `images`; by default none is. */
  readonly ignoreFrontend?: (image: string) => boolean;
  /** Build and target platform, `os/architecture[/variant]`; by default linux/amd64. */
  readonly platform?: string;
}

/** Largest Dockerfile, in bytes; BuildKit accepts 16 MiB. */
const MAX_DOCKERFILE = 4 * 1024 * 1024;

/**
 * Finds the images in a Dockerfile as BuildKit v0.34 does (frontend/dockerfile/dockerfile2llb): the frontend of `# syntax=`,
 * `FROM`, `COPY --from`, `RUN --mount=…,from=` and the same in `ONBUILD`, with global build arguments, stage names and
 * numbers resolved. All stages are included, even if the last one does not need them.
 *
 * @param content the file's bytes, or its text
 * @throws TsignError "input" (with the line) for what BuildKit refuses, for characters that parsers read differently, and for no
 *   images; "limit" for a file or a build argument that is too large
 */
export function dockerfileImages(content: string | Uint8Array, options: DockerfileOptions): DockerfileImages {
  const { path, baseOnly } = options;
  const text = decodeDocument(content, { path, maxBytes: MAX_DOCKERFILE });
  refuseCharacters(text, path);
  const frontend = frontendImage(text, path);
  const { instructions, escaping } = readInstructions(text, path);
  const places = new DockerfilePlaces(text);
  const found = new Finder(places);
  const args = new DockerfileArguments({ ...options, escaping });
  const lastStage = instructions.findLast(({ keyword }) => keyword === "FROM");
  args.setTargetStage(lastStage ? stageName(splitAtSpaces(lastStage.rest)) : undefined);
  for (const [index, instruction] of instructions.entries()) {
    found.lines = { first: instruction.line, last: (instructions[index + 1]?.line ?? places.count + 1) - 1 };
    const where = `${path}:${instruction.line}`;
    const sources = [instruction, ...(instruction.trigger ? [instruction.trigger] : [])].flatMap((each) =>
      readSources(each, { where, escaping }),
    );
    if (instruction.keyword === "FROM") found.addStage(readFrom(instruction, { where, args }));
    else if (found.stages > 0) for (const source of sources) found.addSource(source);
    else if (instruction.keyword === "ARG") args.define(instruction.rest, where);
    else throw new TsignError("input", `${where}: ${instruction.keyword} before the first FROM`);
  }
  const built = found.named.filter(
    ({ image, field }) => !baseOnly || (field === "FROM" && found.bases.includes(image)),
  );
  if (built.length === 0) throw new TsignError("input", `no images found in ${path}`);
  const named =
    frontend === undefined || options.ignoreFrontend?.(frontend)
      ? built
      : [frontendAt(frontend, places, instructions[0]?.line ?? 1), ...built];
  const images = [...new Set(named.map(({ image }) => image))];
  return { images, named, frontend, notices: [...args.notices, ...found.notices] };
}

/**
 * Characters that only some parsers treat as white space or line breaks, and those that change the displayed order of text. White
 * space of other scripts is allowed in comments.
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
    const reason = `${nameOfCharacter(character)} is read differently by different Dockerfile parsers`;
    throw new TsignError("input", `${path}:${lineOf(text, index)}: ${reason}`, { hint: "remove the character" });
  }
}

/** The frontend, which a comment before the first instruction names. */
function frontendAt(image: string, places: DockerfilePlaces, first: number): NamedImage {
  const edit = places.edit(image, { first: 1, last: first - 1, comments: true });
  return { image, line: edit?.line ?? 1, field: "syntax", edit };
}

/** Collects stages and images. */
class Finder {
  readonly named: NamedImage[] = [];
  readonly notices: string[] = [];
  /** Number of stages. */
  stages = 0;
  /** Base image of the last stage; for `scratch`, that of the previous stage. */
  bases: readonly string[] = [];
  /** Base images of stages by lower-case name; a later stage replaces an earlier one with the same name. */
  readonly #bases = new Map<string, readonly string[]>();
  /** The lines of the instruction, from 1, the last one included. */
  lines = { first: 1, last: 1 };
  readonly #places: DockerfilePlaces;

  constructor(places: DockerfilePlaces) {
    this.#places = places;
  }

  /** Adds a stage. BuildKit compares the name in FROM, as written, with lower-case stage names. */
  addStage({ image, word, name }: { image: string; word: string; name: string | undefined }): void {
    const written = { field: "FROM", literal: unquoted(word) === image };
    const base = this.#resolve(image, this.#bases.get(image), written);
    if (name !== undefined) this.#bases.set(name, base);
    if (base.length > 0) this.bases = base;
    this.stages++;
  }

  /** Adds a source; a number refers to an earlier stage. */
  addSource({ name, mayBeIndex }: Source): void {
    const isStage = mayBeIndex && /^[+-]?[0-9]{1,15}$/.test(name) && Number(name) >= 0 && Number(name) < this.stages;
    if (isStage) return;
    this.#resolve(name, this.#bases.get(name.toLowerCase()), {
      field: mayBeIndex ? "COPY --from" : "RUN --mount",
      literal: true,
    });
  }

  #resolve(
    name: string,
    earlier: readonly string[] | undefined,
    { field, literal }: { field: string; literal: boolean },
  ): readonly string[] {
    if (earlier) this.notices.push(`- stage reference ignored: ${name}`);
    else if (name === "scratch") this.notices.push("- scratch image ignored");
    else {
      const edit = literal ? this.#places.edit(name, { ...this.lines, comments: false }) : undefined;
      this.named.push({ image: name, line: this.lines.first, field, edit });
    }
    return earlier ?? (name === "scratch" ? [] : [name]);
  }
}

/** The name of a stage, in lower case. */
function stageName(words: readonly string[]): string | undefined {
  const [, as, name, ...more] = words;
  return as?.toLowerCase() === "as" && more.length === 0 ? name?.toLowerCase() : undefined;
}

function readFrom(
  { rest }: Instruction,
  { where, args }: { where: string; args: DockerfileArguments },
): { image: string; word: string; name: string | undefined } {
  const words = splitAtSpaces(rest);
  const name = stageName(words);
  if (words.length !== 1 && name === undefined) {
    throw new TsignError("input", `${where}: expected FROM IMAGE [AS NAME]`);
  }
  if (name !== undefined && !/^[a-z][a-z0-9-_.]*$/.test(name)) {
    throw new TsignError("input", `${where}: ${words[2]} is not a valid stage name`);
  }
  const [word = ""] = words;
  return { image: args.expandImage(word, where), word, name };
}

function unquoted(word: string): string {
  return /^(["'])(.*)\1$/.exec(word)?.[2] ?? word;
}
