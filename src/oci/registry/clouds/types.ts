import type { Io, TlsOptions } from "../../../io/io.ts";
import type { Credentials } from "../keychain.ts";

/** A registry of a cloud. */
export interface CloudRegistry {
  /** Host and port, as in the reference. */
  readonly registry: string;
  /** Host in lower case, without the port. */
  readonly host: string;
  /** TLS options of the registry. */
  readonly tls: TlsOptions;
}

interface CloudCredentials {
  readonly credentials: Credentials;
  /** The source of the credentials: a variable, a file, the machine. Shown when the registry refuses them. */
  readonly from: string;
}

/**
 * Gets credentials of a cloud for one of its registries.
 *
 * @throws TsignError whose message names the sources and the reason, without secrets
 */
export type FindInCloud = (io: Io, registry: CloudRegistry) => Promise<CloudCredentials>;
