import type { Io, TlsOptions } from "../io.ts";
import type { Repository } from "./ref.ts";
import { type Credentials, findCredentials } from "./registry/keychain.ts";
import { RegistrySession } from "./registry/session.ts";
import { registryStore } from "./registry/store.ts";
import { readTlsFiles } from "./tls-files.ts";
import type { ImageStore } from "./types.ts";

/** How a registry is reached: the `--registry-*` and `--allow-*` flags. Empty text means not given. */
export interface RegistryOptions {
  readonly allowInsecure: boolean;
  readonly allowHttp: boolean;
  readonly username: string;
  readonly password: string;
  readonly token: string;
  readonly caFile: string;
  readonly clientCertFile: string;
  readonly clientKeyFile: string;
  readonly serverName: string;
}

/**
 * Opens a repository of a registry. Nothing is sent yet; the TLS settings hold for this registry alone.
 *
 * @throws TsignError "input" for certificate files that cannot be read
 */
export async function openRegistry(io: Io, repository: Repository, options: RegistryOptions): Promise<ImageStore> {
  const session = new RegistrySession({
    io,
    repository,
    tls: await tlsOptions(io, options),
    allowHttp: options.allowHttp || options.allowInsecure,
    credentials: async () => givenCredentials(options) ?? (await findCredentials(io, repository)),
  });
  return registryStore({ io, session, repository });
}

/** Flags go before the user's configuration: a user name with its password, then a token. */
function givenCredentials({ username, password, token }: RegistryOptions): Credentials | undefined {
  if (username && password) return { kind: "password", username, password };
  return token ? { kind: "bearer", token } : undefined;
}

async function tlsOptions(io: Io, options: RegistryOptions): Promise<TlsOptions> {
  const { serverName, allowInsecure } = options;
  return {
    ...(await readTlsFiles(io, options)),
    ...(serverName ? { serverName } : {}),
    ...(allowInsecure ? { insecure: true } : {}),
  };
}
