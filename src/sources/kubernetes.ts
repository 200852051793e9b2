import { parseAllDocuments } from "yaml";
import { TsignError } from "../errors.ts";
import { isObject } from "../format/json.ts";

const CONTAINERS = ["initContainers", "containers", "ephemeralContainers"];
/** Manifests nest a dozen levels deep. */
const MAX_DEPTH = 100;

/**
 * Finds the images in a stream of Kubernetes manifests, YAML or JSON: those of containers, init and ephemeral containers,
 * and image volumes, wherever they are, so that lists and pod templates of custom resources are found too.
 *
 * @returns references in the order of the stream, none twice
 * @throws TsignError "input" for what is not YAML, an image that is not text, and manifests without any image
 */
export function manifestImages(text: string, path: string): string[] {
  const found = new Set<string>();
  for (const document of parseAllDocuments(separateJson(text), { merge: true, logLevel: "silent" })) {
    const [problem] = document.errors;
    if (problem) throw new TsignError("input", `${path} is not YAML: ${problem.message.split("\n")[0]}`);
    visit(toValue(document, path), { path, found, depth: 0 });
  }
  if (found.size === 0) throw new TsignError("input", `no images found in ${path}`);
  return [...found];
}

/**
 * JSON objects that follow one another without a separator, as `kubectl` and `jq` print them, get one: to YAML they would be
 * an error. Anything else is left as it is.
 */
function separateJson(text: string): string {
  if (!/^\uFEFF?\s*\{/.test(text)) return text;
  let [depth, separated, start] = [0, "", 0];
  for (const { 0: token, index } of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}]/gs)) {
    if (token === "{" && depth === 0 && index > 0 && /^\s*$/.test(text.slice(start, index))) separated += "\n---\n";
    if (token === "{") depth++;
    if (token !== "}" || --depth !== 0) continue;
    separated += text.slice(start, index + 1);
    start = index + 1;
  }
  return separated + text.slice(start);
}

/** Aliases are followed a hundred times at most: the few lines that would become gigabytes are refused. */
function toValue(document: { toJS(): unknown }, path: string): unknown {
  try {
    return document.toJS();
  } catch (cause) {
    throw new TsignError("input", `${path} cannot be read: ${cause instanceof Error ? cause.message : "bad YAML"}`, {
      cause,
    });
  }
}

interface Visit {
  readonly path: string;
  readonly found: Set<string>;
  readonly depth: number;
}

function visit(value: unknown, by: Visit): void {
  if (by.depth > MAX_DEPTH) throw new TsignError("limit", `${by.path} is nested deeper than ${MAX_DEPTH} levels`);
  const below = { ...by, depth: by.depth + 1 };
  if (Array.isArray(value)) for (const each of value) visit(each, below);
  if (!isObject(value)) return;
  for (const key of CONTAINERS) for (const each of asList(value[key])) addImage(each["image"], { ...by, of: key });
  for (const { image } of asList(value["volumes"])) {
    if (isObject(image)) addImage(image["reference"], { ...by, of: "volumes" });
  }
  for (const each of Object.values(value)) visit(each, below);
}

function asList(value: unknown): Record<string, unknown>[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

/** One without an image gets it from elsewhere; it says nothing about images. */
function addImage(image: unknown, { path, found, of }: Visit & { of: string }): void {
  if (image === undefined || image === null || image === "") return;
  if (typeof image !== "string") throw new TsignError("input", `an image under ${of} in ${path} is not text: ${image}`);
  found.add(image);
}
