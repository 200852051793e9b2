import { TsignError } from "../errors.ts";
import { type Digest, isDigest } from "../format/digest.ts";

const DOCKER_HUB = "index.docker.io";
const DEFAULT_TAG = "latest";
const REPOSITORY = /^[a-z0-9._/-]{2,255}$/;
/** What other programs put before a reference to say where the image is. */
const TRANSPORT =
  /^(?:oci|docker|https?|registry|docker-daemon|containers-storage):\/\/|^(?:docker-daemon|containers-storage):/i;
/** The same for a path: `oci:./folder:tag`. `oci:latest` is an image of Docker Hub, `oci:5000/app` one of the host `oci`. */
const ON_DISK = /^(?:oci|dir|docker-archive|oci-archive):(?:\/\/)?(?=[./~]|(?!\d+\/)[^:]*\/)/i;
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
  refuseTransport(text, text);
  refuseId(text);
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
  refuseTransport(text, original);
  const slash = text.indexOf("/");
  const first = text.slice(0, Math.max(slash, 0));
  const named = /[.:[]/.test(first) || first === "localhost";
  const registry = !named || first === "docker.io" ? DOCKER_HUB : first;
  const path = named ? text.slice(slash + 1) : text;
  if (!isHost(registry)) throw invalid(original, `"${registry}" is not a registry's host`);
  const repository = registry === DOCKER_HUB && !path.includes("/") ? `library/${path}` : path;
  if (/^[a-z0-9._-]$/.test(path)) {
    throw invalid(original, `"${path}" is too short: a repository has at least two characters`);
  }
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

/**
 * What people paste that is an address, or another program's way to say where an image is.
 *
 * @throws TsignError "input"
 */
function refuseTransport(text: string, original: string): void {
  const [onDisk] = ON_DISK.exec(text) ?? [];
  const [transport] = TRANSPORT.exec(text) ?? [];
  const found = transport ?? onDisk;
  if (/^(?:\.{1,2})?[/\\]|^\.{1,2}$|^~\//.test(text)) {
    throw invalid(
      original,
      "it is the path of a file or a folder",
      "--local-image verifies a folder that `tsign save` wrote",
    );
  }
  if (found === undefined) return;
  const name = withoutUserinfo(text)
    .slice(found.length)
    .replace(/^([^/]+)\/v2\//, "$1/");
  const hint = /^(?:oci|docker|https?|registry):\/\//i.test(found)
    ? `leave ${found} out: ${name}`
    : "push it to a registry, or name a folder that `tsign save` wrote with --local-image";
  throw invalid(original, `"${found}" says where another program finds an image, and is not part of its name`, hint);
}

/**
 * A digest or an image id alone, which would be the name of an image of Docker Hub.
 *
 * @throws TsignError "input"
 */
function refuseId(text: string): void {
  if (/^[0-9a-f]{64}$/.test(text) || /^sha(?:256|512):[0-9a-f]{7,128}$/.test(text)) {
    const hint = "name the repository too: registry/repository@sha256:<hex>";
    throw invalid(text, "it is a digest or an image id, of no repository", hint);
  }
  if (/^[0-9a-f]{12}$/.test(text) && /\d/.test(text)) {
    const hint = `push the image and name it, or write library/${text} for one of Docker Hub`;
    throw invalid(text, "it looks like the id of a local image", hint);
  }
}

function withoutUserinfo(text: string): string {
  return text.replace(/:\/\/[^/\s]*@(?=[^@]*\/)/, "://");
}

function invalid(text: string, reason: string, hint?: string): TsignError {
  const bare = withoutUserinfo(text);
  const shown = bare.length > 200 ? `${bare.slice(0, 200)}…` : bare;
  return new TsignError("input", `could not parse reference: ${shown}: ${reason}`, {
    hint: hint ?? "an image is named registry/repository:tag or registry/repository@sha256:<hex>",
  });
}
