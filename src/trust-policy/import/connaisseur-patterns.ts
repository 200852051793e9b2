import { type ImagePattern, MAX_PATTERN, parseImagePattern } from "../image-names.ts";
import { meets } from "./combine.ts";
import { split } from "./patterns.ts";

/**
 * Sorts the more specific pattern first: more parts, then longer beginnings of parts that are equal to those of the image, then
 * longer parts, and of equal ones the last (internal/policy, Match.Compare).
 */
export function bySpecificity<T extends { readonly pattern: string }>(entries: readonly T[]): T[] {
  return [...entries].reverse().sort((one, other) => compare(one.pattern, other.pattern));
}

function compare(one: string, other: string): number {
  const [a, b] = [one.split("/"), other.split("/")];
  if (a.length !== b.length) return b.length - a.length;
  // An image of Docker Hub is index.docker.io/…, so that docker.io has no beginning in common with it.
  const literal = (part: string) => (part === "docker.io" ? 0 : part.replace(/\*.*$/, "").length);
  for (const measure of [literal, (part: string) => part.length]) {
    for (const [index, part] of a.entries()) {
      const difference = measure(b[index] ?? "") - measure(part);
      if (difference !== 0) return difference;
    }
  }
  return 0;
}

/**
 * Whether the image decides which of two patterns with as many parts is more specific: a `*` before the last part may stand for
 * several parts of the image, so that later parts are compared with others.
 */
export function rivals(one: string, other: string): boolean {
  return one.split("/").length === other.split("/").length && /\*.*\//.test(one);
}

/** Names of images that a rule decides on, and that another pattern matches behind a part of the registry's host or path. */
interface Overlap {
  /** Patterns for these names; they may match others, too. */
  readonly images: readonly string[];
  /** Whether no pattern can name them. */
  readonly everywhere: boolean;
}

/**
 * Connaisseur finds a pattern anywhere in the name of an image: `docker.io/team/*` also matches `mirror.example/docker.io/team/x`,
 * which a rule for `mirror.example/**` decides on here.
 *
 * @param rule pattern of this program
 * @param pattern of Connaisseur, which names a registry's host
 */
export function overlap(rule: ImagePattern, pattern: string): Overlap {
  const text = rule.repository.text;
  const beginning = text.replace(/\*.*$/s, "");
  if (beginning === "") return { images: [], everywhere: true };
  const { repository } = split(pattern.replace(/\*+/g, "**"));
  const whole = repository.endsWith("**") ? repository : `${repository}**`;
  const literal = whole.replace(/\*.*$/s, "");
  // The rule for the pattern itself decides on index.docker.io/….
  const own = literal.startsWith("docker.io/") && text.startsWith("index.docker.io/") ? "index.".length : 0;
  const found = [`${beginning}**${whole}`];
  for (let at = 1; at < beginning.length; at++) {
    const rest = beginning.slice(at);
    if (at === own) continue;
    if (rest.startsWith(literal)) return { images: [], everywhere: true };
    if (literal.startsWith(rest)) found.push(`${beginning}${whole.slice(rest.length)}`);
  }
  const written = found.map((each) => each.replace(/\*{3,}/g, "**"));
  // What cannot be written otherwise matches no image: no path has a colon or a capital letter.
  const images = written.filter((each) => each.length > MAX_PATTERN || meetsImage(rule, each));
  return { images, everywhere: images.some((each) => each.length > MAX_PATTERN) };
}

function meetsImage(rule: ImagePattern, text: string): boolean {
  const pattern = parseImagePattern(text);
  return !("wrong" in pattern) && meets(rule, pattern);
}
