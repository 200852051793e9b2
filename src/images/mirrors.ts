import { TsignError, withMessage } from "../errors.ts";
import type { Io } from "../io/io.ts";
import { openRegistry, type RegistryOptions } from "../oci/open.ts";
import { formatReference, type Reference, type Repository } from "../oci/ref.ts";
import type { Descriptor, ImageStore } from "../oci/types.ts";
import { noSuchImage } from "./below.ts";

/** Where else an image is read, before its own repository. */
export interface ImageMirrors {
  /** In the order in which they are asked. */
  readonly places: readonly {
    readonly repository: Repository;
    /** Whether it is asked for tags, besides digests. */
    readonly tags: boolean;
  }[];
  /** Whether the image's own repository is never asked. */
  readonly only: boolean;
}

/** An image as a mirror has it. */
interface Mirrored {
  readonly descriptor: Descriptor;
  readonly store: ImageStore;
  /** The image's own repository, if it may be asked. */
  readonly source: ImageStore | undefined;
}

/** How long a mirror is waited for before the next place is asked. Milliseconds. */
const MIRROR_WAIT = 3000;

/**
 * Looks for an image at its mirrors, in their order. One that fails, is late, or lacks the image is passed over, as container
 * runtimes do. Each host is asked with the credentials for that host only.
 *
 * @returns undefined if the image's own repository is to be asked
 * @throws TsignError if that may not be asked: "image-not-found", or the failure of the last mirror that failed
 */
export async function findAtMirrors(
  io: Io,
  { ref, source, registry, mirrors }: Opening & { readonly mirrors: ImageMirrors },
): Promise<Mirrored | undefined> {
  const { places, only } = mirrors;
  let failure: TsignError | undefined;
  for (const { repository, tags } of places) {
    if (!tags && ref.digest === undefined) continue;
    try {
      const store = await openMirror(io, repository, { ref, registry });
      const looked = store.resolve(ref.identifier);
      const descriptor = await (only ? looked : within(io, looked, repository.name));
      if (descriptor === undefined) continue;
      if (only) return { descriptor, store, source: undefined };
      return { descriptor, store: completed(store, source), source };
    } catch (error) {
      if (!(error instanceof TsignError) || error.code === "internal" || io.signal.aborted) throw error;
      failure = withMessage(error, `read ${formatReference(ref)} at its mirror ${repository.name}: ${error.message}`);
    }
  }
  if (!only) return undefined;
  throw (
    failure ?? noSuchImage(`${formatReference(ref)} at ${places.map(({ repository }) => repository.name).join(" or ")}`)
  );
}

interface Opening {
  readonly ref: Reference;
  /** The image's own repository. */
  readonly source: ImageStore;
  readonly registry: RegistryOptions;
}

/** Opens a mirror. What the flags give for the image's registry, credentials first of all, is not for another host. */
function openMirror(
  io: Io,
  repository: Repository,
  { ref, registry }: Pick<Opening, "ref" | "registry">,
): Promise<ImageStore> {
  const { username, password, token, clientCertFile, clientKeyFile, serverName, ...others } = registry;
  const isGiven = [username, password, token, clientCertFile, clientKeyFile, serverName].some((each) => each !== "");
  if (!isGiven || repository.registry === ref.registry) return openRegistry(io, repository, registry);
  const { connections: _, ...unshared } = others; // they were opened with what was given
  const none = { username: "", password: "", token: "", clientCertFile: "", clientKeyFile: "", serverName: "" };
  return openRegistry(io, repository, { ...unshared, ...none });
}

/** A mirror may have an index without all the images in it: those are read at the source, by their digests. */
function completed(store: ImageStore, source: ImageStore): ImageStore {
  const isDigest = (identifier: string) => identifier.includes(":");
  return {
    ...store,
    manifest: async (identifier) =>
      (await store.manifest(identifier)) ?? (isDigest(identifier) ? source.manifest(identifier) : undefined),
  };
}

/** Gives up waiting, and not the request, whose connection others may use. @throws TsignError "timeout" */
async function within<T>(io: Pick<Io, "sleep">, looked: Promise<T>, name: string): Promise<T> {
  const done = new AbortController();
  const late = io.sleep(MIRROR_WAIT, done.signal).then(() => {
    throw new TsignError("timeout", `wait for ${name}: no answer within ${MIRROR_WAIT / 1000} s`);
  });
  late.catch(() => {});
  looked.catch(() => {});
  try {
    return await Promise.race([looked, late]);
  } finally {
    done.abort(null);
  }
}
