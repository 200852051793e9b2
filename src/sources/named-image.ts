import { TsignError } from "../errors.ts";
import type { Scalar } from "./yaml-cursor.ts";
import { isPlain, NOT_TEXT, NULL } from "./yaml-types.ts";

/** An image that a file names, once for each place that names it. */
export interface NamedImage {
  /** The reference, with variables expanded: `registry/repository:tag` or `…@sha256:…`, of which parts may be absent. */
  readonly image: string;
  /** The line in the file, from 1. */
  readonly line: number;
  /** What named it: `containers`, `services.web.image`, `FROM`. */
  readonly field: string;
  /** How to pin it to a digest in the file; undefined where the text there is not the reference. */
  readonly edit: Edit | undefined;
}

/** A part of one line, and what replaces it. */
export interface Edit {
  /** From 1. */
  readonly line: number;
  /** From 0, in UTF-16 code units, without a byte order mark. */
  readonly column: number;
  readonly length: number;
  /** @param digest `sha256:…` */
  readonly text: (digest: string) => string;
}

/** Where a scalar's text is. */
export interface Place {
  readonly line: number;
  readonly column: number;
  readonly length: number;
}

/** The images of a file. */
export interface SourceImages {
  /** In the order of the file; the same image again for each place that names it. */
  readonly images: readonly NamedImage[];
  /** Messages about what is not among the images. */
  readonly notices: readonly string[];
  /** For a file without images: the reason, if one is known, and what to do. */
  readonly absence?: { readonly reason?: string; readonly hint: string } | undefined;
}

/** Returns the edit that replaces a whole reference by its repository and a digest; the tag is left out. */
export function referenceEdit(image: string, place: Place): Edit {
  return { ...place, text: (digest) => `${repositoryOf(image)}@${digest}` };
}

/** Returns a reference without its tag. */
function repositoryOf(image: string): string {
  const colon = image.lastIndexOf(":");
  return colon > image.lastIndexOf("/") ? image.slice(0, colon) : image;
}

/** Reports whether a reference has a digest. */
export function hasDigest(image: string): boolean {
  return image.includes("@");
}

/**
 * Returns the text of a scalar that names an image or a part of its name; undefined for null and for an empty text.
 *
 * @param where `FILE:LINE`
 * @param field what the scalar is, for errors
 * @throws TsignError "input" for a value that is not a string to every parser, and for templates and variables
 */
export function imageText(scalar: Scalar, where: string, field: string): string | undefined {
  const { value, tag } = scalar;
  if (tag === "null" || (isPlain(scalar) && NULL.test(value)) || value === "") return undefined;
  if ((tag !== undefined && tag !== "str") || (isPlain(scalar) && NOT_TEXT.test(value))) {
    throw new TsignError("input", `${where}: ${field} is not a string: ${value}`);
  }
  if (scalar.folded) throw new TsignError("input", `${where}: ${field} spans several lines`);
  refuseUnexpanded(value, where);
  return value;
}

/**
 * Refuses text that another program must expand first.
 *
 * @param where `FILE:LINE`
 * @throws TsignError "input"
 */
export function refuseUnexpanded(text: string, where: string): void {
  if (text.includes("{{") || text.includes("}}")) throw unexpandedTemplate(text, where);
  if (!text.includes("$")) return;
  throw new TsignError("input", `${where}: unexpanded variable in ${text}`, {
    hint: "verify the output of `envsubst`, or for a compose file that of `docker compose config`",
  });
}

/** Returns the error for a template of Helm, Go or Jinja. */
export function unexpandedTemplate(text: string, where: string): TsignError {
  return new TsignError("input", `${where}: unexpanded template: ${text.trim()}`, {
    hint: "verify the output of `helm template`",
  });
}
