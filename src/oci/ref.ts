import { TsignError } from "../errors.ts";
import { type Digest, isDigest } from "../format/digest.ts";

const DOCKER_HUB = "index.docker.io";
const DEFAULT_TAG = "latest";
const REPOSITORY = /^[a-z0-9._/-]{2,255}$/;
const TAG = /^[A-Za-z0-9._-]{1,128}$/;
const HOST = /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_][A-Za-z0-9._-]*)(:[0-9]{1,5})?$/;

/** A repository of a registry. */
export interface Repository {
  /** Host, with the port if one was given. */
  readonly registry: string;
  /** Path below the registry. */
  readonly repository: string;
  /** `registry/repository`. */
  readonly name: string;
}

/** An image as the command line names it. With a digest, a tag that was also given decides nothing. */
export interface Reference extends Repository {
  readonly digest: Digest | undefined;
  /** The digest if there is one, else the tag, else `latest`. */
  readonly identifier: string;
  /** The text as given. */
  readonly original: string;
}

/**
 * Parses `[registry/]repository[:tag][@digest]` as go-containerregistry does: Docker Hub and its `library/` when no
 * registry is named, `latest` when neither tag nor digest is.
 *
 * @throws TsignError "input"
 */
export function parseReference(text: string): Reference {
  const [withoutDigest = "", digest, ...more] = text.split("@");
  if (more.length > 0) throw invalid(text, "it has more than one @");
  if (digest !== undefined && !isDigest(digest)) throw invalid(text, `"${digest}" is not a sha256 or sha512 digest`);
  const colon = withoutDigest.lastIndexOf(":");
  const tagged = colon > withoutDigest.lastIndexOf("/") && !(digest === undefined && isBareHost(withoutDigest));
  const tag = tagged ? withoutDigest.slice(colon + 1) : undefined;
  if (tag !== undefined && !TAG.test(tag)) throw invalid(text, `"${tag}" is not a tag`);
  const repository = parseRepository(tagged ? withoutDigest.slice(0, colon) : withoutDigest, text);
  return { ...repository, digest, identifier: digest ?? tag ?? DEFAULT_TAG, original: text };
}

/**
 * Parses `[registry/]repository`.
 *
 * @param original the whole text the repository was part of, for the error
 * @throws TsignError "input"
 */
export function parseRepository(text: string, original = text): Repository {
  const slash = text.indexOf("/");
  const first = text.slice(0, Math.max(slash, 0));
  const named = /[.:[]/.test(first) || first === "localhost";
  const registry = !named || first === "docker.io" ? DOCKER_HUB : first;
  const path = named ? text.slice(slash + 1) : text;
  if (!isHost(registry)) throw invalid(original, `"${registry}" is not a registry's host`);
  const repository = registry === DOCKER_HUB && !path.includes("/") ? `library/${path}` : path;
  if (!REPOSITORY.test(path) || !REPOSITORY.test(repository)) {
    throw invalid(original, `"${path}" is not a repository (lower-case letters, digits and ._-/)`);
  }
  // A URL's path is shortened by them, so that the name of one repository would lead to another.
  if (path.split("/").some((part) => part === "." || part === "..")) {
    throw invalid(original, `"${path}" has "." or ".." as one of its parts`);
  }
  return { registry, repository, name: `${registry}/${repository}` };
}

/** Whether a text can be a registry's host, with a port or without: an address in brackets has to be one, and a port below 65536. */
export function isHost(text: string): boolean {
  return HOST.test(text) && URL.canParse(`http://${text}`);
}

/** The full name of a reference: `registry/repository:tag` or `registry/repository@digest`. */
export function formatReference(ref: Reference): string {
  return ref.digest ? `${ref.name}@${ref.digest}` : `${ref.name}:${ref.identifier}`;
}

/** The same repository, pinned to a digest. */
export function withDigest(ref: Repository, digest: Digest): Reference {
  const { registry, repository, name } = ref;
  return { registry, repository, name, digest, identifier: digest, original: `${name}@${digest}` };
}

/** `host:port` without a path has no tag to find. */
function isBareHost(text: string): boolean {
  return text.startsWith("[") && !text.includes("/");
}

function invalid(text: string, reason: string): TsignError {
  const shown = text.length > 200 ? `${text.slice(0, 200)}…` : text;
  return new TsignError("input", `could not parse reference: ${shown}: ${reason}`, {
    hint: "an image is named registry/repository:tag or registry/repository@sha256:<hex>",
  });
}
