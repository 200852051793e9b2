import { TsignError } from "../errors.ts";
import { type Digest, isDigest } from "../format/digest.ts";

const DOCKER_HUB = "index.docker.io";
const DEFAULT_TAG = "latest";
const REPOSITORY = /^[a-z0-9._/-]{2,255}$/;
/** Transports that other programs write before a reference (containers-transports(5), Helm, browsers). */
const TRANSPORT =
  /^(?:oci|docker|https?|registry|docker-daemon|containers-storage):\/\/|^(?:docker-daemon|containers-storage):/i;
/** Transports before a path: `oci:./folder:tag`. `oci:latest` is an image on Docker Hub, `oci:5000/app` one on the host `oci`. */
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

/** An image as named on the command line. With a digest, a tag is ignored. */
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
  if (more.length > 0) throw invalid(text, "it contains more than one @");
  if (digest !== undefined && !isDigest(digest))
    throw invalid(text, `"${digest}" is not a sha256 or sha512 digest`, "write the digest as sha256:<64 hex digits>");
  const colon = withoutDigest.lastIndexOf(":");
  const tagged = colon > withoutDigest.lastIndexOf("/") && !(digest === undefined && isBareHost(withoutDigest));
  const tag = tagged ? withoutDigest.slice(colon + 1) : undefined;
  if (tag !== undefined && !TAG.test(tag)) {
    throw invalid(text, `"${tag}" is not a valid tag`, "use 1 to 128 letters, digits, and . _ - in a tag");
  }
  const repository = parseRepository(tagged ? withoutDigest.slice(0, colon) : withoutDigest, text);
  return { ...repository, digest, identifier: digest ?? tag ?? DEFAULT_TAG, original: text };
}

/**
 * Parses `[registry/]repository`.
 *
 * @param original the whole reference, for the error
 * @throws TsignError "input"
 */
export function parseRepository(text: string, original = text): Repository {
  refuseTransport(text, original);
  const slash = text.indexOf("/");
  const first = text.slice(0, Math.max(slash, 0));
  const named = /[.:[]/.test(first) || first === "localhost";
  const registry = !named || first === "docker.io" ? DOCKER_HUB : first;
  const path = named ? text.slice(slash + 1) : text;
  if (!isHost(registry)) throw invalid(original, `"${registry}" is not a valid registry host`);
  const repository = registry === DOCKER_HUB && !path.includes("/") ? `library/${path}` : path;
  if (/^[a-z0-9._-]$/.test(path)) {
    const hint = "use a repository name of at least two characters, as cosign and go-containerregistry require";
    throw invalid(original, `repository name "${path}" is too short: expected 2 to 255 characters, found 1`, hint);
  }
  if (!REPOSITORY.test(path) || !REPOSITORY.test(repository)) {
    const hint = "use lower-case letters, digits, and . _ - / in a repository name";
    throw invalid(original, `"${path}" is not a valid repository name`, hint);
  }
  // URL parsing removes such segments, so the request would go to another repository.
  if (path.split("/").some((part) => part === "." || part === "..")) {
    throw invalid(original, `repository name "${path}" contains a "." or ".." segment`);
  }
  return { registry, repository, name: `${registry}/${repository}` };
}

/** Reports whether a text is a valid registry host, with or without a port below 65536. IPv6 addresses are in brackets. */
export function isHost(text: string): boolean {
  return HOST.test(text) && URL.canParse(`http://${text}`);
}

/** Returns the full name of a reference: `registry/repository:tag` or `registry/repository@digest`. */
export function formatReference(ref: Reference): string {
  return ref.digest ? `${ref.name}@${ref.digest}` : `${ref.name}:${ref.identifier}`;
}

/** Returns a reference to a digest in the repository. */
export function withDigest(ref: Repository, digest: Digest): Reference {
  const { registry, repository, name } = ref;
  return { registry, repository, name, digest, identifier: digest, original: `${name}@${digest}` };
}

/** Reports whether a text is an IPv6 host without a path, in which the last colon does not start a tag. */
function isBareHost(text: string): boolean {
  return text.startsWith("[") && !text.includes("/");
}

/**
 * Refuses a URL, another program's transport prefix, or a path, and names what to type instead.
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
      "it is a path, not an image name",
      "pass --local-image to verify a folder that `tsign save` wrote",
    );
  }
  if (found === undefined) return;
  const name = withoutUserinfo(text)
    .slice(found.length)
    .replace(/^([^/]+)\/v2\//, "$1/");
  const hint = /^(?:oci|docker|https?|registry):\/\//i.test(found)
    ? `remove ${found} and type ${name}`
    : "push the image to a registry, or pass --local-image and a folder that `tsign save` wrote";
  throw invalid(original, `the prefix "${found}" is not part of an image name`, hint);
}

/**
 * Refuses a digest or an image ID without a repository, which would otherwise name an image on Docker Hub.
 *
 * @throws TsignError "input"
 */
function refuseId(text: string): void {
  if (/^[0-9a-f]{64}$/.test(text) || /^sha(?:256|512):[0-9a-f]{7,128}$/.test(text)) {
    const digest = text.includes(":") ? text : `sha256:${text}`;
    const hint = `type the repository before the digest: registry/repository@${digest}`;
    throw invalid(text, "it is a digest or an image ID without a repository", hint);
  }
  if (/^[0-9a-f]{12}$/.test(text) && /\d/.test(text)) {
    const hint = `push the image and type its name, or type library/${text} for an image on Docker Hub`;
    throw invalid(text, "it looks like the ID of a local image", hint);
  }
}

function withoutUserinfo(text: string): string {
  return text.replace(/:\/\/[^/\s]*@(?=[^@]*\/)/, "://");
}

function invalid(text: string, reason: string, hint?: string): TsignError {
  const bare = withoutUserinfo(text);
  const shown = bare.length > 200 ? `${bare.slice(0, 200)}…` : bare;
  return new TsignError("input", `could not parse reference: ${shown}: ${reason}`, {
    hint: hint ?? "type registry/repository:tag or registry/repository@sha256:<hex>",
  });
}
