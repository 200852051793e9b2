import { TsignError } from "../errors.ts";
import type { Instruction } from "./dockerfile-lines.ts";
import { ShellSyntaxError } from "./shell-patterns.ts";
import { expandWord } from "./shell-words.ts";

/** The options of each instruction (Dockerfile reference; frontend/dockerfile/instructions, v0.34). */
const OPTIONS: Readonly<Record<string, readonly string[]>> = {
  ADD: ["chown", "chmod", "link", "keep-git-dir", "checksum", "unpack", "exclude"],
  ARG: [],
  CMD: [],
  COPY: ["chown", "from", "chmod", "link", "exclude", "parents"],
  ENTRYPOINT: [],
  ENV: [],
  EXPOSE: [],
  FROM: ["platform"],
  HEALTHCHECK: ["interval", "timeout", "start-period", "start-interval", "retries"],
  LABEL: [],
  MAINTAINER: [],
  ONBUILD: [],
  RUN: ["mount", "network", "security", "device"],
  SHELL: [],
  STOPSIGNAL: [],
  USER: [],
  VOLUME: [],
  WORKDIR: [],
};
const MOUNT_OPTIONS =
  "type from source src target dst destination readonly ro readwrite rw required size id sharing mode uid gid env".split(
    " ",
  );
const NO_VARIABLES = { get: () => undefined };

type Refuse = (reason: string) => never;

/** A stage or image that an instruction copies or mounts from. */
export interface Source {
  /** The name of the stage or image. */
  readonly name: string;
  /** Whether a number refers to a stage: true for `COPY --from`, false for a mount. */
  readonly mayBeIndex: boolean;
}

/**
 * Finds the stages and images in the options of an instruction: `COPY --from=` and `RUN --mount=…,from=`.
 *
 * @param options.where file and line, for errors
 * @param options.escaping the escape character of the file
 * @throws TsignError "input" for instructions and options that BuildKit does not have, because they could contain an image, and
 *   for names that it refuses
 */
export function readSources(instruction: Instruction, options: { where: string; escaping: string }): Source[] {
  const { keyword, flags } = instruction;
  const refuse: Refuse = (reason) => {
    throw new TsignError("input", `${options.where}: ${reason}`);
  };
  const known = OPTIONS[keyword] ?? refuse(`unknown instruction ${keyword}`);
  const sources: Source[] = [];
  if (keyword === "ARG" || keyword === "STOPSIGNAL") return sources; // BuildKit does not read options for these
  for (const flag of flags) {
    const [name, value] = atEquals(flag.slice(2));
    if (!known.includes(name)) refuse(`${keyword} has no option --${name}`);
    if (name !== "from" && name !== "mount") continue;
    if (value === undefined) return refuse(`--${name} has no value`);
    if (name === "mount") {
      sources.push(...mountNames(value, refuse).map((each) => ({ name: each, mayBeIndex: false })));
    } else if (value && !isLiteral(value, options.escaping)) {
      refuse("COPY --from does not support variables, quotes or escapes; use a stage with its own FROM");
    } else if (value) sources.push({ name: value, mayBeIndex: true });
  }
  if (flags.filter((flag) => atEquals(flag)[0] === "--from").length > 1) refuse("duplicate option --from");
  return sources;
}

/** Splits a text at its first `=`. */
function atEquals(text: string): [key: string, value: string | undefined] {
  const at = text.indexOf("=");
  return at === -1 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

/** Whether a name has no variables, quotes or escapes. BuildKit does not expand it, and refuses one that a shell would change. */
function isLiteral(value: string, escaping: string): boolean {
  try {
    return expandWord(value, { escaping }, NO_VARIABLES) === value;
  } catch (error) {
    if (error instanceof ShellSyntaxError) return false;
    throw error;
  }
}

function mountNames(value: string, refuse: Refuse): string[] {
  return csvFields(value, refuse).flatMap((field) => {
    const [key, name] = atEquals(field);
    if (!MOUNT_OPTIONS.includes(key.toLowerCase())) refuse(`RUN --mount has no option ${key}`);
    if (key.toLowerCase() !== "from" || !name) return [];
    if (name.includes("$")) refuse("RUN --mount does not support variables in from; use a stage with its own FROM");
    return [name];
  });
}

/** The fields of a line of comma-separated values, with or without quotes (RFC 4180, as go-csvvalue reads it). */
function csvFields(line: string, refuse: Refuse): string[] {
  const bad = (): never => refuse(`invalid --mount options: ${line}`);
  if (line === "") bad();
  const fields: string[] = [];
  for (let at = 0; ; ) {
    if (line[at] !== '"') {
      const comma = line.indexOf(",", at);
      const field = comma === -1 ? line.slice(at) : line.slice(at, comma);
      if (field.includes('"')) bad();
      fields.push(field);
      if (comma === -1) return fields;
      at = comma + 1;
      continue;
    }
    let field = "";
    for (at++; ; at += 2) {
      const quote = line.indexOf('"', at);
      if (quote === -1) bad();
      field += line.slice(at, quote);
      at = quote;
      if (line[at + 1] !== '"') break;
      field += '"'; // a doubled quote
    }
    fields.push(field);
    if (at + 1 === line.length) return fields;
    if (line[at + 1] !== ",") bad();
    at += 2;
  }
}
