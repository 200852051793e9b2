import { TsignError } from "../errors.ts";
import { openRegistry, PLAIN_REGISTRY } from "../oci/open.ts";
import { parseReference } from "../oci/ref.ts";
import type { Descriptor } from "../oci/types.ts";
import { type Context, libraryIo } from "./context.ts";
import { registries } from "./handles.ts";

export type { Context } from "./context.ts";
export * from "./transport.ts";

/** How registries are reached. TLS settings belong to the transport. */
export interface RegistryOptions extends Context {
  /**
   * What to log in with: a user name with its password, or a bearer token. Without it the configuration of docker, podman and
   * Helm is read, with their credential helpers, where `env` says where it is (HOME, DOCKER_CONFIG, REGISTRY_AUTH_FILE).
   */
  readonly credentials?: { readonly username: string; readonly password: string } | { readonly token: string };
  /** Also ask the cloud that the registry belongs to (AWS, Google, Azure, Alibaba Cloud, GitHub), by `env`. */
  readonly cloudCredentials?: boolean;
  /** Plain http is allowed whatever the host; otherwise for localhost and private addresses only. */
  readonly allowHttp?: boolean;
}

/** Registries, by one way of reaching them. Nothing is sent before a method is called. */
export interface Registry {
  /**
   * Finds out what a reference points at: `[registry/]repository[:tag][@digest]`, of Docker Hub where no registry is named.
   *
   * @returns the descriptor; undefined where the registry says that there is no such image
   * @throws TsignError "input" for a text that is not a reference; "auth", "network", "timeout" or "registry"
   */
  resolve(reference: string): Promise<ImageDescriptor | undefined>;
}

/** OCI descriptor (image-spec, descriptor.md) of a manifest or an index. */
export interface ImageDescriptor {
  readonly mediaType: string;
  /** `sha256:` and 64 lower-case hex digits, or `sha512:` and 128. */
  readonly digest: string;
  /** Bytes. */
  readonly size: number;
  /** The image by its digest: `registry/repository@sha256:…`. */
  readonly reference: string;
}

/**
 * Registries to look images up in, and to store signatures in. Any host: credentials given here are sent to whichever
 * registry a reference names, so make one for each registry that has its own.
 *
 * @throws TsignError "usage" without a transport
 */
export function createRegistry(options: RegistryOptions): Registry {
  if (!options.transport) {
    throw new TsignError("usage", "a registry needs a transport", { hint: "pass { transport: createTransport() }" });
  }
  const { credentials } = options;
  const io = libraryIo(options);
  const connection = {
    ...PLAIN_REGISTRY,
    ...(credentials && "token" in credentials ? { token: credentials.token } : credentials),
    allowHttp: options.allowHttp ?? false,
    cloudCredentials: options.cloudCredentials ?? false,
  };
  const registry: Registry = {
    async resolve(reference) {
      const image = parseReference(reference);
      const store = await openRegistry(io, image, connection);
      const found = await store.resolve(image.identifier);
      return found && describe(found, image.name);
    },
  };
  return registries.keep(registry, { io, options: connection });
}

function describe({ mediaType, digest, size }: Descriptor, name: string): ImageDescriptor {
  return { mediaType, digest, size, reference: `${name}@${digest}` };
}
