import { TsignError } from "../errors.ts";
import { openRegistry, PLAIN_REGISTRY } from "../oci/open.ts";
import { parseReference } from "../oci/ref.ts";
import type { Descriptor } from "../oci/types.ts";
import { type Context, libraryIo } from "./context.ts";
import { registries } from "./handles.ts";

export type { Context } from "./context.ts";
export * from "./transport.ts";

/** Options of `createRegistry`. TLS settings are those of the transport. */
export interface RegistryOptions extends Context {
  /**
   * Credentials: a user name with a password, or a bearer token. Without them, the configuration of docker, podman and Helm is
   * read, with their credential helpers, if `env` contains its location (HOME, DOCKER_CONFIG, REGISTRY_AUTH_FILE).
   */
  readonly credentials?: { readonly username: string; readonly password: string } | { readonly token: string };
  /** Whether to also get credentials from the cloud of the registry (AWS, Google, Azure, Alibaba Cloud, GitHub), using `env`. */
  readonly cloudCredentials?: boolean;
  /** Whether to allow plain http for all hosts; by default only for localhost and private addresses. */
  readonly allowHttp?: boolean;
}

/** Access to registries. Nothing is sent before a method is called. */
export interface Registry {
  /**
   * Resolves a reference, `[registry/]repository[:tag][@digest]`. The default registry is Docker Hub.
   *
   * @returns the descriptor; undefined if the image does not exist
   * @throws TsignError "input" for an invalid reference; "auth", "network", "timeout" or "registry"
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
  /** The image with its digest: `registry/repository@sha256:…`. */
  readonly reference: string;
}

/**
 * Returns access to registries, to find images and to store signatures. Credentials are sent to the registry of every reference,
 * so create one object for each registry that has credentials of its own.
 *
 * @throws TsignError "usage" without a transport
 */
export function createRegistry(options: RegistryOptions): Registry {
  if (!options.transport) {
    throw new TsignError("usage", "createRegistry requires a transport", {
      hint: "pass { transport: createTransport() }",
    });
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
