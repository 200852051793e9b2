import type { ImageMirrors } from "../images/mirrors.ts";
import { isHost, type Repository } from "../oci/ref.ts";
import type { Refuse } from "./faults.ts";
import { normalHost, restBelow } from "./image-names.ts";
import type { Mirror, TrustPolicy } from "./model.ts";
import type { PolicyFile } from "./schema.ts";

const PATH = /^[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:\/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*$/;

/** Reads the mirrors of a policy. @throws TsignError "input" */
export function readMirrors(texts: PolicyFile["mirrors"], refuse: Refuse): Mirror[] {
  return (texts ?? []).map(({ source, mirror, only = false, tags = true }, index) => {
    const place = ["mirrors", index];
    const read = (field: string, text: string) => {
      const name = placeOf(text);
      if (name !== undefined) return name;
      const hint = "write a registry, with a path in lower case or without: docker.io/library";
      return refuse([...place, field], `"${text}" is not a registry or a path in one`, hint);
    };
    const one = { source: read("source", source), mirror: read("mirror", mirror), only, tags };
    if (one.source === one.mirror) refuse([...place, "mirror"], "mirror is the source", "remove one of the mirrors");
    if (only && !tags) refuse([...place, "tags"], "tags: false cannot be used with only: true", "remove one of them");
    return one;
  });
}

/** The normal name of a registry or a path in it. Nothing is added on Docker Hub: `docker.io/acme` is an owner's path. */
function placeOf(text: string): string | undefined {
  const [host = "", ...parts] = text.split("/");
  const isNamed = (/[.:[]/.test(host) || host === "localhost") && isHost(host);
  const path = parts.join("/");
  if (!isNamed || (parts.length > 0 && !PATH.test(path)) || text.length > 255) return undefined;
  return parts.length === 0 ? normalHost(host) : `${normalHost(host)}/${path}`;
}

/** Where an image is read before its own repository: the mirrors of the longest source that it is below. */
export function mirrorsOf({ mirrors }: Pick<TrustPolicy, "mirrors">, image: Repository): ImageMirrors | undefined {
  const matching = mirrors.flatMap((each) => {
    const rest = restBelow(each.source, image);
    return rest === undefined ? [] : [{ ...each, rest }];
  });
  const longest = Math.max(...matching.map(({ source }) => source.length));
  const chosen = matching.filter(({ source }) => source.length === longest);
  if (chosen.length === 0) return undefined;
  const places = chosen.map(({ mirror, rest, tags }) => ({ repository: repositoryOf(`${mirror}${rest}`), tags }));
  return { places, only: chosen.some(({ only }) => only) };
}

function repositoryOf(name: string): Repository {
  const slash = name.includes("/") ? name.indexOf("/") : name.length;
  return { registry: name.slice(0, slash), repository: name.slice(slash + 1), name };
}
