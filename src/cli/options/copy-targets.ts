import { TsignError } from "../../errors.ts";
import type { Digest } from "../../format/digest.ts";
import { parseReference, type Reference } from "../../oci/ref.ts";

/** An image to copy, and where to. */
export interface Copying<Source> {
  /** The source as the user named it. */
  readonly text: string;
  readonly source: Source;
  readonly target: Reference;
}

/**
 * Returns where an image goes below a prefix: to its own repository path and tag. An image named by digest alone keeps the digest.
 *
 * @param prefix a registry, or `registry/repository`
 * @throws TsignError "usage" for a prefix that is not one
 */
export function targetBelow(prefix: string, text: string): Reference {
  const { repository, digest } = parseReference(text);
  const named = text.split("@")[0] ?? "";
  const tag = named.includes(":", named.lastIndexOf("/") + 1) ? named.slice(named.lastIndexOf(":") + 1) : undefined;
  const suffix = tag === undefined && digest !== undefined ? `@${digest}` : `:${tag ?? "latest"}`;
  const base = prefix.replace(/\/+$/, "");
  if (/[@\s]/.test(base) || base === "" || /:[^/]*[^/\d]/.test(base)) {
    throw new TsignError("usage", `--to: "${prefix}" is not a registry or a repository`, {
      hint: "set --to to registry.example or registry.example/mirror, without tag and digest",
    });
  }
  return parseReference(`${base}/${repository}${suffix}`);
}

/**
 * Refuses to copy two images to one tag. Images of two registries may have the same path.
 *
 * @throws TsignError "input"
 */
export function requireDistinct(copies: readonly Copying<{ readonly digest: Digest }>[]): void {
  const known = new Map<string, Copying<{ readonly digest: Digest }>>();
  for (const each of copies) {
    const { target, source, text } = each;
    const name = `${target.name}:${target.identifier}`;
    const former = known.get(name);
    known.set(name, each);
    if (!former || former.source.digest === source.digest) continue;
    throw new TsignError("input", `copy ${former.text} and ${text}: both would become ${name}`, {
      hint: "copy one of them by itself, to another name",
    });
  }
}
