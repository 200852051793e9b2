import { parseImagePattern } from "../image-names.ts";

/** Patterns for images in this program's form, and those of the other program that have no equal. */
export interface Translated {
  readonly images: readonly string[];
  readonly untranslated: readonly string[];
}

/** A name split into repository, and what follows it. */
export function split(text: string): { repository: string; tag: string | undefined; digest: string | undefined } {
  const at = text.indexOf("@");
  if (at >= 0) return { repository: text.slice(0, at), tag: undefined, digest: text.slice(at + 1) };
  const colon = text.lastIndexOf(":");
  if (colon <= text.lastIndexOf("/")) return { repository: text, tag: undefined, digest: undefined };
  return { repository: text.slice(0, colon), tag: text.slice(colon + 1), digest: undefined };
}

/** A pattern for Docker Hub of which this program would complete the path, `docker.io/team*`: the repositories of a user. */
const HUB_USERS = /^(?:index\.|registry-1\.)?docker\.io\/(?!\*\*)[^/]*\*\*/;

function collect(texts: readonly string[], translate: (text: string) => string | undefined): Translated {
  const images: string[] = [];
  const untranslated: string[] = [];
  for (const text of texts) {
    const image = translate(text);
    if (image === undefined || "wrong" in parseImagePattern(image)) untranslated.push(text);
    else if (!images.includes(image)) images.push(image);
  }
  return { images, untranslated };
}

const ANY = /^\*+$/;

/**
 * Whether a `*` in the last part of a repository may stand for the beginning of a tag or digest as well, because characters follow
 * it that may be in one: `app*b` matches `apple:b`, and `app*6:*` the beginning of every digest.
 */
function reachesTag(repository: string, tag: string | undefined): boolean {
  return tag === undefined ? /\*[^/*]+\**$/.test(repository) : ANY.test(tag) && /\*[^/*]*6$/.test(repository);
}

/**
 * Translates globs of ClusterImagePolicy: `*` without `/`, `**` for any characters; they match `repository:tag` or
 * `repository@digest` as a whole (policy-controller, pkg/apis/glob).
 */
export function fromClusterImagePolicy(globs: readonly string[]): Translated {
  const parts = globs.map(split);
  const named = (kind: "tag" | "digest") =>
    new Set(parts.filter((part) => ANY.test(part[kind]?.replace(/^sha256:/, "") ?? "")).map((part) => part.repository));
  const [anyTag, anyDigest] = [named("tag"), named("digest")];
  return collect(globs, (glob) => {
    if (glob === "*") return "index.docker.io/library/*";
    if (glob === "*/*") return "index.docker.io/*/*";
    if (glob.includes("***")) return undefined;
    const { repository, tag, digest } = split(glob);
    if (HUB_USERS.test(repository) || reachesTag(repository, tag ?? digest)) return undefined;
    if (digest !== undefined) return anyDigest.has(repository) ? repository : undefined;
    if (tag === undefined) {
      if (repository.endsWith("*")) return repository;
      return repository.includes("*") ? undefined : `${repository}:latest`;
    }
    if (ANY.test(tag)) {
      return repository.endsWith("*") || (anyTag.has(repository) && anyDigest.has(repository))
        ? repository
        : `${repository}:*`;
    }
    return `${repository}:${tag.replaceAll("**", "*")}`;
  });
}

/**
 * Translates patterns of Kyverno, in which `*` stands for any characters. A pattern for one tag or digest of a repository becomes
 * one for the repository where this program cannot name it: that demands more.
 */
export function fromKyverno(patterns: readonly string[]): Translated {
  return collect(patterns, (pattern) => {
    if (ANY.test(pattern)) return "**";
    if (/[?[\]{}!\\]/.test(pattern)) return undefined;
    const { repository, tag } = split(pattern.replace(/\*+/g, "**"));
    if (HUB_USERS.test(repository) || reachesTag(repository, tag)) return undefined;
    if (tag === undefined || ANY.test(tag)) return repository;
    return `${repository}:${tag.replaceAll("**", "*")}`;
  });
}

/** The patterns of a scope of policy.json: the repository or namespace and what is below it, or one tag. */
export function fromScope(scope: string): Translated {
  const { repository, tag, digest } = split(scope);
  if (digest !== undefined) return { images: [], untranslated: [scope] };
  if (tag !== undefined && repository.includes("/")) return collect([`${repository}:${tag}`], (text) => text);
  // `docker.io/team` is a user of Docker Hub, and no image.
  const isNamespace = !scope.includes("/") || /^docker\.io\/[^/]+$/.test(scope);
  return collect(isNamespace ? [`${scope}/**`] : [scope, `${scope}/**`], (text) => text);
}

/**
 * Translates a pattern of Connaisseur that names a registry's host: `*` stands for any characters, and the pattern matches a part
 * of the name (internal/config, MatchingRule). One with a digest becomes one for the repository.
 */
export function fromConnaisseur(pattern: string): Translated {
  return collect([pattern], (text) => {
    if (/^\*+(?::\*+)?$/.test(text)) return "**";
    if (/[?[\]{}!\\]/.test(text)) return undefined;
    const { repository, tag, digest } = split(text.replace(/\*+/g, "**"));
    if (digest !== undefined) return onHub(repository.replace(/:[^/:]*$/, ""));
    if (reachesTag(repository, tag)) return undefined;
    if (tag === undefined) return onHub(repository.endsWith("**") ? repository : `${repository}**`);
    if (ANY.test(tag)) return onHub(repository.endsWith("**") ? repository : `${repository}:*`);
    return onHub(`${repository}:${tag.replaceAll("**", "*").replace(/\**$/, "*")}`);
  });
}

/** Connaisseur's names of images on Docker Hub have `library/` where this program's patterns leave it out. */
function onHub(image: string): string | undefined {
  const [, host, path = ""] = /^((?:index\.|registry-1\.)?docker\.io)\/(.*)$/s.exec(image) ?? [];
  if (host === undefined || path.includes("/") || path.startsWith("**"))
    return host?.startsWith("r") ? undefined : image;
  return host === "docker.io" && path.endsWith("**") ? `${image}/**` : undefined;
}
