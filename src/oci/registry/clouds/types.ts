import type { Io, TlsOptions } from "../../../io/io.ts";
import type { Credentials } from "../keychain.ts";

/** A registry that belongs to the cloud that is asked. */
export interface CloudRegistry {
  /** As the reference names it, with its port. */
  readonly registry: string;
  /** In lower case, without the port. */
  readonly host: string;
  /** How the registry itself is reached. */
  readonly tls: TlsOptions;
}

interface CloudCredentials {
  readonly credentials: Credentials;
  /** Where the user's own proof came from: a variable, a file, the machine. Named when the registry refuses. */
  readonly from: string;
}

/**
 * Finds credentials of a cloud for one of its registries.
 *
 * @throws TsignError whose message says where they were looked for and what was wrong, without a secret
 */
export type FindInCloud = (io: Io, registry: CloudRegistry) => Promise<CloudCredentials>;
