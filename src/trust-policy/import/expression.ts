import { parseImagePattern } from "../image-names.ts";
import type { Fields } from "./source.ts";

/** What may follow the repository in the name of an image. */
const ANY_VERSION = "(:[^/@]+)?(@sha256:[0-9a-f]{64})?";

/**
 * The CEL expression that is true for the names of images that a pattern matches.
 *
 * @param images patterns of this program
 */
export function toExpression(images: readonly string[]): string {
  return images.map((image) => `ref.matches('^${regexpOf(image)}$')`).join(" || ");
}

/** The expression for all other images. */
export function otherwise(images: readonly string[]): string {
  return `!(${toExpression(images)})`;
}

function regexpOf(image: string): string {
  if (image === "**") return ".*";
  const pattern = parseImagePattern(image);
  const tagAt = "wrong" in pattern || pattern.tag === undefined ? image.length : image.lastIndexOf(":");
  const [repository, tag] = [image.slice(0, tagAt), image.slice(tagAt + 1)];
  return `${runs(repository, "[^/:@]", "[^:@]")}${tagAt === image.length ? ANY_VERSION : `:${runs(tag, "[^/@]", "[^/@]")}`}`;
}

/** A port's colon is written out; a run has none. */
function runs(text: string, single: string, double: string): string {
  return text
    .split(/(\*\*|\*)/)
    .map((part) => (part === "**" ? `${double}*` : part === "*" ? `${single}*` : part.replace(/[.]/g, "[.]")))
    .join("");
}

const CALL = /^ref\.matches\('\^(.+)\$'\)$/;

/** The patterns of an expression as toExpression writes it; undefined for another one. */
export function fromExpression(expression: string): string[] | undefined {
  const images = expression.split(" || ").map((call) => {
    const regexp = CALL.exec(call)?.[1] ?? "";
    if (regexp === ".*") return "**";
    return regexp
      .replace(ANY_VERSION, "")
      .replaceAll("[^/:@]*", "*")
      .replaceAll("[^:@]*", "**")
      .replaceAll("[^/@]*", "*")
      .replaceAll("[.]", ".");
  });
  const isOwn = images.every((image) => image !== "" && !("wrong" in parseImagePattern(image)));
  return isOwn && toExpression(images) === expression ? images : undefined;
}

/** The patterns of an expression as `otherwise` writes it; undefined for another one. */
export function fromOtherwise(expression: string): string[] | undefined {
  return expression.startsWith("!(") && expression.endsWith(")") ? fromExpression(expression.slice(2, -1)) : undefined;
}

/** The lists of images in a Pod; Kyverno leaves only those in them that the policy matches. It makes no list of image volumes itself. */
export const LISTS = ["containers", "initContainers", "ephemeralContainers", "volumes"] as const;

/** What makes the list of image volumes. */
export const VOLUMES = {
  name: "volumes",
  expression: "object.spec.?volumes.orValue([]).filter(v, has(v.image)).map(v, v.image.reference)",
} as const;

/** The CEL expression that is false for each Pod with an image that the policy matches. */
export const NO_IMAGE = LISTS.map((list) => `images.${list}.all(image, false)`).join(" && ");

const NOBODY_ISSUER = "https://nobody.invalid";

/** An attestor that has signed nothing, for policies that ask for none: Kyverno takes no policy without attestors. */
export const NOBODY = {
  name: "nobody",
  cosign: { keyless: { identities: [{ issuer: NOBODY_ISSUER, subject: "nobody@nobody.invalid" }] } },
} as const;

/** Whether an attestor of a policy is `NOBODY`. */
export function isNobody(attestor: Fields): boolean {
  const [identity] = attestor.fields("cosign")?.fields("keyless")?.list("identities") ?? [];
  return attestor.text("name") === NOBODY.name && identity?.text("issuer") === NOBODY_ISSUER;
}
