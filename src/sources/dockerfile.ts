import { TsignError } from "../errors.ts";
import { type Instruction, readInstructions } from "./dockerfile-lines.ts";

/** Which images a Dockerfile is built on, as the build would resolve them. */
export interface DockerfileImages {
  /** Every image that is built on, copied or mounted from, in order, none twice. */
  readonly images: readonly string[];
  /** What was passed over, for people. */
  readonly notices: readonly string[];
}

/** Arguments that the build itself gives a value (Dockerfile reference, "Automatic platform ARGs in the global scope"). */
const AUTOMATIC = /^(TARGET|BUILD)(PLATFORM|OS|ARCH|VARIANT)$/;

/** One `FROM`: the image it stands on in the end, undefined for `scratch`. */
interface Stage {
  readonly name: string | undefined;
  readonly image: string | undefined;
}

/**
 * Finds the images in a Dockerfile (Dockerfile reference): `FROM`, `COPY --from` and `RUN --mount=…,from=`, with build
 * arguments, stage names and numbers resolved. An argument has the default of its `ARG`, else the variable of that name. One
 * that no build would resolve, because its `ARG` or `ENV` stands in another stage, has that value, as cosign gives it.
 *
 * @param options.baseOnly the image the last stage stands on, and no other
 * @throws TsignError "input" when there is no image, or one that cannot be made out
 */
export function dockerfileImages(
  text: string,
  options: { path: string; env: Readonly<Record<string, string | undefined>>; baseOnly: boolean },
): DockerfileImages {
  const { path, env, baseOnly } = options;
  const found = new Finder();
  const global = new Map<string, string>();
  let local: ReadonlyMap<string, string> = global;
  const anywhere = new Map<string, string>();
  const declared = new Set<string>();
  for (const instruction of readInstructions(text, path)) {
    const where = `${path}:${instruction.line}`;
    const lookup = (name: string) =>
      local.get(name) ?? env[name] ?? (declared.has(name) || AUTOMATIC.test(name) ? undefined : anywhere.get(name));
    const expand = (word: string) => requireExpanded(word, { lookup, where });
    switch (instruction.keyword) {
      case "ARG":
      case "ENV": {
        const defined = definitions(instruction, { lookup });
        local = new Map([...local, ...defined]);
        for (const [name, value] of defined) anywhere.set(name, value);
        if (found.stages.length > 0 || instruction.keyword === "ENV") break;
        for (const [name, value] of defined) global.set(name, value);
        for (const word of instruction.words) declared.add(word.replace(/=.*$/s, ""));
        break;
      }
      case "FROM":
        local = global; // what a stage defines ends with it
        found.addStage(readFrom(instruction, { where, expand }));
        local = new Map(global);
        break;
      default:
        for (const source of copiedFrom(instruction)) if (!baseOnly) found.addSource(expand(source));
    }
  }
  const base = found.stages.at(-1)?.image ?? found.images.at(-1);
  const images = baseOnly ? (base === undefined ? [] : [base]) : [...new Set(found.images)];
  if (images.length === 0) throw new TsignError("input", `no images found in ${path}`);
  return { images, notices: found.notices };
}

/** The stages and images met so far. */
class Finder {
  readonly stages: Stage[] = [];
  readonly images: string[] = [];
  readonly notices: string[] = [];

  addStage({ image, name }: { image: string; name: string | undefined }): void {
    this.stages.push({ image: this.#resolve(image), name });
  }

  /** A number is that of an earlier stage. */
  addSource(name: string): void {
    if (!/^\d+$/.test(name) || Number(name) >= this.stages.length) this.#resolve(name);
  }

  /** The image that a name means; of two stages of a name, the later. */
  #resolve(name: string): string | undefined {
    const earlier = this.stages.findLast((stage) => stage.name === name.toLowerCase());
    if (earlier) this.notices.push(`- stage reference ignored: ${name}`);
    else if (name === "scratch") this.notices.push("- scratch image ignored");
    else this.images.push(name);
    return earlier ? earlier.image : name === "scratch" ? undefined : name;
  }
}

/** The values of `ARG name[=default]…`, `ENV name=value…` and the older `ENV name value`; each may use those before it. */
function definitions({ keyword, words }: Instruction, { lookup }: { lookup: Lookup }): Map<string, string> {
  const defined = new Map<string, string>();
  const [first = "", ...rest] = words;
  const pairs = keyword === "ENV" && !first.includes("=") ? [`${first}=${rest.join(" ")}`] : words;
  for (const pair of pairs) {
    const [, name = "", value] = /^([^=]+)(?:=(.*))?$/s.exec(pair) ?? [];
    if (value === undefined) continue;
    defined.set(
      name,
      expandWord(value, (each) => defined.get(each) ?? lookup(each)),
    );
  }
  return defined;
}

function readFrom(
  { words }: Instruction,
  { where, expand }: { where: string; expand: (word: string) => string },
): { image: string; name: string | undefined } {
  const [image, as, name, ...more] = words.filter((word) => !word.startsWith("--"));
  const named = as?.toLowerCase() === "as" && name !== undefined && more.length === 0;
  if (image === undefined || (as !== undefined && !named)) {
    throw new TsignError("input", `${where}: FROM takes an image, and AS a name`);
  }
  return { image: expand(image), name: name?.toLowerCase() };
}

/** What `COPY --from=` and `RUN --mount=…,from=` name. */
function copiedFrom({ keyword, words }: Instruction): string[] {
  const flags = words.slice(
    0,
    Math.max(
      0,
      words.findIndex((word) => !word.startsWith("--")),
    ),
  );
  if (keyword === "COPY") return flags.flatMap((flag) => /^--from=(.+)$/s.exec(flag)?.[1] ?? []);
  if (keyword !== "RUN") return [];
  return flags
    .filter((flag) => flag.startsWith("--mount="))
    .flatMap((flag) => flag.slice("--mount=".length).split(","))
    .flatMap((option) => /^from=(.+)$/is.exec(option)?.[1] ?? []);
}

type Lookup = (name: string) => string | undefined;

/** A word that has to mean something: every argument in it has a value. */
function requireExpanded(word: string, { lookup, where }: { lookup: Lookup; where: string }): string {
  const expanded = expandWord(word, lookup, (name) => {
    throw new TsignError("input", `${where}: the build argument ${name} has no value`, {
      hint: `give it a default with ARG, or set the environment variable ${name}`,
    });
  });
  if (expanded === "" || /\$[{A-Za-z_]/.test(expanded)) {
    throw new TsignError("input", `${where}: cannot tell what ${word} is`);
  }
  return expanded;
}

/** `$NAME`, `${NAME}`, `${NAME:-default}`, `${NAME:+instead}` (Dockerfile reference, "Environment replacement"). */
function expandWord(word: string, lookup: Lookup, missing: (name: string) => string = () => ""): string {
  const variable = /\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)(?:(:?[-+])([^}]*))?\})/g;
  return word.replace(variable, (_, bare?: string, braced?: string, operator = "", other = "") => {
    const name = bare ?? braced ?? "";
    const value = lookup(name);
    const isSet = value !== undefined && (value !== "" || !operator.startsWith(":"));
    if (operator.endsWith("-")) return isSet ? value : other;
    if (operator.endsWith("+")) return isSet ? other : "";
    return value ?? missing(name);
  });
}
