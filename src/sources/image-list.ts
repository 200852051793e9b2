import { TsignError } from "../errors.ts";
import type { SourceDocument } from "./documents.ts";
import { imageText, type NamedImage, referenceEdit, refuseUnexpanded, type SourceImages } from "./named-image.ts";
import { decodeDocument } from "./text.ts";

/** Largest list, in bytes. */
const MAX_LIST = 8 * 1024 * 1024;
/** What a reference may contain, with the brackets of an IPv6 host. */
const REFERENCE = /^[A-Za-z0-9._/:@[\]-]+$/;

/**
 * Reads a list of images: one on a line; a `#` at the start of a line or after white space begins a comment.
 *
 * @param content the file's bytes, or its text
 * @param path name of the file in errors
 * @throws TsignError "input" (with the line) for a line that is not one reference; "limit" for a list that is too large
 */
export function listedImages(content: string | Uint8Array, path: string): SourceImages {
  const text = decodeDocument(content, { path, maxBytes: MAX_LIST }).replace(/^\uFEFF/, "");
  const images: NamedImage[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    const where = `${path}:${index + 1}`;
    const image = listedOn(line);
    if (image === "") continue;
    refuseUnexpanded(image, where);
    if (/[ \t]/.test(image)) throw new TsignError("input", `${where}: expected one image on a line`);
    if (!REFERENCE.test(image)) throw new TsignError("input", `${where}: ${image} is not an image reference`);
    const place = { line: index + 1, column: line.indexOf(image), length: image.length };
    images.push({ image, line: index + 1, field: "line", edit: referenceEdit(image, place) });
  }
  return { images, notices: [] };
}

/** The text of a line without its comment, its end, and the space around it. */
export function listedOn(line: string): string {
  return line
    .replace(/\r$/, "")
    .replace(/(?:^|[ \t])[ \t]*#.*$/, "")
    .replace(/^[ \t]+|[ \t]+$/g, "");
}

/**
 * Reads an array of references, JSON or YAML.
 *
 * @throws TsignError "input" (with the line) for an item that is not a string
 */
export function arrayImages({ root, lines }: SourceDocument): SourceImages {
  if (root.kind !== "sequence") throw new TsignError("input", `${lines.where(root.at)}: expected an array of images`);
  const images = root.items.map((item): NamedImage => {
    const where = lines.where(item.at);
    const image = item.kind === "scalar" ? imageText(item, where, "item of the array") : undefined;
    if (item.kind !== "scalar" || image === undefined) {
      throw new TsignError("input", `${where}: item of the array is not an image reference`);
    }
    const place = lines.place(item);
    return { image, line: place.line, field: "item", edit: referenceEdit(image, place) };
  });
  return { images, notices: [] };
}
