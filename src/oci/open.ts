import type { Io, TlsOptions } from "../io/io.ts";
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
  /** Also the credentials of the cloud that the registry belongs to; what is stored goes before them, flags after. */
  readonly cloudCredentials: boolean;
}

/** Of a registry that nothing is said about. */
export const PLAIN_REGISTRY: RegistryOptions = {
  allowInsecure: false,
  allowHttp: false,
  username: "",
  password: "",
  token: "",
  caFile: "",
  clientCertFile: "",
  clientKeyFile: "",
  serverName: "",
  cloudCredentials: false,
};

/**
 * Opens a repository of a registry. Nothing is sent yet; the TLS settings hold for this registry alone.
 *
 * @throws TsignError "input" for certificate files that cannot be read
 */
export async function openRegistry(io: Io, repository: Repository, options: RegistryOptions): Promise<ImageStore> {
  const tls = await tlsOptions(io, options);
  const session = new RegistrySession({
    io,
    repository,
    tls,
    allowHttp: options.allowHttp || options.allowInsecure,
    credentials: (origin) => chooseCredentials(io, { repository, origin, tls, options }),
  });
  return registryStore({ io, session, repository });
}

/**
 * Flags go before the user's configuration, and after everything that `--k8s-keychain` asks: the configuration, then the
 * cloud.
 */
async function chooseCredentials(
  io: Io,
  {
    repository,
    origin,
    tls,
    options,
  }: { repository: Repository; origin: URL; tls: TlsOptions; options: RegistryOptions },
): Promise<Credentials> {
  const given = givenCredentials(options);
  if (!options.cloudCredentials) return given ?? findCredentials(io, repository);
  const stored = await findCredentials(io, repository);
  if (stored.kind !== "anonymous") return stored;
  const { findCloudCredentials } = await import("./registry/clouds/find.ts");
  const ofCloud = await findCloudCredentials(io, { registry: repository.registry, origin, tls });
  return ofCloud.kind === "anonymous" ? (given ?? ofCloud) : ofCloud;
}

/** A user name with its password goes before a token. */
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
