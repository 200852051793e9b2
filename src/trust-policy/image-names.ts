import { TsignError } from "../errors.ts";
import { isDigest } from "../format/digest.ts";
import type { Reference, Repository } from "../oci/ref.ts";
import { type Glob, matchesGlob, parseGlob } from "./glob.ts";

const DOCKER_HUB = "index.docker.io";
/** Other names of Docker Hub's registry: an image under one of them is the same image. */
const HUB_NAMES = new Set(["docker.io", DOCKER_HUB, "registry-1.docker.io", "registry.hub.docker.com"]);
/** What a pattern may contain: names and tags are made of these characters. */
const CHARACTERS = /^[a-zA-Z0-9._/:*[\]-]+$/;
export const MAX_PATTERN = 512;

/** A pattern for images: their repository, and the tag if the pattern has one. */
export interface ImagePattern {
  readonly text: string;
  readonly repository: Glob;
  /** Undefined: any tag, and images named by digest. With a tag, the pattern matches no image named by digest. */
  readonly tag: Glob | undefined;
}

/**
 * Parses a pattern for images: `registry/repository` or `registry/repository:tag` with `*` and `**`, or `**` for every image. The
 * registry's host is written out, except that its first label may be `*`.
 *
 * @returns the pattern, or what is wrong with it and what to write
 */
export function parseImagePattern(text: string): ImagePattern | { readonly wrong: string; readonly hint: string } {
  if (text === "**") return { text, repository: parseGlob(text) as Glob, tag: undefined };
  if (text.length > MAX_PATTERN)
    return { wrong: `longer than ${MAX_PATTERN} characters`, hint: "write several patterns" };
  if (text.includes("@")) {
    return {
      wrong: "a pattern cannot contain a digest",
      hint: "write registry/repository, and the digest in `denied`",
    };
  }
  if (!CHARACTERS.test(text)) {
    return { wrong: "unexpected character", hint: "use letters, digits, and . _ - / : with * and ** for any run" };
  }
  const slash = text.indexOf("/");
  const host = text.slice(0, Math.max(slash, 0));
  const hostHint = `write the registry's host: docker.io/${slash < 0 ? "library/" : ""}${text}, or registry.example/${text}`;
  if (!/[.:[]/.test(host) && host !== "localhost") return { wrong: "missing registry host", hint: hostHint };
  if (/\*/.test(host.replace(/^\*\./, ""))) {
    return { wrong: "wildcard in the registry's host", hint: "write the host out; only its first label may be *" };
  }
  const path = text.slice(slash + 1);
  const colon = path.lastIndexOf(":");
  const tag = colon < 0 ? undefined : parseGlob(path.slice(colon + 1));
  if (/^[^/*][^/]*\*\*/.test(path) && HUB_NAMES.has(host.toLowerCase())) {
    return {
      wrong: "** after the start of a name on Docker Hub",
      hint: "write docker.io/library/NAME* or docker.io/OWNER*/**",
    };
  }
  const repository = parseGlob(normalName(host, colon < 0 ? path : path.slice(0, colon)));
  if (!repository || (colon >= 0 && !tag)) return { wrong: "more than two * in a row", hint: "write * or **" };
  if (colon >= 0 && /[/:]/.test(path.slice(colon + 1)))
    return { wrong: "/ in a tag", hint: "write one colon, before the tag" };
  if (path === "" || /^\/|\/\/|\/$|:/.test(colon < 0 ? path : path.slice(0, colon)) || tag?.text === "") {
    return { wrong: "empty part", hint: "write registry/repository, with an optional :tag" };
  }
  if (/[A-Z]/.test(repository.text.slice(repository.text.indexOf("/")))) {
    return {
      wrong: "capital letter in a repository",
      hint: "write it in lower case: no repository has capital letters",
    };
  }
  return { text, repository, tag };
}

/** Whether a pattern matches an image as it is named. */
export function matchesImage({ repository, tag }: ImagePattern, ref: Reference): boolean {
  if (!matchesGlob(repository, normalName(ref.registry, ref.repository))) return false;
  if (tag === undefined) return true;
  return !isDigest(ref.identifier) && matchesGlob(tag, ref.identifier);
}

/** Whether two names are of the same repository, in any spelling. */
export function isSameRepository(one: Repository, other: Repository): boolean {
  return normalName(one.registry, one.repository) === normalName(other.registry, other.repository);
}

/**
 * One name for each repository: the host as a URL writes it, without a final dot and without the ports of HTTPS and HTTP (a registry
 * without TLS is read at port 80 with and without it in the name), one name for Docker Hub, and the path without empty parts, which
 * servers leave out. Otherwise another spelling would escape from the rule for the repository to a later one.
 */
function normalName(host: string, written: string): string {
  const path = written.split("/").filter(Boolean).join("/");
  const name = normalHost(host);
  if (name !== DOCKER_HUB) return `${name}/${path}`;
  return `${DOCKER_HUB}/${path.includes("/") || path.startsWith("**") ? path : `library/${path}`}`;
}

/** One name for each registry, as normalName has it. */
export function normalHost(host: string): string {
  const withPort = URL.parse(`https://${host}`)?.host ?? host.toLowerCase();
  const name = withPort.replace(/\.(?=:\d+$|$)/, "").replace(/:80$/, "");
  return HUB_NAMES.has(name) ? DOCKER_HUB : name;
}

/**
 * What follows a place in the name of an image, whole parts of the path: "" for the place itself.
 *
 * @param place normal name of a registry or a path in it
 * @returns undefined for an image elsewhere
 */
export function restBelow(place: string, { registry, repository }: Repository): string | undefined {
  const name = normalName(registry, repository);
  return name === place || name.startsWith(`${place}/`) ? name.slice(place.length) : undefined;
}

/** Whether a pattern matches a file by its name, without its folder. */
export function matchesFile(pattern: Glob, path: string): boolean {
  return matchesGlob(pattern, path.replace(/^.*[/\\]/s, ""));
}

/**
 * Parses a pattern for the names of files, without folders.
 *
 * @throws TsignError "input"
 */
export function parseFilePattern(text: string): Glob {
  const glob = parseGlob(text);
  if (glob && text !== "" && !/[/\\]|\*\*/.test(text)) return glob;
  throw new TsignError("input", `invalid pattern for a file's name: "${text}"`, {
    hint: "write the name without its folder, with * for any run of characters",
  });
}
